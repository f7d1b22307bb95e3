// The map.  A frame costs little: the surface and the ways so far are pictures of their own, and of
// what moves (heads, velocities) only the rectangles that it covered are painted anew.
const trail = document.createElement("canvas"), surfaceImage = document.createElement("canvas");
let ground = null;      // surfaceImage at the map's own size, with minima and axes
let drawn = 0;          // the step up to which the trail shows the ways
let covered = null;     // rectangles that the last frame painted over the trail; null: all is stale

function fit(canvas) { // the canvas's own pixels follow its size on the page
  const ratio = window.devicePixelRatio || 1;
  const w = Math.max(1, Math.round(canvas.clientWidth * ratio)), h = Math.max(1, Math.round(canvas.clientHeight * ratio));
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; return true; }
  return false;
}

const paper = () => (dark.matches ? 222 : 255); // a bright page in a dark room blinds

function paintSurface() {
  const n = 480, [[x0, x1], [y0, y1]] = state.surface.window, z = new Float64Array(n * n);
  for (let j = 0; j < n; j++) for (let i = 0; i < n; i++)
    z[j * n + i] = state.surface.f(x0 + (x1 - x0) * i / (n - 1), y1 - (y1 - y0) * j / (n - 1))[0];
  // Levels by quantiles: else one wall takes all lines and the valley none.
  const sorted = z.filter((_, k) => k % 7 === 0).sort(), levels = [];
  for (let k = 1; k < 20; k++) levels.push(sorted[Math.floor((sorted.length - 1) * (k / 20) ** 1.5)]);
  const band = new Uint8Array(n * n);
  for (let k = 0; k < n * n; k++) { let l = 0; while (l < levels.length && z[k] > levels[l]) l++; band[k] = l; }
  surfaceImage.width = surfaceImage.height = n;
  const context = surfaceImage.getContext("2d"), image = context.createImageData(n, n), white = paper() / 255;
  for (let k = 0; k < n * n; k++) {
    const edge = (k % n && band[k] !== band[k - 1]) || (k >= n && band[k] !== band[k - n]);
    const grey = white * (edge ? 150 : 168 + 4.4 * band[k]);
    image.data.set([grey, grey, grey, 255], 4 * k);
  }
  context.putImageData(image, 0, 0);
  ground = null;
}

function paintGround() {
  ground = document.createElement("canvas");
  trail.width = ground.width = map.width; trail.height = ground.height = map.height;
  const c = ground.getContext("2d"), unit = map.width / 600, [[x0, x1], [y0, y1]] = state.surface.window;
  c.drawImage(surfaceImage, 0, 0, map.width, map.height);
  for (const m of state.surface.minima) cross(c, ...toPixels(...m), 7 * unit);
  const ratio = window.devicePixelRatio || 1;
  c.font = `${11 * ratio}px system-ui, sans-serif`; c.fillStyle = "#333"; c.strokeStyle = "#333"; c.lineWidth = ratio;
  const mark = (text, x, y, align) => {
    c.textAlign = align; c.save(); c.strokeStyle = "#ffffffb0"; c.lineWidth = 3 * ratio; c.strokeText(text, x, y); c.restore(); c.fillText(text, x, y);
  };
  for (const v of ticks(x0, x1, 5)) { const [x] = toPixels(v, 0); c.fillRect(x, map.height - 5 * ratio, ratio, 5 * ratio); mark(+v.toPrecision(6), x, map.height - 8 * ratio, "center"); }
  for (const v of ticks(y0, y1, 5)) { const [, y] = toPixels(0, v); c.fillRect(0, y, 5 * ratio, ratio); mark(+v.toPrecision(6), 8 * ratio, y + 4 * ratio, "left"); }
  mark("x", map.width - 8 * ratio, map.height - 8 * ratio, "right"); mark("y", 8 * ratio, 13 * ratio, "left");
}

function ticks(low, high, about) { // round numbers strictly between the two
  const rough = (high - low) / about, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((k) => k * power >= rough * 0.999), found = [];
  for (let k = Math.floor(low / step) + 1; k * step < high - 1e-9 * step; k++) if (Math.abs(k * step - low) > 0.2 * step && Math.abs(high - k * step) > 0.2 * step) found.push(k * step);
  return found;
}

function toPixels(x, y) {
  const [[x0, x1], [y0, y1]] = state.surface.window;
  const cut = (v) => Math.max(-1e5, Math.min(1e5, v));
  return [cut((x - x0) / (x1 - x0) * map.width), cut((y1 - y) / (y1 - y0) * map.height)];
}

