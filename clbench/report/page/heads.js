// Methods that ran with several heads, as `clbench report heads` prints them.

function drawHeads() {
  const found = table().heads;
  const rows = found.rows.filter((line) => matches(line.join(" ")));
  const text = new Set(["Method", "Head", "Features"]);
  const kind = (place) => (text.has(found.headings[place]) ? null : "number");
  const last = found.headings.indexOf("Last mAP");
  let before = "";
  const line = (cells) => {
    const first = cells[0] !== before; // the best head of a method comes first
    before = cells[0];
    return h("tr", { class: first ? "first" : null }, cells.map((value, place) => (place === 0
      ? h("th", { scope: "row", class: "strategy" }, value)
      : h("td", { class: kind(place) }, first && place === last ? h("strong", {}, value) : value))));
  };
  byId("head-table").replaceChildren(
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Heads compared" }, h("table", { class: "board compact" },
      h("caption", {}, "A method's best head by last mAP first. Angles are those between features and classifiers of present labels; speed is beside the linear head on the same machine."),
      h("thead", {}, h("tr", {}, found.headings.map((name, place) => h("th", { scope: "col", class: kind(place) }, name)))), h("tbody", {}, rows.map(line)))));
  byId("heads").querySelector(".tools").replaceChildren(csvButton(`heads ${table().slug}`, () => [found.headings, ...rows]));
}
