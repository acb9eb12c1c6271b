// The page as a whole: first drawing, redrawing, light and dark.

function drawAbout() {
  const rows = tables().reduce((sum, item) => sum + item.rows.length, 0);
  const some = (number, name) => `${count(number)} ${name}${number === 1 ? "" : "s"}`;
  const parts = [`${some(DATA.records, "record")}, ${some(rows, "row")}, ${some(tables().length, "table")}`, DATA.newest ? `newest run ${DATA.newest.slice(0, 10)}` : "", `clbench ${DATA.clbench}`];
  byId("about").textContent = parts.filter(Boolean).join(" · ");
}

function drawDefinitions() {
  const used = new Set(DATA.columns.map((item) => item.base));
  const entry = ([key, told]) => h("div", { id: `def-${key}` }, h("dt", {}, told.title), h("dd", {}, told.formula ? h("code", {}, told.formula) : null, told.formula ? h("br") : null, told.doc));
  const all = Object.entries(DATA.definitions);
  byId("defined").replaceChildren(
    h("p", {}, h("strong", {}, "Ranks. "), DATA.rule),
    h("dl", { class: "defined" }, all.filter(([key]) => used.has(key)).map(entry)),
    h("details", { class: "facts" }, h("summary", {}, "Other metrics"), h("dl", { class: "defined" }, all.filter(([key]) => !used.has(key)).map(entry))),
    h("h3", {}, "Marks"),
    h("dl", { class: "defined" }, Object.entries(DATA.marks).map(([mark, meaning]) => h("div", {}, h("dt", {}, h("span", { class: "mark" }, mark)), h("dd", {}, meaning)))));
}

// Links at the top lead to parts that are shown.
function drawLinks() {
  for (const link of document.querySelectorAll('nav a[href^="#"]')) link.hidden = byId(link.hash.slice(1)).hidden;
}

// What the filters change.
function refresh() {
  drawBoard();
  drawLabelControls();
  drawFigures();
  later("heads", "compare");
  drawHeat();
  drawGallery();
}

function drawAll() {
  const empty = !tables().length;
  byId("choose").hidden = empty;
  for (const id of ["curves", "tradeoffs", "groups", "thresholds", "heads", "compare"]) byId(id).hidden = empty || isBare();
  byId("labels").hidden = empty || !hasLabels();
  drawAbout();
  drawDefinitions();
  if (empty) {
    byId("board-notes").replaceChildren(...wrongNotes(), h("p", { class: "none" }, "There are no finished runs yet."));
    return;
  }
  state.slug = table().slug;
  sortAsTable();
  drawControls();
  refresh();
}

const THEMES = { auto: "light dark", light: "light", dark: "dark" };

function kept(value) {
  try {
    if (value) localStorage.setItem("clbench-theme", value);
    return localStorage.getItem("clbench-theme");
  } catch {
    return value || null; // storage may be forbidden; the choice then lasts as long as the page
  }
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  document.querySelector('meta[name="color-scheme"]').content = THEMES[name];
  byId("theme").textContent = `Theme: ${name}`;
}

byId("theme").addEventListener("click", () => {
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length];
  kept(next);
  setTheme(next);
  say(`Theme ${next}`);
});
byId("choose").addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", followAddress);
new MutationObserver(drawLinks).observe(document.querySelector("main"), { attributes: true, attributeFilter: ["hidden"], subtree: true });

setTheme(THEMES[kept()] ? kept() : "auto");
drawAll();
followAddress();
drawLinks();
if (LIVE) ask();
