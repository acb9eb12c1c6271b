// Two rows side by side: what the second has over the first, by session, by label and seed by seed, and what differs.

const MOST_MOVED = 10;

// The two rows that are compared: those that were chosen, else the best two that compete.
function pairOfRows() {
  const rows = table().rows;
  const chosen = state.pair.map((id) => rows.find((row) => row.id === id));
  const others = [...rows.filter(competes), ...rows].filter((row) => !chosen.includes(row));
  return chosen.map((row) => row || others.shift());
}

function compareWith(row) {
  const [first] = pairOfRows();
  state.pair = row === first ? [row.id, ""] : [first.id, row.id];
  drawCompare();
  byId("compare").scrollIntoView({ block: "start" });
  quietly(byId("compare-second"));
}

function drawCompare() {
  const rows = table().rows;
  const pair = pairOfRows();
  const names = rows.map((row) => [row.id, `${nameInLegend(row)} · ${row.configuration.slice(0, 8)}`]);
  const choose = (place) => (id) => { state.pair = pair.map((row, k) => (k === place ? id : row.id)); drawCompare(); byId(place ? "compare-second" : "compare-first").focus(); };
  byId("compare-controls").replaceChildren(
    choice("First", names, pair[0].id, choose(0), { id: "compare-first" }),
    button("Swap", () => { state.pair = [pair[1].id, pair[0].id]; drawCompare(); }, { class: "quiet", id: "compare-swap" }),
    choice("Second", names, pair[1].id, choose(1), { id: "compare-second" }));
  if (pair[0] === pair[1]) {
    byId("compared").replaceChildren(h("p", { class: "none" }, "These are the same row. Choose another one."));
    return;
  }
  byId("compared").replaceChildren(h("p", { class: "muted" }, seedsInWords(pair)), pairNumbers(pair), h("div", { class: "panels" }, ...sessionDeltas(pair)), ...(hasLabels() ? [labelDeltas(pair)] : []), h("h3", {}, "What differs in how they ran"), differences(pair));
}

// Seeds, or class orders, that both rows have.
const once = (units) => new Set(units).size === units.length;
const inBoth = ([a, b]) => (once(a.units) && once(b.units) ? a.units.filter((unit) => b.units.includes(unit)) : []);

function seedsInWords(pair) {
  const both = inBoth(pair);
  const paired = both.length > 1 ? `Differences are means ± sample standard deviation over the ${table().orders.length ? "class orders" : "seeds"} that both have (${both.join(", ")}).` : "Fewer than two seeds are in both, so differences have no spread.";
  return `Second minus first. ${paired} Whether one is more than luck: clbench report compare ${table().scenario} --baseline ${/ /.test(pair[0].name) ? `"${pair[0].name}"` : pair[0].name}`;
}

// Mean and spread of second minus first, seed by seed; of the means alone where no seed is in both.
function difference([a, b], item) {
  if (!a.cells[item.key] || !b.cells[item.key]) return null;
  const [x, y] = [a.perSeed[item.key], b.perSeed[item.key]];
  const both = inBoth([a, b]);
  const found = x && y ? both.map((unit) => [x[a.units.indexOf(unit)], y[b.units.indexOf(unit)]]).filter(([one, two]) => one !== null && two !== null).map(([one, two]) => two - one) : [];
  if (!found.length) return [b.cells[item.key][0] - a.cells[item.key][0], null];
  const mean = found.reduce((sum, value) => sum + value, 0) / found.length;
  const spread = found.length > 1 ? Math.sqrt(found.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (found.length - 1)) : null;
  return [mean, spread];
}

const signed = (text) => (/^[-0]([.0]*)$/.test(text) || text.startsWith("-") ? text : `+${text}`);

// Which of the two is ahead, where the difference is larger than its spread over the seeds.
function judged([mean, spread], item) {
  if (spread === null) return `${(mean > 0) === item.higher ? "better" : "worse"}, no spread`;
  if (Math.abs(mean) <= spread) return "within the spread";
  return (mean > 0) === item.higher ? "better" : "worse";
}

function pairNumbers(pair) {
  const line = (item) => {
    const delta = difference(pair, item);
    const better = delta && item.competes && delta[0] !== 0 ? judged(delta, item) : "";
    const text = delta === null ? DASH : isShare(item) ? `${signed(fixed(delta[0], state.digits))} ${spreadText(item, delta)}` : `${delta[0] < 0 ? "-" : "+"}${UNITS[item.unit](Math.abs(delta[0]))}`;
    return h("tr", {}, h("th", { scope: "row" }, titleOf(item)), pair.map((row) => h("td", { class: "number" }, meanText(item, row.cells[item.key]), " ", h("small", {}, spreadText(item, row.cells[item.key])))),
      h("td", { class: "number" }, text), h("td", { class: "verdict" }, better));
  };
  const columns = numberColumns().filter((item) => pair.some((row) => row.cells[item.key]));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Numbers of both rows" }, h("table", { class: "plain" },
    h("caption", { class: "hidden" }, "Numbers of both rows"),
    h("thead", {}, h("tr", {}, ["", nameInLegend(pair[0]), nameInLegend(pair[1]), "Second minus first", ""].map((name, place) => h("th", { scope: "col", class: place > 0 && place < 4 ? "number" : null }, place === 0 ? h("span", { class: "hidden" }, "Number") : place === 4 ? h("span", { class: "hidden" }, "Which is better") : name)))),
    h("tbody", {}, columns.map(line))));
}

