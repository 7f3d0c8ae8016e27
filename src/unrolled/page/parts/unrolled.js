// The network unrolled: some steps around the cursor, x_t → box → h_t → y_t, with the model's own numbers on the arrows,
// and the equation of a gate with the numbers in it.
// data: tokens, answers: [text or null of each step], cells: [{name, gates, states: names, units: numbers of the units that
// are shown, whole: these are all, values: {name: numbers of T rows}, sizes: {x, states: norms, gates: means}, inputs: all
// of x or null, equations: [{name, says, tree}]}]
const NUMBER = 31; // px: as wide as a number
const ROW = 13;
const DIGITS = 4; // so that what is shown adds up to within 0.001
const RANKS = { "+": 1, "-": 1, "*": 2, "/": 2 };
const SIGNS_OF = { "*": "·", sigmoid: "σ" };
const APPLY = { "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (a, b) => a * b, "/": (a, b) => a / b, sigmoid: (a) => 1 / (1 + Math.exp(-a)), tanh: Math.tanh, relu: (a) => Math.max(a, 0), exp: Math.exp, maximum: Math.max };

const worked = (tree, leaf) => (typeof tree === "string" ? leaf(tree) : Array.isArray(tree) ? APPLY[tree[0]](...tree.slice(1).map((part) => worked(part, leaf))) : tree);

function written(tree, leaf, outer = 0) {
  if (typeof tree === "string") return leaf(tree);
  if (!Array.isArray(tree)) return String(tree);
  const [sign, ...parts] = tree;
  const rank = RANKS[sign];
  if (!rank) return `${SIGNS_OF[sign] ?? sign}(${parts.map((part) => written(part, leaf).replace(/^\(([^()]*)\)$/, "$1")).join(", ")})`;
  const text = `${written(parts[0], leaf, rank)} ${SIGNS_OF[sign] ?? sign} ${written(parts[1], leaf, rank + (sign === "-" || sign === "/"))}`;
  return rank < outer ? `(${text})` : text;
}

const boxOf = (cell) => Math.max(80, (cell.whole ? NUMBER * cell.gates.length : 0) + 12); // px
const stepOf = (cell) => boxOf(cell) + 2 * NUMBER + 10;
const short = (value) => (Number.isNaN(value) ? "no value" : value.toFixed(2));
const symbolOf = (name) => name.replace(/_before$/, "₋₁");
const inBrackets = (value) => (value < 0 ? `(${value.toFixed(DIGITS)})` : value.toFixed(DIGITS));

function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value); else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const label = (x, y, text, more = {}) => drawn("text", { x, y, "font-size": 11, fill: "var(--ink)", ...more }, text);
const arrow = (x1, y1, x2, y2) => drawn("line", { x1, y1, x2, y2, stroke: "var(--line)", "stroke-width": 1.5, "marker-end": "url(#head)" });

