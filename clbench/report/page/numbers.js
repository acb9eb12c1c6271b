// How numbers are printed, and how they leave the page as CSV.

const DASH = "–";
const scaled = (value, units) => {
  const [size, name] = units.find(([least]) => value >= least) || units[units.length - 1];
  const number = size >= 1 ? value / size : value;
  const text = number < 100 && (size > 1 || number < 10) ? number.toFixed(1) : number.toFixed(0);
  return name ? `${text} ${name}` : text;
};
const fixed = (value, digits) => {
  const text = (100 * value).toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text;
};
const count = (value) => Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
const UNITS = {
  percent: fixed,
  points: fixed,
  count,
  bytes: (value) => (value === 0 ? "0" : scaled(value, [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]])),
  parameters: (value) => (value === 0 ? "0" : scaled(value, [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]])),
  passes: (value) => Number(value.toPrecision(3)).toString(),
  seconds: (value) => scaled(value, [[86400, "d"], [3600, "h"], [60, "min"], [1e-9, "s"]]),
};

const isShare = (column) => column.unit === "percent" || column.unit === "points";
const meanText = (column, cell) => (cell ? UNITS[column.unit](cell[0], state.digits) : DASH);
const spreadText = (column, cell) => (cell && cell[1] !== null && isShare(column) ? `± ${fixed(cell[1], state.digits)}` : "");

function csvText(lines) {
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    let text = String(value);
    // a spreadsheet would run these as a formula
    if (/^[=+\-@\t]/.test(text)) text = `'${text}`;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return lines.map((line) => line.map(cell).join(",") + "\n").join("");
}

function csvButton(name, lines) {
  const save = () => {
    const address = URL.createObjectURL(new Blob([csvText(lines())], { type: "text/csv" }));
    const link = h("a", { href: address, download: `${name.replace(/[^\w.-]+/g, "-")}.csv` });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  };
  return button("CSV", save, { class: "quiet", "aria-label": `Download the numbers of ${name} as CSV` });
}
