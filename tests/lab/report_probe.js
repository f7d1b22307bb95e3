// Runs at the end of a report: use everything that can be used, and return what came of it.
const chart = document.querySelector("figure[data-chart]");
const line = () => chart.querySelector("polyline").getAttribute("points");
const controls = document.getElementById("controls");
const set = (change) => {
  change(controls.elements);
  controls.dispatchEvent(new Event("change"));
  return line();
};
const start = line();
const same = set(() => {});
const seconds = set((e) => { e.clock.value = "seconds"; });
const words = chart.querySelector("svg").getAttribute("aria-label");
const linear = set((e) => { e.ylog.checked = false; });
const xlog = set((e) => { e.ylog.checked = true; e.xlog.checked = true; });

const table = document.querySelector("#accuracy table");
const column = () => [...table.tBodies[0].rows].map((row) => row.cells[3].textContent);
const head = table.querySelectorAll("thead th")[3];
head.querySelector("button").click();
const up = column(), ascending = head.getAttribute("aria-sort");
head.querySelector("button").click();
const down = column();

const theme = document.getElementById("theme");
const paper = () => getComputedStyle(document.body).backgroundColor;
const before = paper();
theme.click();
const after = paper();
const reachable = document.querySelectorAll("th button, #controls input, nav a, #theme, summary");
const focusable = [...reachable].every((node) => node.tabIndex === 0);
return {
  start, same, seconds, words, xlog, linear, up, ascending, down, before, after, focusable,
};
