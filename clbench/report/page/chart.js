// A line chart with seed bands: values on hover, with arrow keys, and as a table.

const MARKERS = {
  o: (r) => `M${-r},0A${r},${r} 0 1,0 ${r},0A${r},${r} 0 1,0 ${-r},0Z`,
  s: (r) => `M${-r},${-r}H${r}V${r}H${-r}Z`,
  "^": (r) => `M0,${-r}L${r},${r}H${-r}Z`,
  v: (r) => `M0,${r}L${r},${-r}H${-r}Z`,
  "<": (r) => `M${-r},0L${r},${-r}V${r}Z`,
  ">": (r) => `M${r},0L${-r},${-r}V${r}Z`,
  D: (r) => `M0,${-1.25 * r}L${1.25 * r},0L0,${1.25 * r}L${-1.25 * r},0Z`,
  P: (r) => { const t = r / 2.6; return `M${-t},${-r}H${t}V${-t}H${r}V${t}H${t}V${r}H${-t}V${t}H${-r}V${-t}H${-t}Z`; },
  X: (r) => { const t = r * 0.8; return `M${-t},${-r}L0,${-0.35 * r}L${t},${-r}L${r},${-t}L${0.35 * r},0L${r},${t}L${t},${r}L0,${0.35 * r}L${-t},${r}L${-r},${t}L${-0.35 * r},0L${-r},${-t}Z`; },
  p: (r) => `M0,${-1.1 * r}L${r},${-0.3 * r}L${0.65 * r},${r}H${-0.65 * r}L${-r},${-0.3 * r}Z`,
};

const MOST_NAMES = 12;
const NAME_GAP = 11.5;
const LETTER = 6.7; // pixels of a letter of a name, a little more than most need

const marker = (look, x, y, r) => s("path", { class: "marker", d: MARKERS[look[1]](r), transform: `translate(${x.toFixed(1)},${y.toFixed(1)})` });
const dashes = (look) => look[2].map((length) => (length * 1.8).toFixed(1)).join(" ") || null;

function swatch(look, reference) {
  return s("svg", { class: reference ? "swatch reference" : "swatch", viewBox: "0 0 34 12", "aria-hidden": "true", vars: { "--c": look[0] } },
    s("path", { class: "stroke", d: "M1,6H33", "stroke-dasharray": dashes(look) }), marker(look, 17, 6, 3.6));
}

// Round numbers that span low to high.
function ticks(low, high, wanted) {
  const rough = (high - low || 1) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const found = [];
  for (let k = Math.floor(low / step); k * step < high + step - 1e-9; k += 1) found.push(k * step);
  return found;
}

// Stretches of a line in which every value is there.
function stretches(points) {
  const found = [[]];
  for (const point of points) point ? found[found.length - 1].push(point) : found.push([]);
  return found.filter((stretch) => stretch.length);
}

const at = (point) => `${point.x.toFixed(1)},${point.y.toFixed(1)}`;

const widths = new Map();

const SESSIONS = {
  below: "session, labels seen below", many: "sessions", one: "a session", head: "After session", columns: ["session", "labels_seen"],
  tell: (item) => `after session ${item.name}, ${item.below} labels`,
};

// lines: [{id, name, look, mean, std, seeds, reference}], fractions per x; xs: [{name, below}], by default sessions
// With `shares` the numbers are parts of a whole: no axis and no band leaves 0 to 100 per cent.
function lineChart({ name, title, note, xs, lines, emptyText, axis = SESSIONS, shares = false }) {
  const figure = h("figure", { class: "chart" });
  const box = h("div", { class: "canvas" });
  const tip = h("div", { class: "chart-tip", hidden: true, "aria-hidden": "true" });
  const numbers = h("details", { class: "facts" }, h("summary", {}, "Numbers"));
  numbers.addEventListener("toggle", () => { if (numbers.open && numbers.children.length === 1) numbers.append(numbersTable(title, xs, lines, axis)); });
  figure.append(h("figcaption", {}, h("strong", {}, title), csvButton(name, () => chartLines(xs, lines, axis)), h("span", { class: "muted" }, note)), box, tip, numbers);
  if (!lines.length) {
    box.append(h("p", { class: "none" }, emptyText || "No strategy is shown. Choose some in the legend above."));
    return figure;
  }
  drawnAsWide(box, name, (width) => plot({ title, xs, lines, width, tip, figure, axis, shares }));
  return figure;
}

// what `drawing` makes for a width stands in the box, and is made anew when the box has another
function drawnAsWide(box, name, drawing) {
  const kind = name.split(" ")[0];
  let width = 0;
  const draw = () => {
    // not in the page yet: as wide as the one before, so that nothing moves under the pointer
    const now = Math.max(260, Math.round(box.clientWidth) || widths.get(kind) || 420);
    if (now === width) return;
    width = now;
    widths.set(kind, width);
    box.replaceChildren(drawing(width));
  };
  new ResizeObserver(draw).observe(box);
  draw();
}

