// Average precision label by label: one label over all strategies, and the whole matrix of one strategy.

const SETS = { fixed: "all test images", growing: "growing test set" };
const MOST_FORGOTTEN = 12;
const SMALL_GROUP = 45; // labels of a session that stay together in one column

let mapped = {};
const share = (value) => (value === undefined || value === null ? null : value / 10000);

function heatRow() {
  const rows = listed();
  return rows.find((row) => row.id === state.heat) || rows.find((row) => !row.bound) || rows[0];
}

function drawLabelControls() {
  if (!hasLabels()) return;
  const row = heatRow();
  const { names } = labelsOf(table());
  const input = h("input", { type: "search", id: "label", list: "label-names", autocomplete: "off" });
  const take = () => {
    const typed = input.value.trim().toLowerCase();
    const found = names.find((name) => name.toLowerCase() === typed) || (typed && names.find((name) => name.toLowerCase().includes(typed)));
    if (found && found !== state.label) showLabel(found);
  };
  input.addEventListener("change", take);
  input.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); take(); } });
  const step = (by) => showLabel(names[(names.indexOf(state.label) + by + names.length) % names.length]);
  const sets = h("fieldset", { class: "boxes" }, h("legend", {}, "Test set"), Object.entries(SETS).map(([key, title]) => h("label", { class: "box" },
    h("input", { type: "radio", name: "test-set", value: key, checked: state.testSet === key, on: { change: () => { state.testSet = key; drawLabel(); drawHeat(); } } }), title)));
  byId("label-controls").replaceChildren(
    h("label", { class: "field" }, h("span", {}, "Label"), input), h("datalist", { id: "label-names" }, names.map((name) => h("option", { value: name }))),
    h("span", { class: "tools" }, button("Previous", () => step(-1), { class: "quiet" }), button("Next", () => step(1), { class: "quiet" })),
    row ? choice("Strategy of the map", listed().map((other) => [other.id, nameInLegend(other)]), row.id, (id) => { state.heat = id; drawLabel(); drawHeat(); }, { id: "heat-row" }) : "", sets);
}

function showLabel(name, { scroll = false } = {}) {
  state.label = name;
  drawLabel();
  const { names, learned } = labelsOf(table());
  say(`${name}: learned in session ${learned[names.indexOf(name)] + 1}`);
  if (scroll) {
    byId("label-controls").scrollIntoView({ block: "start" });
    byId("label").focus({ preventScroll: true });
  }
}

function drawLabel() {
  if (!hasLabels()) return;
  const item = table();
  const { names, learned } = labelsOf(item);
  if (!names.includes(state.label)) state.label = names[0];
  const input = byId("label");
  if (input) input.value = state.label;
  const place = names.indexOf(state.label);
  const positives = item.positives[place];
  const facts = `learned in session ${learned[place] + 1}${positives === null ? "" : `, in ${count(positives)} test images`}`;
  const lines = drawn().map((row) => labelLine(row, state.label)).filter(Boolean);
  byId("one-label").replaceChildren(
    lineChart({ name: `label ${state.label} ${item.slug}`, title: `AP of “${state.label}”`, note: `${facts}; ${SETS[state.testSet]}, %, mean over seeds`, xs: sessionsAxis(), lines, shares: true }),
    mostForgotten(heatRow()));
}

function labelLine(row, name) {
  const k = labelsOf(row).names.indexOf(name);
  const mean = row.ap[state.testSet].map((line) => (k < 0 ? null : share(line[k])));
  if (mean.every((value) => value === null)) return null;
  const reference = row.static && table().sessions.length > 1;
  return { id: row.id, name: nameInLegend(row), look: row.look, mean, std: mean.map(() => null), seeds: row.seeds.length, reference };
}

