// The curves.  Drawn when something changed and not per frame: the cursor is an element of its own.
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

let lowest = 0; // of the surface, as far as it is known: losses are shown above it
let box = null; // the plot in the canvas, in its own pixels

function paintChart() {
  const c = chart.getContext("2d", { alpha: false }), unit = window.devicePixelRatio || 1;
  const log = $("log").checked, value = (v) => (log ? Math.log10(Math.max(v, 1e-12)) : v);
  let low = Infinity, high = -Infinity;
  const all = active().map((o) => [o, curvesOf(o)]);
  for (const [, curves] of all) for (const curve of curves) for (const v of curve) {
    const shown = value(v);
    if (Number.isFinite(shown)) { low = Math.min(low, shown); high = Math.max(high, shown); }
  }
  if (!(low < high)) { low = (Number.isFinite(low) ? low : 0) - 1; high = low + 2; }
  if (log) high = Math.min(high, low + 16);
  const room = 0.03 * (high - low);
  low -= room; high += room;
  box = { l: 52 * unit, r: chart.width - 16 * unit, t: 26 * unit, b: chart.height - 32 * unit };
  const across = (t) => box.l + (box.r - box.l) * t / state.steps, up = (v) => box.b - (box.b - box.t) * (Math.min(v, high) - low) / (high - low);
  c.fillStyle = `rgb(${paper()}, ${paper()}, ${paper()})`; c.fillRect(0, 0, chart.width, chart.height);
  c.font = `${11 * unit}px system-ui, sans-serif`; c.fillStyle = "#444"; c.strokeStyle = "#00000018"; c.lineWidth = unit;
  c.textAlign = "right";
  for (const [v, text] of rungs(low, high, log)) {
    const y = up(v);
    c.beginPath(); c.moveTo(box.l, y); c.lineTo(box.r, y); c.stroke();
    c.fillText(text, box.l - 5 * unit, y + 4 * unit);
  }
  c.textAlign = "center";
  for (const t of [0, ...ticks(0, state.steps, 6).filter(Number.isInteger), state.steps]) c.fillText(t, across(t), box.b + 15 * unit);
  c.fillText("step", (box.l + box.r) / 2, box.b + 28 * unit);
  c.textAlign = "left";
  const titles = { loss: lowest ? `loss − (${lowest.toPrecision(4)})` : "loss", speed: "velocity: length of the step", rate: "effective rate, |step| / |gradient|: x as in the legend, y dotted" };
  c.fillText(titles[state.curve], box.l, 15 * unit);
  for (const [o, curves] of all) curves.forEach((curve, which) => {
    c.strokeStyle = o.colour; c.lineWidth = 1.8 * unit; c.lineJoin = "round";
    c.setLineDash(which ? [1.5 * unit, 3 * unit] : o.dash.map((d) => d * 1.6 * unit));
    c.beginPath();
    let pen = false;
    curve.forEach((v, t) => {
      const shown = value(v);
      if (!Number.isFinite(shown)) { pen = false; return; }
      pen ? c.lineTo(across(t), up(shown)) : c.moveTo(across(t), up(shown)); pen = true;
    });
    c.stroke(); c.setLineDash([]);
  });
}

function rungs(low, high, log) { // [height, text] of the lines across
  if (!log) return ticks(low, high, 5).map((v) => [v, String(+v.toPrecision(4))]);
  const every = Math.ceil((high - low) / 6), found = [];
  for (let k = Math.ceil(low / every) * every; k <= high; k += every) found.push([k, Math.abs(k) < 4 ? String(+(10 ** k).toPrecision(1)) : `1e${k}`]);
  if (found.length > 1) return found;
  return ticks(10 ** low, 10 ** high, 5).map((v) => [Math.log10(v), String(+v.toPrecision(4))]);
}

function drawCursor() {
  const unit = window.devicePixelRatio || 1, x = (box.l + (box.r - box.l) * state.at / state.steps) / unit;
  $("cursor").style.transform = `translateX(${x}px)`;
}
