// All units of a gate or state over time, as a map.
// data: quantities, [orders: [{name, columns: the columns from top to bottom}]]
views.units = (place, data, cursor) => {
  const { quantities, orders = [] } = data;
  cursor.steps ||= quantities[0].grid.rows;
  const height = 256;
  let [from, shown, order, zoomed] = [0, cursor.steps, null, false];
  const columns = () => { const { width } = quantityOf(quantities, cursor).grid; return order?.length === width ? order : Array.from({ length: width }, (_, at) => at); };
  const map = canvasBox({ label: "All units over time: units down, steps across", height, cursor, from: () => from, shown: () => shown,
    rows: () => { const now = quantityOf(quantities, cursor); return [["unit", `step ${cursor.at + 1}`], now.grid.row(cursor.at).map((value, at) => [String(unitNumber(now, at)), number(value)]), now.name]; },
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
    ...(orders.length ? [choice("sort by", [["", "number"], ...orders.map((one) => [one.name, one.name])], "", (name) => { order = orders.find((one) => one.name === name)?.columns ?? null; cursor.tell("all"); })] : []),
    what), map.whole);
  cursor.follow((change) => {
    if (!zoomed) [from, shown] = [0, cursor.steps];
    if (shown < cursor.steps && (cursor.at < from || cursor.at >= from + shown)) { from = Math.max(0, Math.min(cursor.steps - shown, cursor.at - (shown >> 1))); map.draw("all"); } else map.draw(change);
    const now = quantityOf(quantities, cursor);
    what.textContent = `${now.name}: ${now.grid.width} units, steps ${(from + 1).toLocaleString("en")} to ${(from + shown).toLocaleString("en")}`;
  });
};
