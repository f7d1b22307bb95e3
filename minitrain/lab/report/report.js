"use strict";
// Theme, tables that sort, and learning curves against other clocks. The numbers stand in #data;
// without this script the page shows the same curves against epochs.
(() => {
  const root = document.documentElement, theme = document.getElementById("theme");
  const paint = (dark) => {
    root.classList.toggle("dark", dark);
    theme.setAttribute("aria-pressed", String(dark));
  };
  paint(matchMedia("(prefers-color-scheme: dark)").matches);
  theme.addEventListener("click", () => paint(!root.classList.contains("dark")));
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));

  const valueOf = (cell) => {
    const text = cell.dataset.value ?? cell.textContent.trim();
    if (text === "missed" || text === "inf") return Infinity;
    const number = parseFloat(text);
    return Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b || 0;
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a < b ? -1 : a > b ? 1 : 0;
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    table.querySelectorAll("thead th").forEach((th, column) => {
      th.querySelector("button").addEventListener("click", () => {
        const down = th.getAttribute("aria-sort") === "ascending";
        table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
        th.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0], rows = [...body.rows];
        rows.sort((a, b) => (down ? -1 : 1) * compare(valueOf(a.cells[column]), valueOf(b.cells[column])));
        body.append(...rows);
      });
    });
  }

  const W = 420, H = 260, L = 58, R = 10, T = 12, B = 40;
  const dashes = ["", "6 3", "2 3", "8 3 2 3"];
  const charts = JSON.parse(document.getElementById("data").textContent);
  const label = (v) => String(Number(v.toPrecision(4)));
  const niceTicks = (low, high) => {
    const raw = (high - low) / 5, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
    const ticks = [];
    for (let i = Math.ceil(low / step - 1e-9); i <= high / step + 1e-9; i++) ticks.push(i * step);
    return ticks;
  };
  const axis = (values, start, stop, log) => {
    const shown = (v) => Number.isFinite(v) && (v > 0 || !log);
    const fine = values.filter(shown);
    let low = Math.min(...fine), high = Math.max(...fine);
    if (!fine.length) [low, high] = [1, 10];
    if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
    const f = log ? Math.log10 : (v) => v;
    const at = (v) => start + ((stop - start) * (f(v) - f(low))) / (f(high) - f(low));
    let ticks = niceTicks(low, high).filter((v) => v > 0 || !log);
    const first = Math.ceil(f(low)), last = Math.floor(f(high));
    if (log && last - first >= 1) {
      ticks = [];
      for (let e = first; e <= last; e += Math.ceil((last - first + 1) / 6)) ticks.push(10 ** e);
    }
    return { at, shown, ticks };
  };
  const make = (name, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const draw = (figure, series, clock, xlog, ylog) => {
    const svg = figure.querySelector("svg");
    const lines = series.map((s) => ({ ...s, at: s.x.map((x) => x * s[clock]) }));
    const X = axis(lines.flatMap((s) => s.at), L, W - R, xlog);
    const Y = axis(lines.flatMap((s) => [...s.y, ...s.low, ...s.high]), H - B, T, ylog);
    const nodes = [make("path", { class: "axis", d: `M${L} ${T}V${H - B}H${W - R}` })];
    for (const v of X.ticks) {
      nodes.push(make("path", { class: "grid", d: `M${X.at(v)} ${T}V${H - B}` }));
      nodes.push(make("text", { class: "mid", x: X.at(v), y: H - B + 14 }, label(v)));
    }
    for (const v of Y.ticks) {
      nodes.push(make("path", { class: "grid", d: `M${L} ${Y.at(v)}H${W - R}` }));
      nodes.push(make("text", { class: "end", x: L - 5, y: Y.at(v) + 3.5 }, label(v)));
    }
    const words = clock.replace("_", " ");
    nodes.push(make("text", { class: "mid", x: (L + W - R) / 2, y: H - 8 }, words));
    nodes.push(make("text", { class: "mid", transform: `translate(12 ${(T + H - B) / 2}) rotate(-90)` }, "validation loss"));
    const point = (x, y) => `${X.at(x).toFixed(1)},${Y.at(y).toFixed(1)}`;
    for (const s of lines) {
      const rows = s.at.map((x, i) => [x, s.low[i], s.high[i]]).filter((r) => X.shown(r[0]) && Y.shown(r[1]) && Y.shown(r[2]));
      const there = rows.map((r) => point(r[0], r[1])), back = rows.map((r) => point(r[0], r[2])).reverse();
      if (rows.length > 1) nodes.push(make("polygon", { class: `band c${s.number % 8}`, points: [...there, ...back].join(" ") }));
    }
    for (const s of lines) {
      const points = s.at.map((x, i) => [x, s.y[i]]).filter((p) => X.shown(p[0]) && Y.shown(p[1])).map((p) => point(...p));
      const line = make("polyline", { class: `line c${s.number % 8}`, points: points.join(" ") });
      const dash = dashes[Math.floor(s.number / 8) % 4];
      if (dash) line.setAttribute("stroke-dasharray", dash);
      line.append(make("title", {}, s.name));
      nodes.push(line);
    }
    svg.replaceChildren(...nodes);
    svg.setAttribute("aria-label", `${figure.querySelector("figcaption").textContent}: validation loss against ${words} for ${series.map((s) => s.name).join(", ")}`);
  };
  const controls = document.getElementById("controls");
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("change", () => {
    const { clock, xlog, ylog } = controls.elements;
    for (const figure of document.querySelectorAll("figure[data-chart]")) {
      draw(figure, charts[Number(figure.dataset.chart)], clock.value, xlog.checked, ylog.checked);
    }
  });
})();
