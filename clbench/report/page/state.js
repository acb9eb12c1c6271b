// What the reader has chosen, and which rows that leaves.

const MOST_LINES = 10;
let DATA = JSON.parse(byId("data").textContent);

const state = {
  slug: "",
  sort: { key: "average_map", up: false },
  sorted: false, // whether the reader chose the order
  rank: "average_map",
  rule: "0.5",
  digits: 1,
  query: "",
  head: "",
  without: new Set(), // marks whose rows are hidden; "" stands for rows without a mark
  printed: true,
  leftOut: new Set(["stored_bytes", "score_cost"]), // columns that are not shown
  open: new Set(),
  shown: {}, // per table: the rows drawn in figures
  heat: "",
  testSet: "fixed",
  label: "",
  running: new Set(), // slugs of tables whose runs go on now
  pair: ["", ""], // ids of the two rows that are compared
};

const tables = () => DATA.tables;
const table = () => tables().find((item) => item.slug === state.slug) || tables()[0];
const isBare = () => !table().rows.length; // numbers from papers alone
// In each of several orders a label comes in another session: what is drawn of labels is of one order.
const hasLabels = () => !isBare() && !table().orders.length;
const pooled = (place) => DATA.pool[place];
const labelsOf = (owner) => pooled(owner.labels);
const column = (key) => DATA.columns.find((item) => item.key === key);

// The number columns of the present rule that any row of the table has, and those of them that are shown.
function numberColumns() {
  const rows = table() ? table().rows : [];
  return DATA.columns.filter((item) => (!item.rule || item.rule === state.rule) && rows.some((row) => row.cells[item.key]));
}

const shownColumns = () => numberColumns().filter((item) => !state.leftOut.has(item.base));

const titleOf = (item) => (item.rule ? `${item.title} @${item.rule}` : item.title);
const definition = (item) => DATA.definitions[item.base];

function passes(row) {
  if (state.head && row.head !== state.head) return false;
  const marks = row.marks.length ? row.marks : [""];
  if (marks.some((mark) => state.without.has(mark))) return false;
  return matches(`${row.strategy} ${row.title} ${row.head} ${row.settings} ${row.marks.join(" ")}`);
}

function matches(text) {
  const words = state.query.toLowerCase().split(/\s+/).filter(Boolean);
  return words.every((word) => text.toLowerCase().includes(word));
}

const better = (item) => (item && !item.higher ? 1 : -1);

// Bounds and rows in which verification found something wrong have no rank and are never the best.
const competes = (row) => !row.bound && !row.wrong;

// Rows by the chosen column; wrong ones stand below in every order, above them rows without the value; ties keep their order.
function sorted(rows) {
  const { key, up } = state.sort;
  const item = column(key);
  const value = (row) => (item ? (row.cells[key] ? row.cells[key][0] : null) : key === "seeds" ? row.seeds.length : row[key]);
  const sign = up ? 1 : -1;
  return [...rows].sort((a, b) => {
    if (a.wrong !== b.wrong) return a.wrong - b.wrong;
    const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
  });
}

// The rule printed below the table: a row shares the rank of the row that opened it when their intervals overlap.
function ranks(key) {
  const item = column(key);
  const found = new Map();
  const known = table().rows.filter((row) => competes(row) && row.cells[key]);
  known.sort((a, b) => better(item) * (a.cells[key][0] - b.cells[key][0]));
  let opener = null;
  known.forEach((row, place) => {
    const [mean, std] = row.cells[key];
    const interval = [mean - (std || 0), mean + (std || 0)];
    if (!opener || interval[0] > opener.high || interval[1] < opener.low) {
      opener = { low: interval[0], high: interval[1], rank: place + 1 };
    }
    found.set(row.id, opener.rank);
  });
  return found;
}

// Where a stream begins with few labels, an average over its test sets flatters whoever forgets: none is best in it.
const isBeginners = (item) => item.key === "average_map" && table().sort !== "average_map";

// A table comes in its own order until the reader chooses one.
function sortAsTable() {
  const chosen = state.sorted && column(state.sort.key);
  if (chosen) return;
  state.rank = table().sort;
  if (!state.sorted || !TEXTS[state.sort.key]) state.sort = { key: table().sort, up: !column(table().sort).higher };
}

// The best value of each column that competes, as printed: values that print alike are best together.
function bests() {
  const found = new Map();
  for (const item of numberColumns()) {
    const cells = table().rows.filter((row) => competes(row) && row.cells[item.key]).map((row) => row.cells[item.key]);
    if (!item.competes || cells.length < 2 || isBeginners(item)) continue;
    const means = cells.map((cell) => cell[0]);
    found.set(item.key, UNITS[item.unit](item.higher ? Math.max(...means) : Math.min(...means), state.digits));
  }
  return found;
}

function listed() {
  return sorted(table().rows.filter(passes));
}

function best(rows) {
  const by = column(table().sort);
  const value = (row) => (row.cells[by.key] ? row.cells[by.key][0] : -Infinity);
  const competing = rows.filter(competes).sort((a, b) => value(b) - value(a)).slice(0, MOST_LINES);
  const heads = new Set(competing.map((row) => row.head));
  return [...competing, ...rows.filter((row) => row.bound && (heads.has(row.head) || !competing.length))];
}

function shown() {
  const item = table();
  if (!state.shown[item.slug]) state.shown[item.slug] = new Set(best(item.rows).map((row) => row.id));
  return state.shown[item.slug];
}

const drawn = () => listed().filter((row) => shown().has(row.id));
