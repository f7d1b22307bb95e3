"use strict";
// The same step as kernels/fuse.py: coefficients once, then every coordinate, then the step.
function walk(surface, optimizer, lr, hyper, start, steps) {
  const inputs = optimizer.takes.map((x) => (typeof x === "string" ? hyper[x] : x));
  const coupled = optimizer.decoupled ? 0 : optimizer.decay;
  const decoupled = optimizer.decoupled ? optimizer.decay : 0;
  let carry = optimizer.carry.slice();
  const slots = [0, 1].map((i) => optimizer.slots.map((s) => (s === "p" ? start[i] : s)));
  const p = start.slice();
  const path = new Float64Array(2 * (steps + 1)), loss = new Float64Array(steps + 1);
  const gradient = new Float64Array(2 * (steps + 1));
  for (let t = 0; t <= steps; t++) {
    const at = surface.f(p[0], p[1]);
    loss[t] = at[0];
    for (let i = 0; i < 2; i++) { path[2 * t + i] = p[i]; gradient[2 * t + i] = at[1 + i]; }
    if (t === steps) break;
    let c = optimizer.coefficients(t + 1, ...carry, ...inputs);
    if (carry.length) [c, carry] = c;
    for (let i = 0; i < 2; i++) {
      const found = optimizer.update(p[i], at[1 + i] + coupled * p[i], ...slots[i], c);
      slots[i] = found.slice(1);
      p[i] = p[i] - lr * (found[0] + decoupled * p[i]);
    }
  }
  return { path, loss, gradient, steps };
}

function tune(surface, optimizer, hyper, start, steps) {
  let best = RATES[0], least = Infinity;
  for (const rate of RATES) {
    const { loss } = walk(surface, optimizer, rate, hyper, start, steps);
    let sum = 0;
    for (const value of loss) sum += value;
    if (sum < least) { least = sum; best = rate; }
  }
  return best;
}

const $ = (id) => document.getElementById(id);
const map = $("map"), chart = $("chart");
const dark = matchMedia("(prefers-color-scheme: dark)");
const state = { surface: SURFACES[0], start: [0, 0], steps: 100, at: 0, playing: false, curve: "loss", tuned: true, view: null };
for (const o of OPTIMIZERS) { o.on = true; o.rate = o.lr; o.values = { ...o.hyper }; }
const active = () => OPTIMIZERS.filter((o) => o.on);

// ---- the map -------------------------------------------------------------------------------
let background = null, lowest = 0;

function fit(canvas) { // the canvas's own pixels follow its size on the page
  const ratio = window.devicePixelRatio || 1;
  const w = Math.round(canvas.clientWidth * ratio), h = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; return true; }
  return false;
}

function paintSurface() {
  const n = 480, [[x0, x1], [y0, y1]] = state.surface.window, z = new Float64Array(n * n);
  for (let j = 0; j < n; j++) for (let i = 0; i < n; i++)
    z[j * n + i] = state.surface.f(x0 + (x1 - x0) * i / (n - 1), y1 - (y1 - y0) * j / (n - 1))[0];
  // Levels by quantiles: else one wall takes all lines and the valley none.
  const sorted = z.filter((_, k) => k % 7 === 0).sort(), levels = [];
  for (let k = 1; k < 20; k++) levels.push(sorted[Math.floor((sorted.length - 1) * (k / 20) ** 1.5)]);
  const band = new Uint8Array(n * n);
  for (let k = 0; k < n * n; k++) { let l = 0; while (l < levels.length && z[k] > levels[l]) l++; band[k] = l; }
  background = document.createElement("canvas");
  background.width = background.height = n;
  const context = background.getContext("2d"), image = context.createImageData(n, n);
  for (let k = 0; k < n * n; k++) {
    const edge = (k % n && band[k] !== band[k - 1]) || (k >= n && band[k] !== band[k - n]);
    const grey = edge ? 150 : 168 + 4.4 * band[k];
    image.data.set([grey, grey, grey, 255], 4 * k);
  }
  context.putImageData(image, 0, 0);
}

function toPixels(x, y) {
  const [[x0, x1], [y0, y1]] = state.surface.window;
  const cut = (v) => Math.max(-1e5, Math.min(1e5, v));
  return [cut((x - x0) / (x1 - x0) * map.width), cut((y1 - y) / (y1 - y0) * map.height)];
}

