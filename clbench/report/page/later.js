// Parts far from what the reader sees are drawn when they come near, so that a press is answered at once.

const NEAR = "700px";
const LATER = {
  groups: [() => table().sessions.length > 1 && GROUPS.some(([kind]) => hasCurve(kind)), drawGroups],
  thresholds: [() => DECIDED.some(([kind]) => hasCurve(kind)), drawThresholds],
  tradeoffs: [() => true, drawTradeoffs],
  heads: [() => Boolean(table().heads), drawHeads],
  compare: [() => table().rows.length > 1, drawCompare],
};

const stale = new Set();
const near = new Set();

function drawNear() {
  for (const id of stale) if (near.has(id)) drawPart(id);
}

function drawPart(id) {
  stale.delete(id);
  LATER[id][1]();
}

// What has changed behind a part; it is drawn now if it is in sight.
function later(...ids) {
  for (const id of ids) {
    byId(id).hidden = !LATER[id][0]();
    if (!byId(id).hidden) stale.add(id);
  }
  drawNear();
}

const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) entry.isIntersecting ? near.add(entry.target.id) : near.delete(entry.target.id);
  drawNear();
}, { rootMargin: NEAR });
for (const id of Object.keys(LATER)) watcher.observe(byId(id));
addEventListener("beforeprint", () => { for (const id of stale) drawPart(id); });
