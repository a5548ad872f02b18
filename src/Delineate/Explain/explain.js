"use strict";
(() => {
  const formulas = JSON.parse(document.getElementById("sheet").textContent);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const one = (id) => document.getElementById(id);

  // The sheet: every cell is computed from cells before it, as the library's own sheet does.
  const given = formulas.map((f) => (f[0] === "g" ? f[1] ?? NaN : NaN));
  const sum = (values, cells) => cells.reduce((s, c) => s + values[c], 0);
  function evaluate(f, i, v) {
    let s = 0;
    switch (f[0]) {
      case "g": return given[i];
      case "p": for (let k = 1; k < f.length; k += 2) s += v[f[k]] * v[f[k + 1]]; return s;
      case "w": for (let k = 1; k < f.length; k += 2) s += f[k] * v[f[k + 1]]; return s;
      case "m": return f.length > 1 ? Math.max(...f.slice(1).map((c) => v[c])) : 0;
      case "l": return v[f[2]] === f[4] ? NaN : f[1] * v[f[2]] + v[f[3]];
      case "c": return f.slice(2).filter((c) => v[c] === f[1]).length;
      case "r": { const under = sum(v, f[2]); return under === 0 ? NaN : sum(v, f[1]) / under; }
      case "a": { const n = f.slice(1).map((c) => v[c]).filter((x) => !Number.isNaN(x)); return n.length ? n.reduce((a, b) => a + b, 0) / n.length : NaN; }
      default: throw new Error("no formula of kind " + f[0]);
    }
  }
  function compute() {
    const v = new Array(formulas.length);
    formulas.forEach((f, i) => { v[i] = evaluate(f, i, v); });
    return v;
  }

  function format(value) {
    if (!Number.isFinite(value)) return Number.isNaN(value) ? "–" : value > 0 ? "∞" : "−∞";
    let text;
    if (Number.isInteger(value) && Math.abs(value) < 1e7) text = String(value === 0 ? 0 : value);
    else {
      const rounded = Number(value.toExponential(3)), size = Math.abs(rounded);
      text = size >= 1e-3 && size < 1e7 ? String(Number(rounded.toFixed(6))) : rounded.toExponential().replace("e", "E");
    }
    return text.replaceAll("-", "−");
  }
  const mostTerms = 40;
  const joined = (terms, between) => (terms.length === 0 ? "0" : terms.length > mostTerms ? terms.slice(0, mostTerms).join(between) + between + "…" : terms.join(between));
  const bracketed = (x) => (x < 0 ? "(" + format(x) + ")" : format(x));
  function working(name, cell, v) {
    const f = formulas[cell], show = (c) => bracketed(v[c]), pairs = [];
    for (let k = 1; k < f.length; k += 2) pairs.push([f[k], f[k + 1]]);
    const terms = {
      g: () => show(cell),
      p: () => joined(pairs.map(([a, b]) => show(a) + "·" + show(b)), " + "),
      w: () => joined(pairs.map(([w, c]) => bracketed(w) + "·" + show(c)), " + "),
      m: () => "max(" + joined(f.slice(1).map(show), ", ") + ")",
      l: () => f[1] + "·" + show(f[2]) + " + " + show(f[3]),
      c: () => "#(" + format(f[1]) + ")",
      r: () => "(" + joined(f[1].map(show), " + ") + ") / (" + joined(f[2].map(show), " + ") + ")",
      a: () => "mean(" + joined(f.slice(1).filter((c) => !Number.isNaN(v[c])).map(show), ", ") + ")",
    }[f[0]]();
    return name + " = " + terms + " = " + format(v[cell]);
  }

  let before = compute();
  function show() {
    const v = compute();
    all("[data-cell]").forEach((t) => {
      const cell = Number(t.dataset.cell);
      t.textContent = format(v[cell]);
      t.classList.toggle("changed", v[cell] !== before[cell] && !(Number.isNaN(v[cell]) && Number.isNaN(before[cell])));
    });
    all("[data-label]").forEach((r) => {
      const truth = v[r.dataset.truth], label = v[r.dataset.label];
      const tint = truth === Number(r.dataset.ignored) ? "ignored" : truth === label ? "right" : "wrong";
      r.setAttribute("class", "f-" + tint + " o-faint");
    });
    all("[data-working]").forEach((p) => { p.textContent = working(p.dataset.name, Number(p.dataset.working), v); });
    return v;
  }
  const first = [...given];
  all("[data-given]").forEach((input) => input.addEventListener("input", () => {
    const value = Number(input.value);
    if (input.value.trim() === "" || !Number.isFinite(value)) return; // half typed
    given[Number(input.dataset.given)] = value;
    all(".given").forEach((b) => { b.hidden = false; });
    show();
  }));
  one("reset")?.addEventListener("click", () => {
    first.forEach((value, i) => { given[i] = value; });
    all("[data-given]").forEach((input) => { input.value = String(first[Number(input.dataset.given)]); });
    all(".given").forEach((b) => { b.hidden = true; });
    show();
  });

  // One step at a time.
  const steps = all(".step");
  let at = 0, timer = null;
  function go(to) {
    at = Math.min(Math.max(to, 0), steps.length - 1);
    steps.forEach((s, i) => { s.hidden = i !== at; });
    one("place").value = String(at + 1);
    one("count").textContent = at + 1 + " / " + steps.length;
    one("back").disabled = at === 0;
    one("forth").disabled = at === steps.length - 1;
    if (at === steps.length - 1) stop();
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    one("play").textContent = one("play").dataset.play;
  }
  function play() {
    if (timer !== null) return stop();
    if (at === steps.length - 1) go(0);
    timer = setInterval(() => go(at + 1), 1400);
    one("play").textContent = one("play").dataset.pause;
  }
  document.querySelector("nav").hidden = steps.length < 2;
  if (one("editors")) one("editors").hidden = false;
  one("back").addEventListener("click", () => { stop(); go(at - 1); });
  one("forth").addEventListener("click", () => { stop(); go(at + 1); });
  one("play").addEventListener("click", play);
  one("place").addEventListener("input", (e) => { stop(); go(Number(e.target.value) - 1); });
  document.addEventListener("keydown", (e) => {
    if (e.target.matches?.("input[type=number]") || e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "ArrowRight" || e.key === "ArrowLeft") { stop(); go(at + (e.key === "ArrowRight" ? 1 : -1)); e.preventDefault(); }
    else if (e.key === "Home" || e.key === "End") { stop(); go(e.key === "Home" ? 0 : steps.length - 1); e.preventDefault(); }
    else if (e.key === " " && !e.target.matches?.("button, summary")) { play(); e.preventDefault(); }
  });
  const wanted = /^#step(\d+)$/.exec(location.hash);
  go(wanted ? Number(wanted[1]) - 1 : 0);
  window.explainSheet = { values: compute, set: (cell, value) => { given[cell] = value; return show(); } };
})();
