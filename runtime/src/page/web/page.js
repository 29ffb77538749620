"use strict";
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const STALE_MS = 6000, STALE_INTERVALS = 3, TRY_AGAIN_MS = 2000, LEAST_PAUSE_MS = 150, PICTURE_MS = 10000;
const PICTURES = ["lr", "sr", "overlay"];
// After this many frames without pictures, numbers are shown without them.
const MISSES = 5;
// A number chosen by this client: the server holds the frame of its latest numbers while it requests the pictures.
const READER = crypto.getRandomValues(new Uint32Array(1))[0];

const view = {
  // What is shown: run and models, the response, its frame, when that was analysed, and which of its pictures are loaded.
  known: "", latest: null, frame: 0, frameAt: 0, has: new Set(), frozen: false,
  // The latest response, shown or not, and the state of the connection.
  heard: null, heardAt: 0, connected: false, busy: false, again: false, misses: 0,
};

const text = (id, value) => { const e = $(id); if (e.textContent !== value) e.textContent = value; };
const number = (value, digits = 0) => value == null ? "–" : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const mib = (bytes) => bytes == null ? "–" : number(bytes / 1048576, 1) + " MiB";
const duration = (s) => {
  const parts = [[86400, "d"], [3600, "h"], [60, "min"]];
  for (const [unit, name] of parts) if (s >= unit) return Math.floor(s / unit) + " " + name;
  return Math.floor(s) + " s";
};

function draw(into, shapes) {
  const nodes = shapes.map(([name, attributes, words]) => {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (words !== undefined) node.textContent = words;
    return node;
  });
  $(into).replaceChildren(...nodes);
}

// A round number at or above the greatest value.
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