// Best earlier AP minus last AP on the fixed test set, per label learned before the last session.
function mostForgotten(row) {
  if (!row || row.ap.fixed.length < 2) return "";
  const last = row.ap.fixed[row.ap.fixed.length - 1];
  const earlier = row.ap.fixed.slice(0, -1);
  const lost = labelsOf(row).names.map((name, k) => {
    const before = earlier.map((line) => share(line[k])).filter((value) => value !== null);
    return { name, amount: before.length && share(last[k]) !== null ? Math.max(...before) - share(last[k]) : null };
  }).filter((item) => item.amount !== null && item.amount > 0).sort((a, b) => b.amount - a.amount).slice(0, MOST_FORGOTTEN);
  if (!lost.length) return "";
  const most = Math.max(...lost.map((item) => item.amount), 1e-9);
  return h("div", { class: "forgot" }, h("h3", {}, `What ${nameInLegend(row)} forgot most`),
    h("p", { class: "muted" }, "Best earlier AP minus last AP, all test images, points"),
    h("ol", {}, lost.map((item) => h("li", {}, button(item.name, () => showLabel(item.name), { class: "name", title: item.name }),
      h("span", { class: "amount" }, h("i", { vars: { "--v": Math.max(0, item.amount / most).toFixed(3) } }), fixed(item.amount, state.digits))))));
}

function drawHeat() {
  if (!hasLabels()) return;
  const row = heatRow();
  if (row === mapped.row && state.testSet === mapped.testSet) return; // hundreds of cells that have not changed
  mapped = { row, testSet: state.testSet };
  if (!row) { byId("heat").replaceChildren(); return; }
  const { names, learned } = labelsOf(row);
  const matrix = row.ap[state.testSet];
  const lines = () => [["label", "learned", ...matrix.map((_, i) => `after_${i + 1}`)], ...names.map((name, k) => [name, learned[k] + 1, ...matrix.map((line) => share(line[k]))])];
  const head = h("thead", {}, h("tr", {}, h("th", { scope: "col" }, h("span", { class: "hidden" }, "Label")), matrix.map((_, i) => h("th", { scope: "col", "aria-label": `after session ${i + 1}` }, String(i + 1)))));
  const groups = [...new Set(learned)].map((session) => {
    const places = names.map((_, k) => k).filter((k) => learned[k] === session);
    return h("table", { class: places.length <= SMALL_GROUP ? "whole" : null },
      h("caption", {}, `Learned in session ${session + 1} `, h("small", {}, `${places.length} labels`)),
      head.cloneNode(true),
      h("tbody", {}, places.map((k) => h("tr", {},
        h("th", { scope: "row" }, button(names[k], () => showLabel(names[k], { scroll: true }), { class: "name", title: names[k] })), matrix.map((line) => heatCell(line[k]))))));
  });
  byId("heat").replaceChildren(
    h("div", { class: "section-head" }, h("h3", {}, `AP of every label after every session: ${nameInLegend(row)}`), h("div", { class: "tools" }, heatScale(), csvButton(`AP ${row.strategy} ${table().slug}`, lines))),
    h("p", { class: "muted" }, `${SETS[state.testSet]}, per cent, mean over ${row.seeds.length === 1 ? "one seed" : `${row.seeds.length} seeds`}. Columns are sessions. Press a label for its curve.`),
    h("div", { class: "heat", vars: { "--sessions": String(matrix.length) } }, groups));
}

function heatCell(value) {
  if (value === undefined) return h("td", { class: "unseen" }, h("span", { class: "hidden" }, "not learned yet"));
  if (value === null) return h("td", { class: "undefined", title: "no positive image, so no AP" }, DASH);
  const percent = value / 100;
  return h("td", { vars: { "--v": percent.toFixed(1) }, title: percent.toFixed(2) }, percent.toFixed(0));
}

function heatScale() {
  return h("span", { class: "scale", "aria-hidden": "true" }, "0", [0, 20, 40, 60, 80, 100].map((value) => h("i", { vars: { "--v": String(value) } })), "100");
}