// Second minus first after every session; a row that saw everything at once has only the end.
function sessionDeltas([a, b]) {
  const xs = sessionsAxis();
  if (xs.length < 2) return [];
  return PANELS.filter(([kind]) => a.curves[kind] && b.curves[kind]).map(([kind, title, note]) => {
    const at = (row, k) => { const line = row.curves[kind][0]; return line[line.length - xs.length + k]; };
    const mean = xs.map((_, k) => [at(a, k), at(b, k)]).map(([x, y]) => (x === undefined || y === undefined || x === null || y === null ? null : y - x));
    const lines = [{ id: b.id, name: "difference", look: b.look, mean, std: mean.map(() => null), seeds: inBoth([a, b]).length, reference: false },
      { id: "zero", name: nameInLegend(a), look: a.look, mean: [0], std: [null], seeds: 1, reference: true, plain: true }];
    return lineChart({ name: `delta-${kind} ${table().slug}`, title: `${title}: difference`, note: `${nameInLegend(b)} minus ${nameInLegend(a)}; ${note}`, xs, lines: mean.some((value) => value !== null) ? lines : [] });
  });
}

function labelDeltas([a, b]) {
  const names = labelsOf(a).names;
  const others = new Map(labelsOf(b).names.map((name, k) => [name, k]));
  const end = (row) => row.ap[state.testSet][row.ap[state.testSet].length - 1];
  const found = names.map((name, k) => ({ name, one: share(end(a)[k]), two: others.has(name) ? share(end(b)[others.get(name)]) : null }))
    .filter((item) => item.one !== null && item.two !== null).map((item) => ({ ...item, amount: item.two - item.one })).sort((x, y) => y.amount - x.amount);
  const most = Math.max(...found.map((item) => Math.abs(item.amount)), 1e-9);
  const bars = (title, items) => h("div", { class: "forgot" }, h("h4", {}, title), h("ol", {}, items.map((item) => h("li", {},
    button(item.name, () => showLabel(item.name, { scroll: true }), { class: "name", title: item.name }),
    h("span", { class: "amount" }, h("i", { vars: { "--v": (Math.abs(item.amount) / most).toFixed(3) } }), signed(fixed(item.amount, state.digits)))))));
  const some = Math.min(MOST_MOVED, Math.ceil(found.length / 2));
  const up = found.filter((item) => item.amount > 0);
  const down = found.filter((item) => item.amount < 0).reverse();
  const lines = () => [["label", "first", "second", "difference"], ...found.map((item) => [item.name, item.one, item.two, item.amount])];
  return h("div", {}, h("div", { class: "section-head" }, h("h3", {}, "AP of labels after the last session"), csvButton(`labels ${a.strategy} ${b.strategy} ${table().slug}`, lines)),
    h("p", { class: "muted" }, `${SETS[state.testSet]}, points, mean over seeds. ${up.length} of ${found.length} labels gain, ${down.length} lose. The file has all.`),
    h("div", { class: "columns" }, bars(`Most gained by ${nameInLegend(b)}`, up.slice(0, some)), bars("Most lost", down.slice(0, some))));
}

function differences([a, b]) {
  const parts = [["strategy", { name: a.strategy, head: a.head, "file sha256": a.sha256.slice(0, 16), origin: a.origin }, { name: b.strategy, head: b.head, "file sha256": b.sha256.slice(0, 16), origin: b.origin }],
    ["fields", pooled(a.fields), pooled(b.fields)], ["recipe", pooled(a.train), pooled(b.train)],
    ["stream", a.stream, b.stream], ["environment", pooled(a.environment), pooled(b.environment)], ["code", { code: a.code.join("; ") }, { code: b.code.join("; ") }]];
  const lines = parts.flatMap(([part, one, two]) => [...new Set([...Object.keys(one), ...Object.keys(two)])].filter((key) => plain(one[key]) !== plain(two[key])).map((key) => [part, key, one[key], two[key]]));
  if (!lines.length) return h("p", { class: "muted" }, "Nothing: same strategy, fields, recipe, stream, environment and code.");
  const text = (value) => (value === undefined ? DASH : plain(value));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "What differs" }, h("table", { class: "plain wraps" }, h("caption", { class: "hidden" }, "What differs"),
    h("thead", {}, h("tr", {}, ["Part", "Name", nameInLegend(a), nameInLegend(b)].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, lines.map(([part, key, one, two]) => h("tr", {}, h("td", {}, part), h("th", { scope: "row" }, key), h("td", {}, text(one)), h("td", {}, text(two)))))));
}
