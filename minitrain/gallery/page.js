// State, controls, and the way from a change to a picture.
const $ = (id) => document.getElementById(id);
const map = $("map"), chart = $("chart");
const dark = matchMedia("(prefers-color-scheme: dark)");
const state = { surface: SURFACES[0], start: [0, 0], steps: 100, at: 0, playing: false, curve: "loss", tuned: true };
for (const o of OPTIMIZERS) { o.on = true; o.rate = o.lr; o.values = { ...o.hyper }; }
const active = () => OPTIMIZERS.filter((o) => o.on);

// ---- numbers -------------------------------------------------------------------------------
const short = (v) => (Number.isFinite(v) ? (v !== 0 && (Math.abs(v) < 1e-3 || Math.abs(v) >= 1e5) ? v.toExponential(1) : v.toPrecision(3)) : "–");

function drawNumbers() {
  const t = Math.floor(state.at);
  $("step").textContent = `${t} / ${state.steps}`;
  $("scrub").value = t;
  for (const o of OPTIMIZERS) {
    if (!o.on) { o.cells.forEach((cell) => (cell.data = "")); continue; }
    const { path, loss, gradient, steps } = o.walk, k = Math.min(t, steps), s = Math.min(k, steps - 1);
    const dx = Math.abs(path[2 * s + 2] - path[2 * s]), dy = Math.abs(path[2 * s + 3] - path[2 * s + 1]);
    [loss[k], Math.hypot(dx, dy), dx / Math.abs(gradient[2 * s]), dy / Math.abs(gradient[2 * s + 1])]
      .forEach((v, i) => (o.cells[i].data = short(v)));
  }
}

function smallPrint() {
  const each = active().map((o) => `${o.title}(lr=${short(o.rate)}${Object.entries(o.values).map(([k, v]) => `, ${k}=${v}`).join("")}${o.decay ? `, weight_decay=${o.decay}` : ""})`);
  const how = state.tuned ? `for each the best of ${RATES.length} in ${RATES[0]} … ${RATES[RATES.length - 1]} by mean loss over these steps` : "set by hand, or kept from an earlier start";
  $("print").textContent = `${state.surface.title} (${state.surface.source}). ${each.join("; ")}. Rates: ${how}. Start (${state.start.map((v) => +v.toPrecision(4)).join(", ")}), ${state.steps} steps, float64, no noise, no seed.`;
}

// ---- from a change to a picture ------------------------------------------------------------
function draw() { drawMap(); drawCursor(); drawNumbers(); }

function compute() {
  for (const o of active()) {
    if (state.tuned) setRate(o, tune(state.surface, o, o.values, state.start, state.steps));
    o.walk = walk(state.surface, o, o.rate, o.values, state.start, state.steps);
  }
  const heights = state.surface.minima.map((m) => state.surface.f(...m)[0]);
  for (const o of active()) for (const v of o.walk.loss) if (Number.isFinite(v)) heights.push(v);
  lowest = heights.reduce((a, b) => Math.min(a, b), Infinity);
  if (Math.abs(lowest) < 1e-9) lowest = 0;
  state.at = Math.min(state.at, state.steps);
  $("scrub").max = state.steps;
  $("tune").setAttribute("aria-pressed", state.tuned);
  smallPrint();
  fit(chart); paintChart(); fit(map); staleMap();
  draw();
}

let waiting = false; // a finger moves faster than 51 rates are tried for everybody
function computeSoon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; compute(); });
}

function setRate(o, rate) {
  o.rate = rate; o.number.value = +rate.toPrecision(3); o.slider.value = Math.log10(rate);
}

function setSurface(surface, start, steps) {
  state.surface = surface; state.start = (start || surface.start).slice(); state.steps = steps || surface.steps; state.at = 0;
  $("surface").value = surface.name; $("formula").textContent = surface.formula; $("shows").textContent = surface.shows;
  $("steps").value = state.steps;
  showStart(); paintSurface(); compute();
}

function showStart() { $("startx").value = +state.start[0].toPrecision(4); $("starty").value = +state.start[1].toPrecision(4); }

let before = 0, told = 0; // when the last frame was, and when the numbers last changed
function tick(now) {
  if (!state.playing) return;
  state.at += Math.min(0.25, (now - before) / 1000) * Math.max(1, +$("speed").value || 20);
  before = now;
  if (state.at >= state.steps) { state.at = state.steps; play(false); draw(); return; }
  drawMap(); drawCursor();
  if (now - told > 125) { told = now; drawNumbers(); } // nobody reads faster, and a table costs more than a map
  requestAnimationFrame(tick);
}
function play(on) {
  if (on && state.at >= state.steps) state.at = 0;
  state.playing = on; $("play").textContent = on ? "Pause" : "Play";
  if (on) { before = performance.now(); requestAnimationFrame(tick); } else drawNumbers();
}
function go(step) { play(false); state.at = Math.max(0, Math.min(state.steps, step)); draw(); }

