// All units of a gate or state over time, as a map.
// data: quantities
const READ = 2000; // steps, spread evenly, from which units are sorted

// How far each unit strays from its mean, or from its value at the step before: the mean square over some steps.
const ORDERS = { "how much it varies": (before, mean) => mean, "how much it changes in a step": (before) => before };
function sorted(grid, from) {
  const steps = Array.from({ length: Math.min(READ, grid.rows - 1) }, (_, at) => 1 + Math.floor((at * (grid.rows - 1)) / Math.min(READ, grid.rows - 1)));
  const far = Array.from({ length: grid.width }, (_, unit) => {
    const known = steps.map((step) => grid.at(step, unit)).filter((value) => !Number.isNaN(value));
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
    return steps.reduce((sum, step) => sum + ((grid.at(step, unit) - from(grid.at(step - 1, unit), mean)) ** 2 || 0), 0);
  });
  return far.map((_, unit) => unit).sort((one, two) => far[two] - far[one]);
}

views.units = (place, { quantities }, cursor) => {
  cursor.steps ||= quantities[0].grid.rows;
  const height = 256;
  let [from, shown, order, zoomed] = [0, cursor.steps, null, false];
  let [of, lines] = [null, []];
  const columns = () => {
    const { grid } = quantityOf(quantities, cursor);
    if (of !== grid) [of, lines] = [grid, order ? sorted(grid, order) : Array.from({ length: grid.width }, (_, at) => at)];
    return lines;
  };
  const map = canvasBox({ label: "All units over time: units down, steps across", height, cursor, from: () => from, shown: () => shown,
    rows: () => { const now = quantityOf(quantities, cursor); return [["unit", `step ${cursor.number(cursor.at)}`], now.grid.row(cursor.at).map((value, at) => [String(unitNumber(now, at)), number(value)]), now.name]; },
    click: (x, y) => { cursor.choose(columns()[Math.floor(y * columns().length)]); cursor.go(from + x * shown - 0.5); },
    paint(context, width) { context.imageSmoothingEnabled = false; context.drawImage(heat(quantityOf(quantities, cursor).grid, columns(), Math.min(shown, Math.round(width)), from, shown), 0, 0, width, height); markUnit(context, width); } });
  function markUnit(context, width) {
    const line = columns().indexOf(cursor.unit);
    context.strokeStyle = style("--ink");
    context.strokeRect(0, (line / columns().length) * height - 1, width, height / columns().length + 2);
  }
  function zoom(by) {
    shown = Math.max(Math.min(20, cursor.steps), Math.min(cursor.steps, Math.round(shown * by)));
    zoomed = shown < cursor.steps;
    from = Math.max(0, Math.min(cursor.steps - shown, cursor.at - (shown >> 1)));
    cursor.tell("all");
  }
  const what = element("span", { class: "soft" });
  place.append(element("div", { class: "controls" },
    element("button", { type: "button", onclick: () => zoom(0.25) }, "Zoom in on the step"),
    element("button", { type: "button", onclick: () => zoom(4) }, "Zoom out"),
    choice("sorted by", [["", "number"], ...Object.keys(ORDERS).map((one) => [one, one])], "", (name) => { [order, of] = [ORDERS[name] ?? null, null]; cursor.tell("all"); }),
    what), map.whole);
  cursor.follow((change) => {
    if (!zoomed) [from, shown] = [0, cursor.steps];
    if (shown < cursor.steps && (cursor.at < from || cursor.at >= from + shown)) { from = Math.max(0, Math.min(cursor.steps - shown, cursor.at - (shown >> 1))); map.draw("all"); } else map.draw(change);
    const now = quantityOf(quantities, cursor);
    what.textContent = `${now.name}: ${now.grid.width} units, steps ${cursor.number(from)} to ${cursor.number(from + shown - 1)}; unit ${unitNumber(now, cursor.unit)} is framed`;
  });
};