function plot({ title, xs, lines, width, tip, figure, axis, shares }) {
  const within = (value) => (shares ? Math.min(1, Math.max(0, value)) : value);
  const height = Math.round(Math.min(320, Math.max(230, width * 0.62)));
  const named = width >= 340 && lines.length <= MOST_NAMES + 4;
  const longest = Math.max(...lines.map((line) => line.name.length));
  const [left, right, top, bottom] = [40, named ? Math.min(width >= 420 ? 124 : 94, 14 + LETTER * longest) : 14, 10, 42];
  const values = lines.flatMap((line) => line.mean.flatMap((mean, i) => (mean === null ? [] : [100 * within(mean - (line.std[i] || 0)), 100 * within(mean + (line.std[i] || 0))])));
  const marks = ticks(Math.min(...values), Math.max(...values), 5);
  const [low, high] = [marks[0], marks[marks.length - 1]];
  const inner = width - left - right;
  const x = (i) => left + (xs.length === 1 ? inner / 2 : (inner * (i + 0.15)) / (xs.length - 0.7));
  const y = (value) => top + (height - top - bottom) * (1 - (100 * value - low) / (high - low || 1));
  const svg = s("svg", {
    viewBox: `0 0 ${width} ${height}`, role: "group", tabindex: "0", "aria-roledescription": "line chart",
    "aria-label": `${title}: ${lines.length} lines over ${xs.length} ${axis.many}. Left and right choose ${axis.one}, up and down a line.`,
  });
  for (const mark of marks) {
    const at = y(mark / 100);
    svg.append(s("line", { class: "grid", x1: left, x2: width - right, y1: at, y2: at }), s("text", { class: "tick", x: left - 6, y: at + 3.5, "text-anchor": "end" }, String(Number(mark.toFixed(6)))));
  }
  const every = Math.ceil(xs.length / Math.max(2, Math.floor(inner / 30)));
  xs.forEach((item, i) => {
    if (i % every) return;
    svg.append(s("text", { class: "tick", x: x(i), y: height - bottom + 15, "text-anchor": "middle" }, item.name), s("text", { class: "tick faint", x: x(i), y: height - bottom + 28, "text-anchor": "middle" }, item.below));
  });
  svg.append(s("text", { class: "tick", x: left + inner / 2, y: height - 2, "text-anchor": "middle" }, axis.below));
  const points = [];
  for (const line of lines) {
    const group = s("g", { class: line.reference ? "line reference" : "line", "data-line": line.id, vars: { "--c": line.look[0] } });
    if (line.reference && xs.length > 1) {
      const value = y(line.mean[0]);
      group.append(s("path", { class: "stroke", d: `M${left},${value}H${width - right}`, "stroke-dasharray": "2 3" }));
      xs.forEach((_, i) => points.push({ x: x(i), y: value, line, session: i, mean: line.mean[0], std: line.std[0] }));
    } else {
      const own = line.mean.map((mean, i) => (mean === null ? null : { x: x(i), y: y(mean), line, session: i, mean, std: line.std[i] }));
      for (const stretch of stretches(own.map((point) => (point && point.std !== null ? point : null)))) {
        const upper = stretch.map((point) => at({ x: point.x, y: y(within(point.mean + point.std)) }));
        const lower = stretch.map((point) => at({ x: point.x, y: y(within(point.mean - point.std)) })).reverse();
        group.append(s("path", { class: "band", d: `M${[...upper, ...lower].join("L")}Z` }));
      }
      for (const stretch of stretches(own)) {
        group.append(s("path", { class: "stroke", d: `M${stretch.map(at).join("L")}`, "stroke-dasharray": dashes(line.look) }));
        stretch.forEach((point) => { group.append(marker(line.look, point.x, point.y, 3.4)); points.push(point); });
      }
    }
    svg.append(group);
  }
  if (named) svg.append(...lineNames(points, { right: width - right, letters: Math.floor((right - 8) / LETTER), top, bottom: height - bottom }));
  const halo = s("circle", { class: "halo", r: 6.5, hidden: true });
  svg.append(halo);
  inspect({ svg, points, halo, tip, figure, width, tell: (point) => pointText(point, xs, axis) });
  return svg;
}

// A name of so many letters, cut before its end, where what sets alike names apart stands.
function shortened(name, letters) {
  const tail = Math.ceil(letters / 2);
  return name.length > letters ? `${name.slice(0, letters - tail - 1)}…${name.slice(-tail)}` : name;
}

