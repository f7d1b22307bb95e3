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
