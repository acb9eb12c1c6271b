// The leaderboard: controls, table, and the numbers printed in papers below it.

const TEXTS = { rank: "Rank", strategy: "Strategy", head: "Head", seeds: "Seeds", trust: "Trust", marks: "Marks" };

function drawControls() {
  const item = table();
  const groups = new Map();
  for (const other of [...tables()].sort((a, b) => state.running.has(b.slug) - state.running.has(a.slug))) {
    if (!groups.has(other.scenario)) groups.set(other.scenario, []);
    const apart = other.apart ? ` · apart: ${other.apart}` : "";
    const named = [other.heading, other.track].filter(Boolean).join(" · ");
    groups.get(other.scenario).push([other.slug, `${state.running.has(other.slug) ? "running: " : ""}${named}${apart}`]);
  }
  const heads = [...new Set(item.rows.map((row) => row.head))].sort();
  const search = h("input", {
    type: "search", value: state.query, placeholder: "name, setting, mark", id: "query",
    on: { input: (event) => { state.query = event.target.value; refresh(); } },
  });
  const rules = Object.entries(DATA.rules).map(([rule, meaning]) => [rule, `@${rule}: ${meaning}`]);
  byId("choose").replaceChildren(
    choice("Scenario", [...groups], item.slug, chooseTable, { id: "scenario" }),
    h("label", { class: "field" }, h("span", {}, "Find"), search),
    choice("Head", [["", "all heads"], ...heads.map((head) => [head, head])], state.head, (value) => { state.head = value; refresh(); }, { id: "head" }),
    choice("F1 rule", rules, state.rule, chooseRule, { id: "rule" }),
    choice("Decimals", [["1", "1"], ["2", "2"]], String(state.digits), (value) => { state.digits = Number(value); refresh(); }, { id: "digits" }),
    markBoxes(item),
  );
}

function markBoxes(item) {
  const number = new Map();
  for (const row of item.rows) for (const mark of row.marks.length ? row.marks : [""]) number.set(mark, (number.get(mark) || 0) + 1);
  const boxes = [...number].map(([mark, rows]) => {
    const box = h("input", {
      type: "checkbox", checked: !state.without.has(mark), value: mark,
      on: { change: () => { box.checked ? state.without.delete(mark) : state.without.add(mark); refresh(); } },
    });
    const label = h("label", { class: "box" }, box, h("span", { class: mark ? "mark" : "" }, mark || "no mark"), h("small", {}, ` ${rows}`));
    return mark ? tipped(label, () => [mark, DATA.marks[mark]]) : label;
  });
  if (item.printed) {
    const box = h("input", { type: "checkbox", checked: state.printed, id: "with-printed", on: { change: () => { state.printed = box.checked; refresh(); } } });
    boxes.push(h("label", { class: "box" }, box, h("span", { class: "mark printed-mark" }, "printed in papers"), h("small", {}, ` ${item.printed.rows.length}`)));
  }
  return h("fieldset", { class: "boxes" }, h("legend", {}, "Show rows marked"), boxes);
}

function chooseTable(slug) {
  state.slug = slug;
  state.head = "";
  state.without.clear();
  state.heat = "";
  remember(`#table=${encodeURIComponent(slug)}`);
  drawAll();
}

function chooseRule(rule) {
  for (const name of ["sort", "rank"]) {
    const key = name === "sort" ? state.sort.key : state.rank;
    const item = column(key);
    if (item && item.rule) name === "sort" ? (state.sort.key = `${item.base}@${rule}`) : (state.rank = `${item.base}@${rule}`);
  }
  state.rule = rule;
  refresh();
}

function sortBy(key) {
  const item = column(key);
  const first = item ? !item.higher : key !== "seeds"; // the best first; texts from A
  state.sort = state.sort.key === key ? { key, up: !state.sort.up } : { key, up: first };
  if (item && item.competes) state.rank = key;
  state.sorted = true;
  drawBoard();
  const order = state.sort.up ? "ascending" : "descending";
  say(`Sorted by ${item ? titleOf(item) : TEXTS[key]}, ${order}`);
  const again = document.querySelector(`#board-table [data-key="${CSS.escape(key)}"] button`);
  if (again) again.focus();
}