function drawMap() {
  const c = map.getContext("2d"), unit = map.width / 600;
  c.imageSmoothingEnabled = true;
  c.drawImage(background, 0, 0, map.width, map.height);
  for (const m of state.surface.minima) cross(c, ...toPixels(...m), 7 * unit);
  for (const o of active()) {
    const { path } = o.walk, last = Math.min(Math.floor(state.at), o.walk.steps);
    c.strokeStyle = o.colour; c.lineWidth = 2.2 * unit; c.lineJoin = "round";
    c.setLineDash(o.dash.map((d) => d * 2 * unit));
    c.beginPath();
    for (let t = 0; t <= last; t++) {
      if (!Number.isFinite(path[2 * t] + path[2 * t + 1])) break;
      const [x, y] = toPixels(path[2 * t], path[2 * t + 1]);
      t ? c.lineTo(x, y) : c.moveTo(x, y);
    }
    c.stroke();
    c.setLineDash([]);
  }
  for (const o of active()) {
    const { path } = o.walk, last = Math.min(Math.floor(state.at), o.walk.steps);
    if (!Number.isFinite(path[2 * last] + path[2 * last + 1])) continue;
    const [x, y] = toPixels(path[2 * last], path[2 * last + 1]);
    if (last < o.walk.steps) arrow(c, o, x, y, last, unit);
    c.fillStyle = o.colour; c.strokeStyle = "#fff"; c.lineWidth = 1.5 * unit;
    c.beginPath(); c.arc(x, y, 5.5 * unit, 0, 7); c.fill(); c.stroke();
  }
  const [x, y] = toPixels(...state.start);
  c.fillStyle = "#fff"; c.strokeStyle = "#222"; c.lineWidth = 2 * unit;
  c.beginPath(); c.arc(x, y, 6 * unit, 0, 7); c.fill(); c.stroke();
}

function arrow(c, o, x, y, t, unit) { // the velocity: where the next step goes
  const { path } = o.walk;
  const [a, b] = toPixels(path[2 * t + 2], path[2 * t + 3]);
  if (!Number.isFinite(a + b) || Math.hypot(a - x, b - y) < 2) return;
  c.strokeStyle = o.colour; c.lineWidth = 1.2 * unit; c.globalAlpha = 0.7;
  c.beginPath(); c.moveTo(x, y); c.lineTo(a, b); c.stroke(); c.globalAlpha = 1;
}

function cross(c, x, y, r) {
  for (const [colour, width] of [["#fff", 5], ["#222", 2]]) {
    c.strokeStyle = colour; c.lineWidth = width * map.width / 600;
    c.beginPath(); c.moveTo(x - r, y); c.lineTo(x + r, y); c.moveTo(x, y - r); c.lineTo(x, y + r); c.stroke();
  }
}

// ---- the curves ----------------------------------------------------------------------------
function curvesOf(o) {
  const { path, loss, gradient, steps } = o.walk;
  if (state.curve === "loss") return [Array.from(loss, (v) => v - lowest)];
  const speed = [], rx = [], ry = [];
  for (let t = 0; t < steps; t++) {
    const dx = Math.abs(path[2 * t + 2] - path[2 * t]), dy = Math.abs(path[2 * t + 3] - path[2 * t + 1]);
    speed.push(Math.hypot(dx, dy));
    rx.push(gradient[2 * t] ? dx / Math.abs(gradient[2 * t]) : NaN);
    ry.push(gradient[2 * t + 1] ? dy / Math.abs(gradient[2 * t + 1]) : NaN);
  }
  return state.curve === "speed" ? [speed] : [rx, ry];
}