// Names at the ends of lines, pushed apart where they would cover each other.
function lineNames(points, { right, letters, top, bottom }) {
  const ends = new Map();
  for (const point of points) ends.set(point.line.id, point);
  const placed = [...ends.values()].sort((a, b) => a.y - b.y).map((point) => ({ point, y: point.y }));
  placed.forEach((item, i) => { if (i) item.y = Math.max(item.y, placed[i - 1].y + NAME_GAP); });
  for (let i = placed.length - 1; i >= 0; i -= 1) {
    const least = i === placed.length - 1 ? bottom : placed[i + 1].y - NAME_GAP;
    placed[i].y = Math.max(top, Math.min(placed[i].y, least));
  }
  return placed.flatMap(({ point, y }) => [
    s("path", { class: "leader", d: `M${(point.line.reference ? right : point.x + 6).toFixed(1)},${point.y.toFixed(1)}L${right + 4},${y.toFixed(1)}` }),
    s("text", { class: "tick name", x: right + 7, y: y + 3.5 }, shortened(point.line.name, letters)),
  ]);
}

function pointText(point, xs, axis) {
  const spread = point.std === null || point.std === undefined ? "one seed" : `± ${(100 * point.std).toFixed(2)}, ${point.line.seeds} ${table().orders.length ? "class orders" : "seeds"}`;
  return [point.line.name, `${(100 * point.mean).toFixed(2)} ${spread}`, point.line.plain ? "what the other is measured from" : point.line.reference ? "saw everything at once" : axis.tell(xs[point.session])];
}

// The next point for a key: along its own line, or to the next line of the same x.
const alongLines = (points) => (now, step, climb) => {
  if (!now) return points.find((point) => !point.line.reference) || points[0];
  if (step) return points.find((point) => point.line === now.line && point.session === now.session + step) || now;
  const column = points.filter((point) => point.session === now.session).sort((a, b) => a.y - b.y);
  return column[Math.min(column.length - 1, Math.max(0, column.indexOf(now) + climb))];
};

function inspect({ svg, points, halo, tip, figure, width, tell, next = alongLines(points) }) {
  let now = null;
  const show = (point) => {
    now = point;
    for (const group of svg.querySelectorAll(".line")) group.classList.toggle("hot", point !== null && group.dataset.line === point.line.id);
    svg.classList.toggle("looking", point !== null);
    halo.toggleAttribute("hidden", point === null);
    tip.hidden = point === null;
    if (!point) return;
    halo.setAttribute("cx", point.x);
    halo.setAttribute("cy", point.y);
    tip.replaceChildren(...tell(point).map((text, place) => h(place ? "span" : "strong", {}, text)));
    const scale = svg.clientWidth / width || 1;
    const [frame, own] = [figure.getBoundingClientRect(), svg.getBoundingClientRect()];
    const x = own.left - frame.left + point.x * scale;
    tip.style.left = `${Math.max(0, Math.min(frame.width - tip.offsetWidth, x + (point.x > width / 2 ? -tip.offsetWidth - 12 : 12)))}px`;
    tip.style.top = `${own.top - frame.top + point.y * scale - tip.offsetHeight / 2}px`;
  };
  svg.addEventListener("pointermove", (event) => {
    const own = svg.getBoundingClientRect();
    const scale = width / own.width;
    const [px, py] = [(event.clientX - own.left) * scale, (event.clientY - own.top) * scale];
    let nearest = null;
    let least = 40 ** 2;
    for (const point of points) {
      const distance = (point.x - px) ** 2 + (point.y - py) ** 2;
      if (distance < least) [nearest, least] = [point, distance];
    }
    if (nearest !== now) show(nearest);
  });
  svg.addEventListener("pointerleave", () => show(null));
  svg.addEventListener("blur", () => show(null));
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const climb = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.key === "Escape") return show(null);
    if (!step && !climb) return undefined;
    event.preventDefault();
    const chosen = next(now, step, climb);
    show(chosen);
    say(tell(chosen).join(", "));
    return undefined;
  });
}

function chartLines(xs, lines, axis) {
  return [["configuration", ...axis.columns, "mean", "std", "seeds"], ...lines.flatMap((line) => line.mean.map((mean, i) => {
    const x = xs[line.reference ? xs.length - 1 : i];
    return [line.name, ...[x.name, x.below].slice(0, axis.columns.length), mean, line.std[i], line.seeds];
  }))];
}

function numbersTable(title, xs, lines, axis) {
  const body = lines.map((line) => h("tr", {}, h("th", { scope: "row" }, line.name), xs.map((_, i) => {
    const mean = line.reference ? (i === xs.length - 1 ? line.mean[0] : null) : line.mean[i];
    return h("td", { class: "number" }, mean === null || mean === undefined ? DASH : fixed(mean, state.digits));
  })));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, h("table", { class: "plain" },
    h("caption", { class: "hidden" }, title), h("thead", {}, h("tr", {}, h("th", { scope: "col" }, axis.head), xs.map((item) => h("th", { scope: "col" }, item.name)))), h("tbody", {}, body)));
}