function heading(key, title, lines, number) {
  const sortable = key !== "rank" && key !== "marks";
  const now = state.sort.key === key ? (state.sort.up ? "ascending" : "descending") : sortable ? "none" : null;
  const arrow = now === "ascending" ? "\u00a0▲" : now === "descending" ? "\u00a0▼" : "";
  const item = column(key);
  const inner = sortable
    ? button([title, h("span", { "aria-hidden": "true", class: "arrow" }, arrow)], () => sortBy(key), item && definition(item) ? { "aria-describedby": `def-${item.base}` } : {})
    : title;
  const cell = h("th", { scope: "col", "aria-sort": now, "data-key": key, class: number ? "number" : `text ${key}` }, inner);
  return lines ? tipped(cell, lines) : cell;
}

function columnTip(item) {
  const told = definition(item);
  const rule = item.rule ? `@${item.rule}: a label counts as predicted by ${DATA.rules[item.rule]}.` : "";
  return () => [titleOf(item), told && told.formula, told && told.doc, rule, item.competes ? (item.higher ? "Higher is better." : "Lower is better.") : ""];
}

function drawBoard() {
  const item = table();
  byId("board-notes").replaceChildren(...boardNotes(item));
  byId("which").replaceChildren(...whichOne(item));
  byId("board-printed").replaceChildren(...(state.printed && item.printed ? printedTable(item) : []));
  if (isBare()) {
    byId("board-tools").replaceChildren();
    byId("board-table").replaceChildren(h("p", { class: "none" }, `No record of it here: printed numbers alone. Run it: clbench run ${item.scenario}`));
    return;
  }
  const columns = shownColumns();
  const rows = listed();
  const places = ranks(state.rank);
  const top = bests();
  const spread = item.rows.some((row) => row.units.length > 1);
  const ranked = column(state.rank);
  if (!byId("columns-menu")) byId("board-tools").replaceChildren(columnsMenu(), csvButton("leaderboard", boardLines));
  const printed = item.rows.some((row) => row.printed);
  const orders = item.orders.length > 0;
  const width = 6 + columns.length + printed + orders;
  const head = h("tr", {},
    heading("rank", "Rank", () => ["Rank", DATA.rule]),
    heading("strategy", "Strategy"),
    columns.map((one) => heading(one.key, titleOf(one), columnTip(one), true)),
    orders ? tipped(h("th", { scope: "col", class: "number" }, "First"), () => ["First", "In how many class orders no ranked row is better."]) : null,
    printed ? tipped(h("th", { scope: "col", class: "number" }, "Printed"), () => ["Printed", "What a paper prints for the method under this protocol, and what the row has more than that, in points."]) : null,
    heading("head", "Head", () => ["Head", "What turns the backbone's features into one score per label."]),
    heading("seeds", "Seeds", () => ["Seeds", "How many seeds the mean and the spread are over."], true),
    heading("trust", "Trust", () => ["Trust", "unverified: something is wrong with a record. consistent: every number follows from another. re-scored: computed again from the stored scores."]),
    heading("marks", "Marks"));
  const body = h("tbody", {}, rows.flatMap((row) => {
    const line = boardRow(row, columns, { places, top, spread, printed, orders });
    return state.open.has(row.id) ? [line, h("tr", { class: "details", id: `details-${row.id}` }, h("td", { colspan: width }, details(row)))] : [line];
  }));
  if (!rows.length) body.append(h("tr", {}, h("td", { colspan: width, class: "none" }, "No row passes the filters.", " ", button("Clear the filters", clearFilters))));
  const title = `${item.heading}: ${rows.length} of ${item.rows.length} rows, ranked by ${titleOf(ranked)}`;
  const old = document.querySelector("#board-table .scroll");
  const at = old ? old.scrollLeft : 0;
  const scroll = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Leaderboard table" },
    h("table", { class: "board" }, h("caption", {}, title), h("thead", {}, head), body));
  byId("board-table").replaceChildren(scroll);
  scroll.scrollLeft = at;
}