function drawTrend(trend) {
  const left = 34, right = 352, top = 10, bottom = 146;
  const most = ceiling(Math.max(4, ...trend.map((point) => point.cells ?? 0)));
  const x = (i) => left + (right - left) * (trend.length < 2 ? 1 : i / (trend.length - 1));
  const y = (cells) => bottom - (bottom - top) * cells / most;
  const shapes = [];
  for (const value of [0, most / 2, most]) {
    shapes.push(["line", { class: "rule", x1: left, x2: right, y1: y(value), y2: y(value) }]);
    shapes.push(["text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, number(value, value % 1 ? 1 : 0)]);
  }
  // A frame that was not counted is a gap, not a zero.
  let path = "", pen = "M";
  trend.forEach((point, i) => {
    if (point.cells == null) { pen = "M"; return; }
    path += pen + x(i).toFixed(1) + " " + y(point.cells).toFixed(1);
    pen = "L";
  });
  if (path) shapes.push(["path", { class: "stroke", d: path }]);
  const last = trend[trend.length - 1];
  if (last && last.cells != null) shapes.push(["circle", { class: "fill", cx: x(trend.length - 1), cy: y(last.cells), r: 3.5 }]);
  if (trend.length) {
    shapes.push(["text", { x: left, y: 163 }, "frame " + number(trend[0].frame)]);
    shapes.push(["text", { x: right, y: 163, "text-anchor": "end" }, number(last.frame)]);
  }
  draw("trend", shapes);
  const counted = trend.filter((point) => point.cells != null).map((point) => point.cells);
  $("trend").setAttribute("aria-label", counted.length
    ? `Trend of the count over ${trend.length} frames: ${Math.min(...counted)} to ${Math.max(...counted)} cells` : "No counted frame yet");
}

function drawDiameters({ unit, estimated, bin_width: width, counts }) {
  const left = 42, right = 412, top = 10, bottom = 140;
  // The axis fits the data: from the first to the last bin with cells, with some room, on whole eighths.
  const first = counts.findIndex((count) => count > 0), last = counts.findLastIndex((count) => count > 0);
  const from = first < 0 ? 0 : Math.max(0, 8 * Math.floor((first - 1) / 8));
  const until = first < 0 ? counts.length : Math.min(counts.length, Math.max(from + 16, 8 * Math.ceil((last + 2) / 8)));
  const most = ceiling(Math.max(4, ...counts)), step = (right - left) / (until - from);
  const y = (count) => bottom - (bottom - top) * count / most;
  const shapes = [];
  for (const value of [0, most / 2, most]) {
    shapes.push(["line", { class: "rule", x1: left, x2: right, y1: y(value), y2: y(value) }]);
    shapes.push(["text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, number(value, value % 1 ? 1 : 0)]);
  }
  counts.slice(from, until).forEach((count, i) => {
    if (count) shapes.push(["rect", { class: "fill", x: left + i * step + .5, y: y(count), width: step - 1, height: bottom - y(count) }]);
    if (i % 8 === 0) shapes.push(["text", { x: left + i * step, y: 155, "text-anchor": "middle" }, number((from + i) * width, width * 8 % 1 ? 1 : 0)]);
  });
  const words = unit === "um" ? "µm" + (estimated ? ", estimated" : "") : "px of the analysed picture";
  shapes.push(["text", { x: right, y: 168, "text-anchor": "end" }, "diameter, " + words]);
  draw("diameters", shapes);
  text("diameters-unit", "in " + (unit === "um" ? "micrometres" + (estimated ? ", estimated" : "") : "pixels of the analysed picture"));
  const cells = counts.reduce((sum, count) => sum + count, 0), peak = counts.indexOf(Math.max(...counts));
  $("diameters").setAttribute("aria-label", cells ? `${cells} cells, most of them ${number(peak * width, 1)} to ${number((peak + 1) * width, 1)} ${words}` : "No cells yet");
}

const STAGES = [["ssr", "Super-resolution"], ["unet", "Segmentation"], ["tiling", "Tiles"], ["cells", "Cells and measures"]];

function drawTimes(times) {
  let x = 0;
  const total = Math.max(times.total, 1e-9), shapes = [], rows = [];
  STAGES.forEach(([key, name], i) => {
    const width = 360 * times[key] / total;
    shapes.push(["rect", { class: "part" + i, x, y: 4, width: Math.max(width, 0), height: 16 }]);
    x += width;
    const dt = document.createElement("dt"), mark = document.createElement("span"), dd = document.createElement("dd");
    mark.className = "key part" + i;
    dt.append(mark, name);
    dd.textContent = number(times[key], 1) + " ms";
    rows.push(dt, dd);
  });
  const dt = document.createElement("dt"), dd = document.createElement("dd");
  dt.textContent = "Total";
  dd.textContent = number(times.total, 1) + " ms";
  rows.push(dt, dd);
  draw("times", shapes);
  $("times").setAttribute("aria-label", STAGES.map(([key, name]) => `${name} ${number(times[key], 1)} ms`).join(", ")
    + `, of ${number(times.total, 1)} ms in total`);
  $("times-list").replaceChildren(...rows);
}

function drawMemory(memory) {
  const most = memory.budget_bytes ?? memory.rss_peak_bytes ?? 1, wide = (bytes) => Math.min(360, 360 * (bytes ?? 0) / most);
  draw("memory", [
    ["rect", { x: 0, y: 4, width: 360, height: 16, rx: 4, fill: "none", class: "rule" }],
    ["rect", { class: "part1", x: 0, y: 4, width: wide(memory.rss_bytes), height: 16, rx: 4 }],
    ["rect", { class: "part0", x: 0, y: 9, width: wide(memory.heap_bytes), height: 6, rx: 3 }],
  ]);
  const of = memory.budget_bytes == null ? "no budget is set" : `of a budget of ${mib(memory.budget_bytes)}`;
  $("memory").setAttribute("aria-label", `Resident ${mib(memory.rss_bytes)}, heap ${mib(memory.heap_bytes)}, ${of}`);
  text("rss", mib(memory.rss_bytes));
  text("heap", mib(memory.heap_bytes));
  text("heap-peak", mib(memory.heap_peak_bytes));
  text("budget", memory.budget_bytes == null ? "none set" : mib(memory.budget_bytes));
}

function showModels(models) {
  const cards = models.map((model) => {
    const details = document.createElement("details"), summary = document.createElement("summary");
    summary.textContent = `${model.name} ${model.version} · ${model.sha256}`;
    const list = document.createElement("dl");
    const row = (key, value) => {
      const dt = document.createElement("dt"), dd = document.createElement("dd");
      dt.textContent = key; dd.textContent = value;
      list.append(dt, dd);
    };
    row("Size", number(model.size_bytes / 1024) + " KiB, " + number(model.parameters) + " parameters");
    row("Pitch", number(model.um_per_px, 3) + " µm per pixel");
    for (const [key, value] of Object.entries(model.figures)) row(key.replaceAll("_", " "), number(value, 3));
    const data = document.createElement("p"), licence = document.createElement("p");
    data.textContent = "Trained on: " + model.data;
    licence.textContent = "Licence of the weights: " + model.licence;
    details.append(summary, list, data, licence);
    return details;
  });
  $("model-cards").replaceChildren(...cards);
}

// The pictures to load: all of a frozen frame, because it cannot be requested later, otherwise the visible ones.
function wanted() {
  const which = $("pictures").dataset.view;
  return view.frozen || which === "all" ? PICTURES : [which];
}

const lacking = () => wanted().filter((name) => !view.has.has(name));

// Nothing changes any more: frozen, and everything is loaded.
const settled = () => view.frozen && view.frame > 0 && lacking().length === 0;

// The loaded pictures of a frame; null if they are unavailable because the frame is no longer held.
async function load(frame, names) {
  const images = names.map(() => new Image());
  const all = Promise.all(images.map((image, i) => new Promise((done, fail) => {
    image.onload = done;
    image.onerror = fail;
    // It is complete when it is first shown.
    image.decoding = "sync";
    image.src = `picture/latest.${names[i]}.png?frame=${frame}`;
  })));
  let timer;
  const late = new Promise((_, fail) => { timer = setTimeout(fail, PICTURE_MS); });
  try {
    await Promise.race([all, late]);
    return images;
  } catch { return null; } finally { clearTimeout(timer); }
}

// Each replaces the previous one in a single step.
function place(names, images) {
  names.forEach((name, i) => {
    images[i].id = name;
    images[i].alt = $(name).alt;
    $(name).replaceWith(images[i]);
    view.has.add(name);
  });
}

// Pictures of another frame than the numbers are removed.
function clearPictures() {
  view.has.clear();
  for (const name of PICTURES) $(name).removeAttribute("src");
}

// Loads the pictures of the shown frame that were not visible so far. False if it is too late.
async function complete() {
  const names = lacking();
  if (!view.frame || !names.length) return true;
  const images = await load(view.frame, names);
  if (images) place(names, images);
  return images !== null;
}

// Shows a response with the pictures of its frame, or not at all.
async function show(latest) {
  const { run, frame, models } = latest, { frozen } = view;
  const known = JSON.stringify([run.started_utc, run.source, models.map((model) => [model.name, model.version, model.sha256])]);
  if (known !== view.known) {
    view.known = known;
    view.frame = 0;
    clearPictures();
    showModels(models);
    showNoFrame();
  }
  if (frame && (frame.number !== view.frame || lacking().length)) {
    const names = wanted(), images = await load(frame.number, names);
    if (!images && ++view.misses < MISSES) { view.again = true; return; }
    // It was frozen while the pictures loaded: what was shown then stays.
    if (view.frozen && !frozen && view.frame) return;
    // The visible ones are replaced in a single step, without a gap.
    const unseen = PICTURES.filter((name) => !images || !names.includes(name));
    for (const name of unseen) $(name).removeAttribute("src");
    view.has.clear();
    if (images) { place(names, images); view.misses = 0; }
    view.frame = frame.number;
  }
  view.latest = latest;
  showRun(latest);
  if (frame) showFrame(frame);
}

const between = (interval, digits) => `${number(interval.low, digits)} to ${number(interval.high, digits)}`;

// The totals of the sample, with their 95 % intervals.
function showAnswer(sample, answer, corrected) {
  text("sample", sample == null ? "" : "for sample " + sample);
  const { total = {}, cells, cells_per_mm2: density, white_of_cells: share } = answer ?? {};
  text("total-cells", number(total.cells));
  text("a-field", number(cells?.mean, 1));
  const by = !corrected ? "" : corrected.refused ? `; not corrected: ${corrected.refused}`
    : `; corrected ${number(corrected.cells, 1)} (${between(corrected.interval, 1)})`;
  text("a-field-interval", cells ? between(cells.interval, 1) + by : "");
  text("per-mm2", number(density?.density));
  text("per-mm2-interval", density ? between(density.interval, 0) : "");
  text("total-white", number(total.white));
  text("white-share", !share ? "" : share.part ? `${number(100 * share.share, 1)} % of the cells` : `below ${number(100 * share.interval.high, 1)} %`);
  text("total-platelets", number(total.platelets));
  text("fields", number(answer?.fields));
  text("fields-words", !answer ? "" : answer.more_pictures_for_5_percent ? `${number(answer.more_pictures_for_5_percent)} more for ±5 %`
    : answer.seen_again + answer.overlapping ? `of ${number(answer.pictures)} frames` : "");
}

function showRun({ run, version, sample, answer, corrected, drifted, counts, camera, memory, trend, diameters }) {
  showAnswer(sample, answer, corrected);
  text("source", run.source_words);
  text("version", version);
  text("state-words", run.state_words);
  text("drifted", drifted.length ? drifted.map((name) => name.replaceAll("_", " ")).join(", ") : "nothing");
  text("uptime", duration(run.uptime_s));
  text("analysed", number(counts.analysed) + " of " + number(counts.captured));
  text("dropped", number(counts.dropped));
  text("failed", number(counts.failed) + " / " + number(counts.unreadable));
  text("not-kept", number(counts.not_kept));
  text("reconnects", camera ? number(camera.reopened) : "no camera");
  text("cells-total", number(counts.cells));
  drawMemory(memory);
  drawTrend(trend);
  drawDiameters(diameters);
}

function showFrame(frame) {
  view.frameAt = view.heardAt - frame.age_ms;
  text("count", frame.counted ? number(frame.cells) : "–");
  text("count-words", !frame.counted ? "not counted: " + frame.verdict_words
    : frame.unsupported ? number(frame.unsupported) + " of them unsupported by the input" : "all supported by the input");
  const hasKinds = frame.platelets != null;
  text("kinds", hasKinds ? `${number(frame.red)} red, ${number(frame.white)} white; ${number(frame.platelets)} ${frame.platelets === 1 ? "platelet" : "platelets"} apart` : "");
  $("kinds").hidden = $("kind-key").hidden = !hasKinds;
  text("frame", frame.name);
  text("sharpness", number(frame.sharpness, 2) + " /px");
  text("contrast", number(frame.contrast_levels, 0) + " levels");
  text("scale", scaleWords(frame));
  const about = frame.pitch_source === "measured" ? "≈ " : "";
  text("area", frame.analysed_um2 == null ? number(frame.analysed_px2) + " px²" : about + number(frame.analysed_um2 / 1e6, 4) + " mm²");
  text("density", frame.cells_per_mm2 == null ? "–" : about + number(frame.cells_per_mm2));
  text("quality", frame.verdict_words);
  $("quality").dataset.is = frame.verdict === "good" ? "good" : "warn";
  const [width, height] = frame.size_px;
  text("lr-size", `${width}×${height}`);
  const [srWidth, srHeight] = frame.sr_size_px;
  text("sr-size", `${srWidth}×${srHeight}`);
  drawTimes(frame.times_ms);
}

const PITCH_SOURCES = { given: "given", metadata: "from the file", measured: "estimated from red cells" };

// The pitch and its source.
function scaleWords({ um_per_px: um, pitch_source: source, scale, counted }) {
  if (um == null) return counted ? "pitch not known, taken as it is" : "not known";
  return `${number(um, 3)} µm per pixel, ${PITCH_SOURCES[source] ?? source}; ${number(scale, 2)} px for one`;
}

// A new run has started and has no frame yet.
function showNoFrame() {
  for (const id of ["count", "frame", "scale", "area", "density", "sharpness", "contrast"]) text(id, "–");
  for (const id of ["count-words", "lr-size", "sr-size"]) text(id, "");
  text("quality", "no frame yet");
  $("quality").dataset.is = "";
  draw("times", []);
  $("times").setAttribute("aria-label", "No frame yet");
  $("times-list").replaceChildren();
}

// Old numbers must not look current: every problem is shown in words. A frozen page is old on purpose.
function showHealth() {
  const { heard, connected, frozen } = view, run = heard && heard.run;
  const now = performance.now(), since = now - view.heardAt;
  const lost = !connected && since > TRY_AGAIN_MS * 1.5;
  const age = view.frame ? now - view.frameAt : null;
  // A source with a frame every ten seconds is not late after six.
  const interval = view.latest && view.latest.frame ? view.latest.frame.interval_ms ?? 0 : 0;
  const late = !frozen && age > Math.max(STALE_MS, STALE_INTERVALS * interval);
  text("age", age == null ? "–" : duration(age / 1000) + " ago");
  // Screen readers read the words whenever they change, so the duration is separate and not read every second.
  let words = "", soFar = null, is = "warn";
  const ended = run && run.state === "stopping";
  if (lost && ended) words = "The run has ended; these are its last values.";
  else if (lost) {
    words = heard ? "The connection is lost; these values are old. Retrying." : "No connection to bloodseg. Retrying.";
    soFar = since;
    is = "bad";
  } else if (ended) words = "The run has ended; these are its last values.";
  else if (run && run.state === "recovering") { words = `The run is recovering (${run.state_words}); these values may be old.`; is = "bad"; }
  else if (run && run.state === "degraded") words = `The run is degraded (${run.state_words}).`;
  else if (late) { words = "No new frame; these values are old."; soFar = age; }
  const stale = !frozen && words !== "" && (age == null || late || is === "bad");
  if (frozen) words = (words ? words + " " : "") + "Frozen: press Space to resume.";
  const alarm = $("alarm");
  alarm.hidden = words === "";
  alarm.dataset.is = is;
  text("alarm-words", words);
  text("alarm-since", soFar == null ? "" : "For " + duration(soFar / 1000) + ".");
  document.body.dataset.stale = stale ? "yes" : "no";
  const badge = $("state");
  text("state", ended ? "ended" : lost ? "not connected" : run ? run.state : "connecting");
  badge.dataset.is = lost && !ended ? "bad" : { running: "good", starting: "warn", degraded: "warn", recovering: "bad", stopping: "warn" }[run ? run.state : "starting"];
}

// At most one request at a time, and no more often than visible. A frozen page still polls the state of the run.
async function ask() {
  if (view.busy) { view.again = true; return; }
  if (settled() && performance.now() - view.heardAt < TRY_AGAIN_MS) return;
  view.busy = true;
  try {
    await complete();
    const still = settled();
    const address = still ? "api/latest" : `api/latest?hold=${READER}`;
    const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(String(answer.status));
    const latest = await answer.json();
    view.heard = latest;
    view.heardAt = performance.now();
    view.connected = true;
    // Frozen during the request, with everything loaded: what is shown stays.
    if (!still && !settled()) await show(latest);
    showHealth();
  } catch { view.connected = false; }
  await new Promise((done) => setTimeout(done, LEAST_PAUSE_MS));
  view.busy = false;
  if (view.again) { view.again = false; ask(); }
}

function listen() {
  const events = new EventSource("events");
  events.onmessage = () => ask();
  events.onerror = () => {
    events.close();
    setTimeout(listen, TRY_AGAIN_MS);
  };
}

function choose(which) {
  $("pictures").dataset.view = which;
  for (const button of document.querySelectorAll("button[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === which));
  ask();
}

function freeze() {
  view.frozen = !view.frozen;
  $("freeze").setAttribute("aria-pressed", String(view.frozen));
  text("freeze", view.frozen ? "Resume" : "Freeze");
  showHealth();
  ask();
}

function dress(theme) {
  document.documentElement.dataset.theme = theme;
  text("theme", theme === "dark" ? "Light" : "Dark");
}

function remember(theme) {
  dress(theme);
  kept = theme;
  try { localStorage.setItem("theme", theme); } catch { /* a browser may keep nothing */ }
}

const darkOutside = matchMedia("(prefers-color-scheme: dark)");
let kept = null;
try { kept = localStorage.getItem("theme"); } catch { /* a browser may keep nothing */ }
dress(kept ?? (darkOutside.matches ? "dark" : "light"));
// The user's choice overrides later changes of the system setting.
darkOutside.addEventListener("change", (event) => { if (kept == null) dress(event.matches ? "dark" : "light"); });
const otherTheme = () => remember(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
const help = () => { const dialog = $("help"); if (dialog.open) dialog.close(); else dialog.showModal(); };

for (const button of document.querySelectorAll("button[data-view]")) button.addEventListener("click", () => choose(button.dataset.view));
$("freeze").addEventListener("click", freeze);
$("theme").addEventListener("click", otherTheme);
$("keys").addEventListener("click", help);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const what = { "0": () => choose("all"), "1": () => choose("lr"), "2": () => choose("sr"), "3": () => choose("overlay"), "d": otherTheme, "?": help, " ": freeze }[event.key];
  // The space bar on a button presses that button.
  if (!what || (event.key === " " && event.target.closest("button, summary, a"))) return;
  event.preventDefault();
  what();
});
if (matchMedia("(max-width: 620px)").matches) choose("overlay");
setInterval(showHealth, 500);
// Polling works without events too.
setInterval(() => { if (performance.now() - view.heardAt > TRY_AGAIN_MS) ask(); }, TRY_AGAIN_MS);
listen();
ask();
