// A served page asks its own server what has changed; a page that is a file asks nobody.

const LIVE = document.querySelector('meta[name="clbench-live"]').content;
const PAUSE = 2000;
let version = "";

function seconds(value) {
  return value === null || value === undefined ? "" : UNITS.seconds(value);
}

const percent = (value) => (value === null || value === undefined ? DASH : fixed(value, 1));

const LOSS_WIDE = 600;
const LOSS_HIGH = 60;

// The loss since the run began, as far as it was noted; upright dashes are where sessions began.
function lossCurve(run) {
  const found = run.losses.filter(([, , loss]) => loss !== null);
  if (found.length < 2) return null;
  const values = found.map(([, , loss]) => loss);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [first, last] = [found[0][1], found[found.length - 1][1]];
  const x = (step) => (LOSS_WIDE * (step - first)) / (last - first || 1);
  const y = (loss) => 3 + (LOSS_HIGH - 6) * (1 - (loss - low) / (high - low || 1));
  const begins = found.filter(([session], place) => place && session !== found[place - 1][0]);
  const text = (value) => Number(value.toPrecision(3)).toString();
  const now = values[values.length - 1];
  return h("div", { class: "losses" },
    s("svg", { viewBox: `0 0 ${LOSS_WIDE} ${LOSS_HIGH}`, preserveAspectRatio: "none", role: "img", "aria-label": `Loss over ${count(last)} steps, from ${text(values[0])} to ${text(now)}, lowest ${text(low)}` },
      begins.map(([, step]) => s("path", { class: "next", d: `M${x(step).toFixed(1)},0V${LOSS_HIGH}` })),
      s("g", { class: "line" }, s("path", { class: "stroke", d: `M${found.map(([, step, loss]) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`).join("L")}` }))),
    h("span", {}, `loss ${text(high)}`, h("br"), `to ${text(low)}`, h("br"), `now ${text(now)}`));
}

function liveRun(run) {
  const share = run.steps ? run.step / run.steps : null;
  const place = run.session === null ? "starting" : `session ${run.session + 1}${run.sessions ? ` of ${run.sessions}` : ""}`;
  const facts = [place, run.epoch === null ? "" : `epoch ${run.epoch + 1}`, run.steps ? `step ${count(run.step)} of ${count(run.steps)}` : "", run.loss === null || run.loss === undefined ? "" : `loss ${run.loss.toFixed(4)}`, `last change ${seconds(run.ago) || "now"} ago`];
  const maps = run.maps.map((item) => `session ${item.session + 1}: ${percent(item.growing)} (all test images ${percent(item.fixed)})`);
  return h("article", { class: "run" },
    h("h3", {}, run.strategy, h("small", {}, ` ${run.scenario} · seed ${run.seed} · ${run.configuration}`), h("span", { class: "mark" }, run.state)),
    share === null ? null : h("progress", { value: share, max: 1, "aria-label": `Progress of session ${run.session + 1}` }, `${Math.round(100 * share)} %`),
    h("p", { class: "muted" }, facts.filter(Boolean).join(" · ")), lossCurve(run), maps.length ? h("p", {}, `mAP after ${maps.join(", ")}`) : null, run.note ? h("p", { class: "muted" }, run.note) : null);
}

function drawLive(news) {
  byId("live").hidden = !news.runs.length;
  byId("live-title").textContent = news.runs.some((run) => run.state === "running") ? "Running now" : "Unfinished";
  byId("live-state").textContent = "";
  byId("live-runs").replaceChildren(...news.runs.map(liveRun));
}

// The table of a run that goes on comes first in the list, and is shown unless the address names another.
let looked = false;
function showRunning(runs) {
  const now = new Set(runs.filter((run) => run.state === "running").map((run) => run.scenario));
  const same = now.size === state.running.size && [...now].every((slug) => state.running.has(slug));
  state.running = now;
  const home = tables().find((item) => now.has(item.slug));
  const turn = Boolean(home) && !looked && !location.hash;
  looked ||= Boolean(home);
  if (turn && home.slug !== state.slug) { state.slug = home.slug; drawAll(); } else if (!same && tables().length) drawControls();
}

async function ask() {
  if (!document.hidden) {
    try {
      const news = await (await fetch(LIVE, { cache: "no-store" })).json();
      drawLive(news);
      if (news.version !== version) {
        if (version) {
          DATA = await (await fetch(news.data, { cache: "no-store" })).json();
          drawAll();
          say("The tables have changed.");
        }
        version = news.version;
      }
      showRunning(news.runs);
    } catch {
      byId("live").hidden = false;
      byId("live-state").textContent = "The server does not answer; what is shown may be old.";
    }
  }
  setTimeout(ask, PAUSE);
}
