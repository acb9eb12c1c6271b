// A chart of points: what a row costs or learns against what it scores, with seed spread in both directions.

const NAME_SPOTS = [[8, 4, "start"], [-8, 4, "end"], [0, -8, "middle"], [0, 16, "middle"]];

// points: [{id, name, look, x, y, bound}] with x, y = [mean, std], as axes count them; across, up: {title, text, log}
function scatterChart({ name, title, note, across, up, points, front }) {
  const figure = h("figure", { class: "chart" });
  const box = h("div", { class: "canvas" });
  const tip = h("div", { class: "chart-tip", hidden: true, "aria-hidden": "true" });
  const lines = () => [["configuration", "x", "x_std", "y", "y_std", "bound"], ...points.map((point) => [point.name, ...point.x, ...point.y, Number(point.bound)])];
  const numbers = h("details", { class: "facts" }, h("summary", {}, "Numbers"), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, h("table", { class: "plain" },
    h("caption", { class: "hidden" }, title),
    h("thead", {}, h("tr", {}, ["Configuration", across.title, up.title].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, points.map((point) => h("tr", {}, h("th", { scope: "row" }, point.name), h("td", { class: "number" }, spreadOf(point.x, across)), h("td", { class: "number" }, spreadOf(point.y, up))))))));
  figure.append(h("figcaption", {}, h("strong", {}, title), csvButton(name, lines), h("span", { class: "muted" }, note)), box, tip, numbers);
  if (!points.length) {
    box.append(h("p", { class: "none" }, "No strategy is shown. Choose some in the legend above."));
    return figure;
  }
  drawnAsWide(box, name, (width) => scatter({ title, across, up, points, front, width, tip, figure }));
  return figure;
}

const spreadOf = ([mean, std], axis) => `${axis.text(mean)}${std === null ? "" : ` ± ${axis.text(std)}`}`;
const ends = ([mean, std]) => [mean - (std || 0), mean + (std || 0)];

// Where a value lies between two pixels, and the values that are written there.
function scaleOf(values, { log }, from, to, wanted) {
  const least = Math.min(...values);
  const most = Math.max(...values);
  if (log) {
    const all = [];
    for (let power = Math.floor(Math.log10(least)) - 1; power <= Math.ceil(Math.log10(most)); power += 1) for (const factor of [1, 2, 5]) all.push(factor * 10 ** power);
    const inside = all.filter((value) => value > least / 1.3 && value < most * 1.3);
    const every = Math.ceil(inside.length / wanted);
    const [low, high] = [Math.log10(least / 1.3), Math.log10(most * 1.3)];
    return { marks: inside.filter((_, place) => place % every === 0), at: (value) => from + ((Math.log10(Math.max(value, least / 1.3)) - low) / (high - low)) * (to - from) };
  }
  const marks = ticks(least, most, wanted);
  const [low, high] = [marks[0], marks[marks.length - 1]];
  return { marks, at: (value) => from + ((value - low) / (high - low || 1)) * (to - from) };
}