let chartImage = null, chartBox = null;
function paintChart() { // everything but the cursor; drawn when something changed, not per frame
  chartImage = document.createElement("canvas");
  chartImage.width = chart.width; chartImage.height = chart.height;
  const c = chartImage.getContext("2d"), unit = (window.devicePixelRatio || 1);
  const log = $("log").checked, value = (v) => (log ? Math.log10(Math.max(v, 1e-12)) : v);
  let low = Infinity, high = -Infinity;
  const all = active().map((o) => [o, curvesOf(o)]);
  for (const [, curves] of all) for (const curve of curves) for (const v of curve) {
    const shown = value(v);
    if (Number.isFinite(shown)) { low = Math.min(low, shown); high = Math.max(high, shown); }
  }
  if (!(low < high)) { low = (Number.isFinite(low) ? low : 0) - 1; high = low + 2; }
  if (log) high = Math.min(high, low + 16);
  const box = chartBox = { l: 58 * unit, r: chart.width - 10 * unit, t: 12 * unit, b: chart.height - 30 * unit };
  c.fillStyle = "#fff"; c.fillRect(0, 0, chart.width, chart.height);
  c.font = `${11 * unit}px system-ui, sans-serif`; c.fillStyle = "#555"; c.strokeStyle = "#e3e3e3"; c.lineWidth = unit;
  for (let k = 0; k <= 4; k++) {
    const v = low + (high - low) * k / 4, y = box.b - (box.b - box.t) * k / 4;
    c.beginPath(); c.moveTo(box.l, y); c.lineTo(box.r, y); c.stroke();
    c.textAlign = "right"; c.fillText(log ? (10 ** v).toExponential(0) : v.toPrecision(3), box.l - 5 * unit, y + 4 * unit);
    const s = Math.round(state.steps * k / 4), x = box.l + (box.r - box.l) * s / state.steps;
    c.textAlign = "center"; c.fillText(s, x, box.b + 15 * unit);
  }
  c.textAlign = "left";
  const titles = { loss: lowest ? `loss − ${lowest.toPrecision(4)}` : "loss", speed: "velocity: length of the step", rate: "effective rate, step / |gradient|: x solid, y dotted" };
  c.fillText(titles[state.curve], box.l + 4 * unit, box.t + 8 * unit);
  c.textAlign = "right"; c.fillText("step", box.r, box.b + 27 * unit);
  for (const [o, curves] of all) curves.forEach((curve, which) => {
    c.strokeStyle = o.colour; c.lineWidth = 1.8 * unit;
    c.setLineDash(which ? [1.5 * unit, 3 * unit] : o.dash.map((d) => d * 1.6 * unit));
    c.beginPath();
    let pen = false;
    curve.forEach((v, t) => {
      const shown = value(v);
      if (!Number.isFinite(shown)) { pen = false; return; }
      const x = box.l + (box.r - box.l) * t / state.steps, y = box.b - (box.b - box.t) * (Math.min(shown, high) - low) / (high - low);
      pen ? c.lineTo(x, y) : c.moveTo(x, y); pen = true;
    });
    c.stroke(); c.setLineDash([]);
  });
}

function drawChart() {
  const c = chart.getContext("2d");
  c.drawImage(chartImage, 0, 0);
  const x = chartBox.l + (chartBox.r - chartBox.l) * Math.floor(state.at) / state.steps;
  c.strokeStyle = "#444"; c.lineWidth = window.devicePixelRatio || 1;
  c.beginPath(); c.moveTo(x, chartBox.t); c.lineTo(x, chartBox.b); c.stroke();
}

// ---- numbers -------------------------------------------------------------------------------
const short = (v) => (Number.isFinite(v) ? (v !== 0 && (Math.abs(v) < 1e-3 || Math.abs(v) >= 1e5) ? v.toExponential(1) : v.toPrecision(3)) : "–");

function drawNumbers() {
  const t = Math.floor(state.at);
  $("step").textContent = `${t} / ${state.steps}`;
  $("scrub").value = t;
  for (const o of OPTIMIZERS) {
    if (!o.on) { o.cells.forEach((cell) => (cell.textContent = "")); continue; }
    const { path, loss, gradient, steps } = o.walk, k = Math.min(t, steps), s = Math.min(k, steps - 1);
    const dx = Math.abs(path[2 * s + 2] - path[2 * s]), dy = Math.abs(path[2 * s + 3] - path[2 * s + 1]);
    [loss[k], Math.hypot(dx, dy), dx / Math.abs(gradient[2 * s]), dy / Math.abs(gradient[2 * s + 1])]
      .forEach((v, i) => (o.cells[i].textContent = short(v)));
  }
}