// ---- controls ------------------------------------------------------------------------------
function row(o) {
  const tr = document.createElement("tr"), name = document.createElement("td"), rate = document.createElement("td");
  const label = document.createElement("label"), tick = document.createElement("input"), swatch = document.createElement("canvas");
  tick.type = "checkbox"; tick.checked = true; swatch.className = "swatch"; swatch.width = 68; swatch.height = 24;
  const c = swatch.getContext("2d");
  c.fillStyle = "#fff"; c.fillRect(0, 0, 68, 24);
  c.strokeStyle = o.colour; c.lineWidth = 5; c.setLineDash(o.dash.map((d) => 3 * d)); c.beginPath(); c.moveTo(3, 12); c.lineTo(65, 12); c.stroke();
  label.append(tick, swatch, o.title); name.append(label);
  tick.onchange = () => { o.on = tick.checked; tr.className = o.on ? "" : "off"; compute(); };
  o.tick = tick;
  o.slider = document.createElement("input"); o.number = document.createElement("input");
  o.slider.type = "range"; o.slider.min = -4; o.slider.max = 1; o.slider.step = 0.02; o.slider.setAttribute("aria-label", `${o.title}: learning rate, logarithmic`);
  o.number.type = "number"; o.number.step = "any"; o.number.min = 0; o.number.setAttribute("aria-label", `${o.title}: learning rate`);
  o.slider.oninput = () => { state.tuned = false; setRate(o, 10 ** +o.slider.value); compute(); };
  o.number.onchange = () => { const v = +o.number.value; if (v > 0) { state.tuned = false; setRate(o, v); compute(); } };
  rate.append(o.slider, " ", o.number);
  const names = Object.keys(o.values);
  if (names.length) {
    const more = document.createElement("details"), summary = document.createElement("summary");
    summary.textContent = "more"; more.append(summary);
    for (const n of names) {
      const l = document.createElement("label"), input = document.createElement("input");
      input.type = "number"; input.step = "any"; input.min = 0; if (o.bounded.includes(n)) input.max = 0.99999; input.value = o.values[n];
      input.onchange = () => { const v = +input.value; if (v >= 0 && (!o.bounded.includes(n) || v < 1)) { o.values[n] = v; compute(); } else input.value = o.values[n]; };
      l.append(n, " ", input); more.append(l);
    }
    rate.append(" ", more);
  }
  tr.append(name, rate);
  o.cells = ["loss", "velocity", "rate x", "rate y"].map((what) => { // ``what`` heads the number where there is no room for a column
    const td = document.createElement("td"); td.className = "n"; td.dataset.what = what; tr.append(td);
    return td.appendChild(document.createTextNode(""));
  });
  return tr;
}

for (const s of SURFACES) $("surface").append(new Option(s.title, s.name));
for (const o of OPTIMIZERS) $("optimizers").append(row(o));
$("surface").onchange = (e) => { play(false); setSurface(SURFACES.find((s) => s.name === e.target.value)); };
$("play").onclick = () => play(!state.playing);
$("back").onclick = () => go(Math.floor(state.at) - 1);
$("forth").onclick = () => go(Math.floor(state.at) + 1);
$("scrub").oninput = (e) => go(+e.target.value);
$("steps").onchange = (e) => { const n = Math.round(+e.target.value); if (n >= 1 && n <= 5000) { state.steps = n; compute(); } else e.target.value = state.steps; };
for (const [id, i] of [["startx", 0], ["starty", 1]]) $(id).onchange = (e) => { if (Number.isFinite(+e.target.value)) { state.start[i] = +e.target.value; compute(); } };
$("reset").onclick = () => { play(false); state.tuned = true; setSurface(state.surface); };
$("tune").onclick = () => { state.tuned = !state.tuned; compute(); };
for (const [id, on] of [["all", true], ["none", false]]) $(id).onclick = () => { for (const o of OPTIMIZERS) { o.on = on; o.tick.checked = on; o.tick.closest("tr").className = on ? "" : "off"; } compute(); };
$("log").onchange = () => { paintChart(); drawCursor(); };
for (const button of document.querySelectorAll("[data-curve]")) button.onclick = () => {
  state.curve = button.dataset.curve;
  for (const other of document.querySelectorAll("[data-curve]")) other.setAttribute("aria-pressed", other === button);
  paintChart(); drawCursor();
};

function place(e) {
  const r = map.getBoundingClientRect(), [[x0, x1], [y0, y1]] = state.surface.window;
  state.start = [x0 + (x1 - x0) * (e.clientX - r.left) / r.width, y1 - (y1 - y0) * (e.clientY - r.top) / r.height];
  state.at = state.playing ? 0 : state.steps;
  showStart(); computeSoon();
}
map.addEventListener("pointerdown", (e) => { map.setPointerCapture(e.pointerId); place(e); });
map.addEventListener("pointermove", (e) => { if (e.buttons && map.hasPointerCapture(e.pointerId)) place(e); });
map.addEventListener("keydown", (e) => {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[e.key];
  if (!way) return;
  const [[x0, x1], [y0, y1]] = state.surface.window;
  state.start = [state.start[0] + way[0] * (x1 - x0) / 50, state.start[1] + way[1] * (y1 - y0) / 50];
  if (!state.playing) state.at = state.steps;
  showStart(); compute(); e.preventDefault(); e.stopPropagation();
});
chart.addEventListener("pointerdown", (e) => {
  const r = chart.getBoundingClientRect(), x = (e.clientX - r.left) / r.width * chart.width;
  go(Math.round((x - box.l) / (box.r - box.l) * state.steps));
});
addEventListener("keydown", (e) => {
  if (/^(INPUT|SELECT|BUTTON|SUMMARY)$/.test(e.target.tagName) && !(e.key === " " && e.target.type === "range")) return;
  const step = { ArrowLeft: () => go(Math.floor(state.at) - 1), ArrowRight: () => go(Math.floor(state.at) + 1), Home: () => go(0), End: () => go(state.steps), " ": () => play(!state.playing) }[e.key];
  if (step) { step(); e.preventDefault(); }
});
function resized() { const changed = [fit(map), fit(chart)]; if (changed.some(Boolean)) { paintChart(); draw(); } }
new ResizeObserver(resized).observe(map);
dark.addEventListener("change", () => { paintSurface(); compute(); });
setSurface(SURFACES.find((s) => s.name === FIRST.surface), FIRST.start, FIRST.steps);
state.at = state.steps; draw();