function scatter({ title, across, up, points, front, width, tip, figure }) {
  const height = Math.round(Math.min(340, Math.max(240, width * 0.66)));
  const [left, right, top, bottom] = [44, 16, 12, 40];
  const own = across.log ? points.flatMap(({ x }) => [x[0]]) : points.flatMap(({ x }) => ends(x));
  const horizontal = scaleOf(own, across, left + 10, width - right - 10, Math.max(2, Math.floor(width / 75)));
  const vertical = scaleOf(points.flatMap(({ y }) => ends(y)), up, height - bottom, top, 5);
  const svg = s("svg", {
    viewBox: `0 0 ${width} ${height}`, role: "group", tabindex: "0", "aria-roledescription": "chart of points",
    "aria-label": `${title}: ${points.length} points. Left and right choose one along ${across.title}, up and down along ${up.title}.`,
  });
  for (const mark of vertical.marks) {
    const y = vertical.at(mark);
    svg.append(s("line", { class: "grid", x1: left, x2: width - right, y1: y, y2: y }), s("text", { class: "tick", x: left - 6, y: y + 3.5, "text-anchor": "end" }, String(Number(mark.toFixed(6)))));
  }
  for (const mark of horizontal.marks) {
    const x = horizontal.at(mark);
    svg.append(s("line", { class: "grid", x1: x, x2: x, y1: top, y2: height - bottom }), s("text", { class: "tick", x, y: height - bottom + 15, "text-anchor": "middle" }, across.text(mark)));
  }
  svg.append(s("text", { class: "tick", x: left + (width - left - right) / 2, y: height - 4, "text-anchor": "middle" }, across.title));
  const placed = points.map((line) => ({ x: horizontal.at(line.x[0]), y: vertical.at(line.y[0]), line }));
  if (front) svg.append(s("path", { class: "front", d: frontPath(placed) }));
  for (const { x, y, line } of placed) {
    const group = s("g", { class: line.bound ? "line reference open" : "line", "data-line": line.id, vars: { "--c": line.look[0] } });
    const [[a, b], [c, d]] = [ends(line.x).map(horizontal.at), ends(line.y).map(vertical.at)];
    group.append(s("path", { class: "whisker", d: `M${a.toFixed(1)},${y.toFixed(1)}H${b.toFixed(1)}M${x.toFixed(1)},${c.toFixed(1)}V${d.toFixed(1)}` }), marker(line.look, x, y, 4.4));
    svg.append(group);
  }
  svg.append(...pointNames(placed, { left, right: width - right, top, bottom: height - bottom }));
  const halo = s("circle", { class: "halo", r: 8, hidden: true });
  svg.append(halo);
  const tell = (point) => [point.line.name, `${up.title} ${spreadOf(point.line.y, up)}`, `${across.title} ${spreadOf(point.line.x, across)}`, point.line.bound ? "saw everything at once" : ""].filter(Boolean);
  inspect({ svg, points: placed, halo, tip, figure, width, tell, next: alongAxes(placed) });
  return svg;
}

// Steps over the rows that no other beats in both; bounds beat nobody.
function frontPath(placed) {
  const rising = placed.filter(({ line }) => !line.bound).sort((a, b) => a.x - b.x || a.y - b.y);
  const kept = [];
  for (const point of rising) if (!kept.length || point.y < kept[kept.length - 1].y) kept.push(point);
  return kept.map((point, place) => (place ? `H${point.x.toFixed(1)}V${point.y.toFixed(1)}` : `M${at(point)}`)).join("");
}

// A name beside its point where there is room; others are told under the pointer, by the keys, and in the legend.
function pointNames(placed, { left, right, top, bottom }) {
  const taken = placed.map(({ x, y }) => ({ left: x - 5, right: x + 5, top: y - 5, bottom: y + 5 }));
  const found = [];
  for (const { x, y, line } of [...placed].sort((a, b) => a.line.bound - b.line.bound)) {
    const wide = 6 * line.name.length;
    for (const [dx, dy, anchor] of NAME_SPOTS) {
      const start = x + dx - (anchor === "end" ? wide : anchor === "middle" ? wide / 2 : 0);
      const box = { left: start, right: start + wide, top: y + dy - 10, bottom: y + dy + 2 };
      const free = taken.every((other) => box.right < other.left || box.left > other.right || box.bottom < other.top || box.top > other.bottom);
      if (!free || box.left < left || box.right > right || box.top < top - 8 || box.bottom > bottom) continue;
      taken.push(box);
      found.push(s("text", { class: "tick name", x: x + dx, y: y + dy, "text-anchor": anchor }, line.name));
      break;
    }
  }
  return found;
}

const alongAxes = (placed) => (now, step, climb) => {
  const order = [...placed].sort((a, b) => (step ? a.x - b.x || a.y - b.y : b.y - a.y || a.x - b.x));
  if (!now) return order[0];
  return order[Math.min(order.length - 1, Math.max(0, order.indexOf(now) + (step || -climb)))];
};
