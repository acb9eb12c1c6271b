// Pictures kept beside records: where a label looked.

function drawGallery() {
  const rows = listed().filter((row) => row.gallery.length);
  byId("gallery").hidden = !rows.length;
  byId("pictures").replaceChildren(...rows.map((row) => h("section", {},
    h("h3", {}, nameInLegend(row)),
    h("div", { class: "pictures" }, row.gallery.map((picture) => h("figure", {},
      h("img", { src: picture.source, width: picture.width, alt: `Where ${row.strategy} looked: ${picture.caption}, seed ${picture.seed}` }),
      h("figcaption", {}, picture.caption, h("small", {}, ` seed ${picture.seed}`))))))));
}
