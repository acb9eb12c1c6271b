// The box "Which one?": one row for each need, with what it takes.

const TO_TAKE = ["last_map", "cf1_harmonic", "of1", "stored_bytes", "state_bytes", "train_seconds"];

function whichOne(item) {
  if (!item.choices.length) return [];
  const tuned = item.rows.some((row) => row.cells["of1@tuned"]);
  const rule = tuned ? "tuned" : "0.5";
  const columns = TO_TAKE.map((key) => column(key) || column(`${key}@${rule}`)).filter(Boolean);
  const line = (one) => {
    const row = item.rows[one.row];
    const alike = one.alike.length ? h("small", {}, ` not told apart from ${one.alike.join("; ")}`) : null;
    return h("tr", {},
      h("th", { scope: "row" }, one.need),
      h("td", {}, h("strong", {}, row.name), row.marks.includes("all-photos") ? h("small", {}, " keeps every photo") : null, alike),
      columns.map((each) => h("td", { class: "number", "data-title": titleOf(each) }, meanText(each, row.cells[each.key]))));
  };
  return [h("details", { class: "which", open: true },
    h("summary", {}, "Which one?"),
    h("table", { class: "plain" },
      h("caption", { class: "hidden" }, "What to take"),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "If"), h("th", { scope: "col" }, "take"),
        columns.map((each) => h("th", { scope: "col", class: "number" }, titleOf(each))))),
      h("tbody", {}, item.choices.map(line))),
    h("p", { class: "muted" }, "By the mAP after the last session on all labels; an average over sessions begins with the first labels alone. Of rows without a rank none is taken. ",
      tuned ? "F1 at thresholds that validation images chose, for each label the best for its own F1." : `F1 at one half: ${item.scenario} holds out no validation images to choose a threshold on.`))];
}