function boardRow(row, columns, { places, top, spread, printed, orders }) {
  const open = state.open.has(row.id);
  const rank = places.get(row.id);
  const name = button(row.strategy, () => toggleRow(row), {
    class: "name", "aria-expanded": open ? "true" : "false", "aria-controls": open ? `details-${row.id}` : null, "data-row": row.id,
  });
  return h("tr", { class: row.bound ? "bound" : null, "data-id": row.id },
    h("td", { class: "rank" }, rank === undefined ? DASH : String(rank)),
    h("th", { scope: "row", class: "strategy" }, tipped(name, () => [row.strategy, row.title, "Press for its configuration and where it comes from."]),
      row.settings ? h("small", { class: "settings" }, unbroken(row.settings)) : null),
    columns.map((item) => {
      const cell = row.cells[item.key];
      const spreads = spread && isShare(item) && table().rows.some((one) => one.cells[item.key] && one.cells[item.key][1] !== null);
      const text = meanText(item, cell);
      const isBest = cell && competes(row) && top.get(item.key) === text;
      const kind = `number${isShare(item) ? " share" : ""}${isBest ? " best" : ""}`;
      return h("td", { class: kind }, isBest ? h("strong", {}, text) : text, spreads && cell ? [" ", h("small", {}, spreadText(item, cell))] : null);
    }),
    orders ? h("td", { class: "number" }, row.first || DASH) : null,
    printed ? h("td", { class: "number" }, row.printed || DASH) : null,
    h("td", {}, row.head),
    tipped(h("td", { class: "number" }, String(row.seeds.length)), () => ["Seeds", row.seeds.join(", "), row.seeds.length === 1 ? "A single seed has no spread; its rank is weak." : ""]),
    row.found.length ? tipped(h("td", { class: "bad" }, row.trust), () => ["What is wrong", ...row.found.slice(0, 4).map(([which, text]) => `${which}: ${text}`), "Press the name for all of it."]) : h("td", {}, row.trust),
    h("td", { class: "marks" }, row.marks.length ? row.marks.map((mark) => tipped(h("span", { class: "mark" }, mark), () => [mark, DATA.marks[mark]])) : DASH));
}