function smallPrint() {
  const each = active().map((o) => `${o.title}(lr=${short(o.rate)}${Object.entries(o.values).map(([k, v]) => `, ${k}=${v}`).join("")}${o.decay ? `, weight_decay=${o.decay}` : ""})`);
  const how = state.tuned ? `for each the best of ${RATES.length} in ${RATES[0]} … ${RATES[RATES.length - 1]} by mean loss over these steps` : "set by hand";
  $("print").textContent = `${state.surface.title} (${state.surface.source}). ${each.join("; ")}. Rates: ${how}. Start (${state.start.map((v) => +v.toPrecision(4)).join(", ")}), ${state.steps} steps, float64, no noise, no seed.`;
}

// ---- from a change to a picture ------------------------------------------------------------
function draw() { drawMap(); drawChart(); drawNumbers(); }

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
  fit(chart); paintChart(); fit(map);
  draw();
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

let before = 0;
function tick(now) {
  if (!state.playing) return;
  state.at += Math.min(0.25, (now - before) / 1000) * Math.max(1, +$("speed").value || 20);
  before = now;
  if (state.at >= state.steps) { state.at = state.steps; play(false); }
  draw();
  requestAnimationFrame(tick);
}
function play(on) {
  if (on && state.at >= state.steps) state.at = 0;
  state.playing = on; $("play").textContent = on ? "Pause" : "Play";
  if (on) { before = performance.now(); requestAnimationFrame(tick); }
}
function go(step) { play(false); state.at = Math.max(0, Math.min(state.steps, step)); draw(); }

// ---- controls ------------------------------------------------------------------------------
function row(o) {
  const tr = document.createElement("tr"), name = document.createElement("td"), rate = document.createElement("td");
  const label = document.createElement("label"), box = document.createElement("input"), swatch = document.createElement("canvas");
  box.type = "checkbox"; box.checked = true; swatch.className = "swatch"; swatch.width = 68; swatch.height = 24;
  const c = swatch.getContext("2d");
  c.fillStyle = "#fff"; c.fillRect(0, 0, 68, 24);
  c.strokeStyle = o.colour; c.lineWidth = 5; c.setLineDash(o.dash.map((d) => 3 * d)); c.beginPath(); c.moveTo(3, 12); c.lineTo(65, 12); c.stroke();
  label.append(box, swatch, o.title); name.append(label);
  box.onchange = () => { o.on = box.checked; tr.className = o.on ? "" : "off"; compute(); };
  o.box = box;
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
  o.cells = [0, 1, 2, 3].map(() => { const td = document.createElement("td"); td.className = "n"; tr.append(td); return td; });
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
for (const [id, on] of [["all", true], ["none", false]]) $(id).onclick = () => { for (const o of OPTIMIZERS) { o.on = on; o.box.checked = on; o.box.closest("tr").className = on ? "" : "off"; } compute(); };
$("log").onchange = () => { paintChart(); draw(); };
for (const button of document.querySelectorAll("[data-curve]")) button.onclick = () => {
  state.curve = button.dataset.curve;
  for (const other of document.querySelectorAll("[data-curve]")) other.setAttribute("aria-pressed", other === button);
  paintChart(); draw();
};

function place(e) {
  const r = map.getBoundingClientRect(), [[x0, x1], [y0, y1]] = state.surface.window;
  state.start = [x0 + (x1 - x0) * (e.clientX - r.left) / r.width, y1 - (y1 - y0) * (e.clientY - r.top) / r.height];
  state.at = state.playing ? 0 : state.steps;
  showStart(); compute();
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
  go(Math.round((x - chartBox.l) / (chartBox.r - chartBox.l) * state.steps));
});
addEventListener("keydown", (e) => {
  if (/^(INPUT|SELECT|BUTTON|SUMMARY)$/.test(e.target.tagName) && !(e.key === " " && e.target.type === "range")) return;
  const step = { ArrowLeft: () => go(Math.floor(state.at) - 1), ArrowRight: () => go(Math.floor(state.at) + 1), Home: () => go(0), End: () => go(state.steps), " ": () => play(!state.playing) }[e.key];
  if (step) { step(); e.preventDefault(); }
});
addEventListener("resize", () => { const changed = [fit(map), fit(chart)]; if (changed.some(Boolean)) { paintChart(); draw(); } });
setSurface(SURFACES.find((s) => s.name === FIRST.surface), FIRST.start, FIRST.steps);
state.at = state.steps; draw();
