// What lies behind a row: its configuration, its seeds, its costs, and where every number comes from.

const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const rowAddress = (row) => `#row=${encodeURIComponent(row.id).replaceAll("%2F", "/")}`;

function pairs(items) {
  return h("dl", { class: "pairs" }, items.filter(([, value]) => value !== "" && value !== null && value !== undefined).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, plain(value)))));
}

function toggleRow(row, { focus = true } = {}) {
  if (state.open.delete(row.id)) {
    if (location.hash === rowAddress(row)) remember(`#table=${encodeURIComponent(state.slug)}`);
  } else {
    state.open.add(row.id);
    remember(rowAddress(row));
  }
  hideTip();
  drawBoard();
  if (focus) quietly(rowButton(row.id));
}

const rowButton = (id) => document.querySelector(`[data-row="${CSS.escape(id)}"]`);

function details(row) {
  const part = (title, ...content) => h("section", {}, h("h4", {}, title), content);
  const recipe = Object.entries(pooled(row.train));
  const fields = Object.entries(pooled(row.fields));
  const method = Object.entries(pooled(row.method));
  return h("div", { class: "behind" },
    h("p", { class: "lead" }, row.title),
    h("p", { class: "actions" }, h("a", { href: rowAddress(row), class: "permalink" }, "Link to this row"), button("Compare with another row", () => compareWith(row), { class: "quiet" }), button("Close", () => toggleRow(row), { class: "quiet" })),
    row.found.length ? part("What is wrong", wrongList(row.found.map(([which, text]) => `${which}: ${text}`))) : null,
    row.marks.length ? part("Marks", h("dl", { class: "pairs" }, row.marks.map((mark) => h("div", {}, h("dt", {}, h("span", { class: "mark" }, mark)), h("dd", {}, DATA.marks[mark]))))) : null,
    method.length ? part("Method", pairs(method)) : null,
    h("div", { class: "side" }, part(table().orders.length ? "Class orders" : "Seeds", seedTable(row)), part("Cost of each session", costTable(row))),
    h("div", { class: "columns" },
      part("Strategy", settings(fields, row.ownChanges, "not the default")),
      part("Recipe", settings(recipe, row.changed.map((name) => name.replace(/^train\./, "")), "unlike most rows")),
      part("Origin", pairs([
        ["trust", row.trust], ["strategy", row.origin], ["file sha256", row.sha256], ["configuration", row.configuration],
        ["protocol", table().protocol], ["code", row.code.join("; ")], ...Object.entries(pooled(row.environment)), ...Object.entries(pooled(row.notes)),
        ["images shown", row.stream.images], ["labels shown", row.stream.labels],
      ]))));
}

const wrongList = (texts) => h("ul", { class: "wrong" }, texts.map((text) => h("li", {}, text)));

function settings(items, changed, meaning) {
  return h("dl", { class: "pairs" }, items.map(([name, value]) => h("div", { class: changed.includes(name) ? "changed" : null },
    h("dt", {}, name), h("dd", {}, plain(value), changed.includes(name) ? h("small", {}, ` (${meaning})`) : null))));
}

function seedTable(row) {
  const columns = numberColumns().filter((item) => row.perSeed[item.key] && isShare(item));
  const body = row.units.map((unit, place) => h("tr", {}, h("th", { scope: "row" }, unit),
    columns.map((item) => h("td", { class: "number" }, UNITS[item.unit](row.perSeed[item.key][place], 2))),
    h("td", { class: "number" }, UNITS.seconds(row.seconds[place])), h("td", {}, row.finished[place].slice(0, 16).replace("T", " ")), h("td", {}, h("code", {}, row.content[place]))));
  const names = [table().orders.length ? "Order" : "Seed", ...columns.map(titleOf), "Time", "Finished (UTC)", "Content"];
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Seeds of ${row.strategy}` },
    h("table", { class: "plain" }, h("caption", { class: "hidden" }, "Every seed"), h("thead", {}, h("tr", {}, names.map((name, place) => h("th", { scope: "col", class: place && place < names.length - 2 ? "number" : null }, name)))), h("tbody", {}, body)));
}

function costTable(row) {
  const names = [["images_seen", "Images seen"], ["steps", "Steps"], ["parameters", "Parameters"], ["stored_images", "Stored"]];
  const body = pooled(row.costs).map((cost) => h("tr", {}, h("th", { scope: "row" }, String(cost.session + 1)), names.map(([key]) => h("td", { class: "number" }, count(cost[key])))));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Costs of ${row.strategy}` }, h("table", { class: "plain" }, h("caption", { class: "hidden" }, "Cost of each session"), h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Session"), names.map(([, name]) => h("th", { scope: "col", class: "number" }, name)))), h("tbody", {}, body)));
}

// Opens the row that the address names, whatever the filters were.
function followAddress() {
  const [name, value] = location.hash.slice(1).split("=");
  let wanted = "";
  try { wanted = decodeURIComponent(value || ""); } catch { return false; }
  if (name === "table" && tables().some((item) => item.slug === wanted)) {
    if (state.slug !== wanted) { state.slug = wanted; drawAll(); }
    return true;
  }
  if (name !== "row") return false;
  const home = tables().find((item) => item.rows.some((row) => row.id === wanted));
  if (!home) {
    byId("board-notes").prepend(h("p", { class: "notice", role: "alert" }, `There is no row ${wanted} on this page.`));
    return true;
  }
  Object.assign(state, { slug: home.slug, query: "", head: "" });
  state.without.clear();
  state.open.add(wanted);
  drawAll();
  const line = rowButton(wanted);
  line?.closest("tr").scrollIntoView({ block: "center" });
  quietly(line);
  return true;
}

function remember(address) {
  history.replaceState(null, "", address);
}