const at = (o, t) => { // in pixels; null where the walk has left all numbers behind
  const x = o.walk.path[2 * t], y = o.walk.path[2 * t + 1];
  return Number.isFinite(x + y) ? toPixels(x, y) : null;
};

function staleMap() { drawn = 0; covered = null; }

function drawTrail(until) { // adds what is new since the last frame; returns the rectangles of that
  const c = trail.getContext("2d"), unit = map.width / 600, boxes = [];
  if (covered === null || until < drawn) {
    c.drawImage(ground, 0, 0);
    for (const o of active()) o.length = 0;
    drawn = 0; covered = null;
  }
  if (until === drawn) return boxes;
  for (const o of active()) {
    let last = at(o, Math.min(drawn, o.walk.steps));
    if (!last) continue;
    c.strokeStyle = o.colour; c.lineWidth = 2.2 * unit; c.lineJoin = "round"; c.lineCap = o.dash.length ? "butt" : "round";
    c.setLineDash(o.dash.map((d) => d * 2 * unit)); c.lineDashOffset = o.length; // dashes go on where they ended
    c.beginPath(); c.moveTo(...last);
    const box = [...last, ...last];
    for (let t = drawn + 1; t <= Math.min(until, o.walk.steps); t++) {
      const next = at(o, t);
      if (!next) break;
      c.lineTo(...next); o.length += Math.hypot(next[0] - last[0], next[1] - last[1]);
      extend(box, next); last = next;
    }
    c.stroke(); boxes.push(box);
  }
  drawn = until;
  return boxes;
}

function extend(box, [x, y]) { box[0] = Math.min(box[0], x); box[1] = Math.min(box[1], y); box[2] = Math.max(box[2], x); box[3] = Math.max(box[3], y); }

function restore(c, [x0, y0, x1, y1], room) {
  const l = Math.max(0, Math.floor(x0 - room)), t = Math.max(0, Math.floor(y0 - room));
  const w = Math.min(map.width, Math.ceil(x1 + room)) - l, h = Math.min(map.height, Math.ceil(y1 + room)) - t;
  if (w > 0 && h > 0) c.drawImage(trail, l, t, w, h, l, t, w, h);
}

function drawMap() {
  const c = map.getContext("2d", { alpha: false }), unit = map.width / 600, room = 9 * unit;
  if (!ground || ground.width !== map.width || ground.height !== map.height) { paintGround(); staleMap(); }
  const t = Math.floor(state.at), part = state.at - t, fresh = drawTrail(t);
  if (covered === null) c.drawImage(trail, 0, 0);
  else for (const box of [...covered, ...fresh]) restore(c, box, room);
  covered = [];
  const heads = [];
  for (const o of active()) {
    const k = Math.min(t, o.walk.steps), here = at(o, k), next = k < o.walk.steps ? at(o, k + 1) : null;
    if (!here) continue;
    const head = next ? [here[0] + part * (next[0] - here[0]), here[1] + part * (next[1] - here[1])] : here;
    const box = [...here, ...here];
    if (next) { // the step itself: what is done of it, and where its velocity goes
      extend(box, next);
      c.strokeStyle = o.colour; c.lineWidth = 2.2 * unit; c.setLineDash(o.dash.map((d) => d * 2 * unit)); c.lineDashOffset = o.length;
      c.beginPath(); c.moveTo(...here); c.lineTo(...head); c.stroke();
      c.setLineDash([]); c.lineWidth = 1.2 * unit; c.globalAlpha = 0.7;
      c.beginPath(); c.moveTo(...head); c.lineTo(...next); c.stroke(); c.globalAlpha = 1;
    }
    covered.push(box); heads.push([o.colour, head]);
  }
  for (const [colour, [x, y]] of heads) dot(c, x, y, 5.5 * unit, colour, "#fff", 1.5 * unit);
  const start = toPixels(...state.start);
  dot(c, ...start, 6 * unit, "#fff", "#222", 2 * unit);
  covered.push([...start, ...start]);
}

function dot(c, x, y, r, fill, line, width) {
  c.setLineDash([]); c.fillStyle = fill; c.strokeStyle = line; c.lineWidth = width;
  c.beginPath(); c.arc(x, y, r, 0, 7); c.fill(); c.stroke();
}

function cross(c, x, y, r) {
  for (const [colour, width] of [["#fff", 5], ["#222", 2]]) {
    c.strokeStyle = colour; c.lineWidth = width * map.width / 600;
    c.beginPath(); c.moveTo(x - r, y); c.lineTo(x + r, y); c.moveTo(x, y - r); c.lineTo(x, y + r); c.stroke();
  }
}