views.unrolled = (place, data, cursor, title) => {
  const { tokens, answers, cells } = data;
  cursor.steps ||= tokens.length;
  cursor.describe ??= (step) => visible(tokens[step]);
  let [cell, chosen] = [cells[0], cells[0].equations.at(-1).name];
  const box = element("div", { class: "scroll", style: "max-height:none", tabindex: "0", role: "group", "aria-label": `${title}. Arrow keys move the step.` });
  const gates = element("div", { class: "controls", role: "group", "aria-label": `${title}: which equation` });
  const equation = element("div", { class: "scroll", style: "max-height:none", tabindex: "0", role: "region", "aria-label": `${title}: the equation with its numbers` });

  function choose(name) {
    chosen = name;
    draw();
    say(`equation of ${name}`);
  }
  // Made once for a cell, so that the one that is pressed keeps the focus.
  let of = null;
  function buttons() {
    if (of !== cell) gates.replaceChildren("equation of", ...cell.equations.map(({ name, says }) => element("button", { type: "button", "data-name": name, onclick: () => choose(name) }, name === says ? name : `${name}, ${says}`)));
    of = cell;
    for (const button of gates.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.name === chosen));
  }

  // The numbers of a value at a step: all of them, or how large they are in all.
  function numbers(name, step, x, y, columns, tinted) {
    const values = cell.values[name];
    if (!cell.whole) return [label(x, y, `${cell.states.includes(name) ? "norm" : "mean"} ${short(cell.sizes[name].at(step))}`)];
    return cell.units.flatMap((unit, at) => {
      const value = values.at(step, at);
      const [left, top] = [x + (at % columns) * NUMBER, y + Math.floor(at / columns) * ROW];
      const tint = drawn("rect", { x: left - 1, y: top - 10, width: NUMBER - 2, height: ROW, fill: value < 0 ? "var(--low)" : "var(--high)", "fill-opacity": (Math.min(1, Math.abs(value)) * 0.35).toFixed(2) });
      return [...(tinted ? [tint] : []), label(left, top, Number.isNaN(value) ? "–" : value.toFixed(2), { "data-name": name, "data-unit": unit, "data-step": step })];
    });
  }

  function column(step, left, height) {
    const [from, wide] = [46, boxOf(cell)];
    const marks = [];
    const here = step === cursor.at;
    marks.push(drawn("rect", { x: left, y: from, width: wide, height, rx: 5, fill: "var(--bg)", stroke: here ? "var(--accent)" : "var(--line)", "stroke-width": here ? 3 : 1, style: "cursor:pointer", onclick: () => cursor.go(step) }));
    cell.gates.forEach((name, at) => {
      const x = left + 8 + (cell.whole ? at * NUMBER : 0);
      const y = from + 16 + (cell.whole ? 0 : at * 26);
      marks.push(label(x, y, name, { "font-weight": name === chosen ? 700 : 400, "text-decoration": "underline", style: "cursor:pointer;fill:var(--accent)", onclick: () => { cursor.go(step); choose(name); } }));
      marks.push(...numbers(name, step, x, y + ROW, 1, true));
    });
    if (!cell.gates.length) marks.push(label(left + 8, from + 16, SIGNS_OF[cell.equations[0].tree[0]] ?? cell.equations[0].tree[0]));
    const middle = left + wide / 2;
    // Up from x, up to y, and on to the next step.
    marks.push(arrow(middle, from + height + 42, middle, from + height + 3), label(left, from + height + 58, `x  ${visible(tokens[step])}`, { "font-weight": 700 }));
    const { inputs } = cell;
    const read = inputs ? inputs.row(step).map((value) => value.toFixed(2)) : cell.sizes.x ? [`norm ${short(cell.sizes.x.at(step))}`] : [];
    read.forEach((text, at) => marks.push(label(middle + 5 + (at % 2) * NUMBER, from + height + 14 + Math.floor(at / 2) * 10, text, { "font-size": 10, ...(inputs ? { "data-name": "x", "data-unit": at, "data-step": step } : {}) })));
    marks.push(arrow(middle, from - 3, middle, 20), label(left, 12, answers[step] === null ? "y" : `y  ${answers[step]}`, { "font-weight": 700 }), label(middle + 5, 36, "h"));
    cell.states.forEach((name, at) => {
      const y = from + 20 + at * (height / cell.states.length);
      marks.push(arrow(left + wide + 1, y, left + stepOf(cell) - 3, y), label(left + wide + 4, y - 4, name, { "text-decoration": "underline", "font-weight": name === chosen ? 700 : 400, style: "cursor:pointer;fill:var(--accent)", onclick: () => { cursor.go(step); choose(name); } }), ...numbers(name, step, left + wide + 4, y + ROW, 2, false));
    });
    return marks;
  }

  function draw() {
    buttons();
    const shown = Math.max(1, Math.min(5, tokens.length, Math.floor((box.clientWidth || 1000) / stepOf(cell))));
    const from = Math.max(0, Math.min(tokens.length - shown, cursor.at - (shown >> 1)));
    const lines = cell.whole ? Math.max(cell.units.length + 2, cell.states.length * (Math.ceil(cell.units.length / 2) + 3)) : 2 * Math.max(cell.gates.length, cell.states.length) + 1;
    const height = lines * ROW;
    const steps = Array.from({ length: shown }, (_, at) => from + at);
    box.replaceChildren(drawn("svg", { width: shown * stepOf(cell), height: height + 110, role: "img", style: "max-width:none", "aria-label": `Steps ${cursor.number(from)} to ${cursor.number(from + shown - 1)} of ${cursor.number(0)} to ${cursor.number(tokens.length - 1)}; ${cell.name}` },
      drawn("defs", {}, drawn("marker", { id: "head", viewBox: "0 0 6 6", refX: 5, refY: 3, markerWidth: 6, markerHeight: 6, orient: "auto-start-reverse" }, drawn("path", { d: "M0 0 L6 3 L0 6 z", fill: "var(--line)" }))),
      ...steps.flatMap((step, at) => column(step, at * stepOf(cell) + 4, height))));
    explain();
  }

  function explain() {
    const { name, says, tree } = cell.equations.find((one) => one.name === chosen);
    const at = (unit) => (of) => cell.values[of].at(cursor.at, unit);
    const rounded = (unit) => (of) => +at(unit)(of).toFixed(DIGITS);
    const rows = cell.units.map((unit, column) => {
      const found = worked(tree, rounded(column));
      return [String(unit), element("code", { style: "white-space:nowrap" }, `${written(tree, (of) => inBrackets(at(column)(of)))} = ${found.toFixed(DIGITS)}`), at(column)(name).toFixed(DIGITS), Math.abs(found - at(column)(name)) < 1e-3 ? "adds up" : "does not add up"];
    });
    equation.replaceChildren(element("p", {}, element("code", {}, `${name} = ${written(tree, symbolOf)}`), says === name ? "" : `: ${says}, step ${cursor.number(cursor.at)}`),
      table(["unit", "with its numbers", `the model's ${name}`, "so it"], rows, `${title}: ${name}`));
  }

  const layers = cells.length > 1 ? [choice("layer", cells.map((one, at) => [at, one.name]), 0, (at) => { cell = cells[at]; if (!cell.equations.some((one) => one.name === chosen)) chosen = cell.equations.at(-1).name; draw(); })] : [];
  moveByKeys(box, cursor);
  place.append(element("div", { class: "controls" }, ...layers, element("span", { class: "soft" }, cells.some((one) => !one.whole) ? "norms of x and states, means of gates; the equations show some of the units" : "every number of every unit")),
    box, gates, equation, element("p", { class: "soft" }, "h₋₁ is h at the step before; x_ and h_ are what the weights make of x and of h₋₁ for a gate, with their bias; σ is the sigmoid."), stepControls(cursor));
  cursor.follow((change) => { if (change !== "unit") draw(); });
};
