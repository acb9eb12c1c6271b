// What rows pay and give up for what they score: costs, and new labels against old ones.

const BYTES = [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "bytes"]];
const COSTS = {
  stored_images: ["stored images", [[1, ""]]],
  stored_bytes: ["memory", BYTES],
  state_bytes: ["state", BYTES],
  score_cost: ["backbone passes per test image", [[1, ""]]],
  parameters: ["parameters", [[1e9, "billions"], [1e6, "millions"], [1e3, "thousands"], [1, ""]]],
  train_seconds: ["training time", [[3600, "hours"], [60, "minutes"], [1, "seconds"]]],
};
const hundred = (pair) => pair.map((value) => (value === null ? null : 100 * value));
const inPoints = (title) => ({ title, text: (value) => String(Number(value.toFixed(2))) });

const pointOf = (row, x, y) => ({ id: row.id, name: nameInLegend(row), look: row.look, x, y, bound: row.bound });

function costPanel(item, key, score) {
  const cost = column(key);
  const rows = drawn().filter((row) => row.cells[key] && row.cells[score.key]);
  const values = rows.map((row) => row.cells[key][0]);
  if (cost === undefined || new Set(values).size < 2) return null; // the same for every row tells nothing
  const [name, units] = COSTS[key];
  const [size, unit] = units.find(([least]) => Math.max(...values) >= least) || units[units.length - 1];
  const log = Math.min(...values) > 0 && Math.max(...values) > 20 * Math.min(...values);
  const across = { title: unit ? `${name} (${unit})` : name, log, text: (value) => String(Number(value.toPrecision(3))) };
  return scatterChart({
    name: `${key} ${item.slug}`, title: `${titleOf(score)} against ${name}`, note: "the grey steps join rows that no other beats in both",
    across, up: inPoints(titleOf(score)), front: score.higher,
    points: rows.map((row) => pointOf(row, row.cells[key].map((value) => (value === null ? null : value / size)), hundred(row.cells[score.key]))),
  });
}

function drawTradeoffs() {
  const item = table();
  const ranked = column(state.rank);
  const score = ranked && isShare(ranked) ? ranked : column("average_map");
  const rows = drawn().filter((row) => row.tradeoff);
  const kept = item.rows.some((row) => row.tradeoff) ? scatterChart({
    name: `tradeoff ${item.slug}`, title: "New labels learned, old labels kept", note: "up and to the right is better",
    across: inPoints("new labels: AP right after their session, %"), up: inPoints("old labels: change by the end, points"), front: false,
    points: rows.map((row) => pointOf(row, hundred(row.tradeoff[0]), hundred(row.tradeoff[1]))),
  }) : null;
  const panels = [kept, ...Object.keys(COSTS).map((key) => costPanel(item, key, score))].filter(Boolean);
  byId("tradeoff-panels").replaceChildren(...(panels.length ? panels : [h("p", { class: "none" }, "Every row costs the same.")]));
}