// Settings break between them, and inside one at a mark that joins words, never inside a number nor before it.
function unbroken(text) {
  const parts = text.split(/(?<=, )|(?<=[=_/](?=[A-Za-z{[]))/);
  return parts.flatMap((part, place) => (place ? [h("wbr"), part] : [part]));
}

// Files in which verification found something: at a glance, and what it is.
function wrongNotes() {
  if (!DATA.wrong.length) return [];
  const files = DATA.wrong.length === 1 ? "1 record is" : `${count(DATA.wrong.length)} records are`;
  return [h("details", { class: "notice", id: "wrong-files", open: Boolean(byId("wrong-files")?.open) }, h("summary", {}, h("strong", {}, `${files} unverified. `), "They have no rank. What is wrong:"),
    h("dl", { class: "pairs" }, DATA.wrong.map((one) => h("div", {}, h("dt", {}, one.file), h("dd", {}, wrongList(one.findings), one.shown ? null : h("small", {}, "It cannot be shown."))))))];
}

function boardNotes(item) {
  const found = wrongNotes();
  if (item.standIn) found.push(h("p", { class: "notice" }, h("strong", {}, "Stand-in. "), `These rows ran on the generated pictures “${item.dataset}”, not on the data set of ${item.scenario}.`));
  if (item.apart) found.push(h("p", { class: "notice" }, `Apart from the first table of ${item.scenario}: ${item.apart}.`));
  found.push(h("p", { class: "lead" }, item.title));
  if (isBare()) return found;
  if (item.orders.length) found.push(h("p", { class: "notice" }, `Means over the class orders ${item.orders.join(", ")}; ± is the spread between these orders, after the mean over seeds in each. Whether rankings agree: clbench report orders ${item.scenario}`));
  found.push(h("p", { class: "muted" }, `Pretraining: ${item.track}. mAP and F1 in per cent, forgetting, BWT and gap in points: mean ± sample standard deviation over the ${item.orders.length ? "class orders" : "seeds"}.${isBeginners(column("average_map")) ? " Ranked by last mAP: the stream begins with few labels, and an average over its sessions begins with tests of those alone." : ""}`));
  item.said.forEach((text) => found.push(h("p", { class: "muted" }, text)));
  found.push(scenarioFacts(item));
  return found;
}

function scenarioFacts(item) {
  const lines = item.sessions.map((session, place) => h("tr", {}, h("th", { scope: "row" }, String(place + 1)), h("td", { class: "number" }, count(session.labels)), h("td", { class: "number" }, count(session.train)), h("td", { class: "number" }, count(session.test))));
  return h("details", { class: "facts" }, h("summary", {}, "The scenario and its stream"),
    pairs([["dataset", item.dataset], ["labels table", `${item.data.name}, ${item.data.revision}`], ["protocol", item.protocol], ["scenario digest", item.digest], ["digest of the images shown", item.stream.images], ["digest of the labels shown", item.stream.labels]]),
    h("table", { class: "plain" }, h("caption", {}, "Sessions"), h("thead", {}, h("tr", {}, ["Session", "New labels", "Train images", "Test images (growing)"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, lines)));
}

function printedTable(item) {
  const { headings } = item.printed;
  const rows = item.printed.rows.filter((line) => matches(line.join(" ")));
  const isNumber = (name) => /^(Avg\. mAP|Last mAP|CF1|OF1)/.test(name);
  const head = headings.map((name) => h("th", { scope: "col", class: isNumber(name) ? "number" : null }, name));
  const body = rows.map((line) => h("tr", {}, line.map((text, place) => (place === 0
    ? h("th", { scope: "row", class: "strategy" }, text, " ", h("span", { class: "mark printed-mark" }, "printed"))
    : h("td", { class: isNumber(headings[place]) ? "number" : null }, text)))));
  return [
    h("div", { class: "section-head" }, h("h3", {}, "Printed in papers, not run here"), csvButton(`printed ${item.slug}`, () => [headings, ...rows])),
    h("p", { class: "notice" }, DATA.caution),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Printed numbers" },
      h("table", { class: "board printed" }, h("caption", {}, `${rows.length} of ${item.printed.rows.length} numbers printed for ${item.scenario}, never ranked`), h("thead", {}, h("tr", {}, head)), h("tbody", {}, body))),
  ];
}

// Which number columns are shown; it stays open while boxes are ticked.
function columnsMenu() {
  const bases = new Map(DATA.columns.map((item) => [item.base, item.title]));
  const boxes = [...bases].map(([base, title]) => {
    const box = h("input", { type: "checkbox", value: base, checked: !state.leftOut.has(base), on: { change: () => { box.checked ? state.leftOut.delete(base) : state.leftOut.add(base); drawBoard(); } } });
    return h("label", { class: "box" }, box, title);
  });
  return h("details", { class: "columns-menu", id: "columns-menu", on: { keydown: (event) => { if (event.key === "Escape") { byId("columns-menu").open = false; byId("columns-menu").firstChild.focus(); } } } },
    h("summary", {}, "Columns"), h("fieldset", {}, h("legend", { class: "hidden" }, "Columns"), boxes));
}

function boardLines() {
  const all = DATA.columns.filter((item) => table().rows.some((row) => row.cells[item.key]));
  const places = ranks(state.rank);
  const head = ["scenario", "rank", "strategy", "head", "settings", "seeds", ...all.flatMap((item) => [item.key, `${item.key}_std`]), "trust", "marks", "configuration"];
  return [head, ...listed().map((row) => [
    table().slug, places.get(row.id), row.strategy, row.head, row.settings, row.seeds.join(" "),
    ...all.flatMap((item) => row.cells[item.key] || [null, null]), row.trust, row.marks.join(" "), row.configuration,
  ])];
}

function clearFilters() {
  Object.assign(state, { query: "", head: "" });
  state.without.clear();
  drawAll();
}
