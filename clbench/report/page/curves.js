// The curves of the shown strategies, and the legend that shows and hides them.

const PANELS = [
  ["growing", "mAP, growing test set", "over labels seen so far, %"],
  ["fixed", "mAP, fixed test set", "all test images, labels seen so far, %"],
  ["forgetting", "Forgetting", "best earlier AP minus AP now, points"],
];

function sessionsAxis() {
  let seen = 0;
  return table().sessions.map((session, place) => {
    seen += session.labels;
    return { name: String(place + 1), below: String(seen) };
  });
}

const nameInLegend = (row) => row.name;

function drawLegend() {
  const rows = listed();
  const set = shown();
  const toggle = (row) => {
    if (!set.delete(row.id)) set.add(row.id);
    drawFigures();
    byId("legend").querySelector(`[data-toggle="${CSS.escape(row.id)}"]`)?.focus();
  };
  const choose = (chosen) => { state.shown[table().slug] = new Set(chosen.map((row) => row.id)); drawFigures(); };
  byId("legend").replaceChildren(
    h("div", { class: "tools", role: "group", "aria-label": "Which strategies are drawn" },
      button(`Best ${MOST_LINES}`, () => choose(best(table().rows)), { class: "quiet" }), button("All", () => choose(table().rows), { class: "quiet" }), button("None", () => choose([]), { class: "quiet" }),
      h("span", { class: "muted" }, `${drawn().length} of ${rows.length} drawn`)),
    h("ul", { class: "legend" }, rows.map((row) => h("li", {}, h("button", {
      type: "button", "aria-pressed": set.has(row.id) ? "true" : "false", "data-toggle": row.id, on: { click: () => toggle(row) },
    }, swatch(row.look, row.bound), nameInLegend(row), row.bound ? h("small", {}, " upper bound") : null)))));
}

function drawCurves() {
  const xs = sessionsAxis();
  const rows = drawn();
  byId("panels").replaceChildren(...PANELS.filter(([kind]) => kind !== "forgetting" || xs.length > 1).map(([kind, title, note]) => lineChart({
    name: `${kind} ${table().slug}`, title, note, xs, shares: kind !== "forgetting",
    lines: rows.filter((row) => row.curves[kind]).map((row) => ({
      id: row.id, name: nameInLegend(row), look: row.look, mean: row.curves[kind][0], std: row.curves[kind][1], seeds: row.units.length, reference: row.static && xs.length > 1,
    })),
  })));
}

const GROUPS = [
  ["base", "mAP of the base labels", "labels of the first session, growing test set, %"],
  ["new", "mAP of the new labels", "labels of the session that just ended, growing test set, %"],
];
const DECIDED = [
  ["CP", "CP over the threshold", "mean precision of the labels, after the last session, %"],
  ["CR", "CR over the threshold", "mean recall of the labels, after the last session, %"],
  ["CF1", "CF1 over the threshold", "harmonic mean of CP and CR, after the last session, %"],
];
const THRESHOLDS = { below: "threshold on probabilities", many: "thresholds", one: "a threshold", head: "Threshold", columns: ["threshold"], tell: (item) => `at threshold ${item.name}` };

const hasCurve = (kind) => table().rows.some((row) => row.curves[kind]);

function panelOf([kind, title, note], xs, axis) {
  const lines = drawn().filter((row) => row.curves[kind] && row.curves[kind][0].some((value) => value !== null)).map((row) => ({
    id: row.id, name: nameInLegend(row), look: row.look, mean: row.curves[kind][0], std: row.curves[kind][1], seeds: row.units.length, reference: false,
  }));
  return lineChart({ name: `${kind} ${table().slug}`, title, note, xs, lines, axis, shares: true, emptyText: "No strategy that is shown has these numbers." });
}

const panelsOf = (panels, xs, axis) => panels.filter(([kind]) => hasCurve(kind)).map((panel) => panelOf(panel, xs, axis));

function drawGroups() {
  byId("groups").querySelector(".panels").replaceChildren(...panelsOf(GROUPS, sessionsAxis(), SESSIONS));
}

function drawThresholds() {
  const xs = DATA.thresholds.map((value) => ({ name: String(value), below: "" }));
  byId("thresholds").querySelector(".panels").replaceChildren(...panelsOf(DECIDED, xs, THRESHOLDS));
}

function drawFigures() {
  if (isBare()) return;
  drawLegend();
  drawCurves();
  later("groups", "thresholds", "tradeoffs");
  drawLabel();
}
