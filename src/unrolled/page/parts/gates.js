// Every gate and state at this step: the chosen unit, the mean, and how many units are nearly closed or open.
// data: quantities
views.gates = (place, { quantities }, cursor, title) => {
  const rows = element("div");
  place.append(rows);
  cursor.steps ||= quantities[0].grid.rows;
  cursor.follow(() => {
    quantityOf(quantities, cursor);
    rows.replaceChildren(table(["value", "chosen unit", "mean", "below 0.1", "above 0.9"], quantities.map(({ name, grid, gate }) => {
      const values = grid.row(cursor.at);
      const known = values.filter((value) => !Number.isNaN(value));
      const share = (test) => (gate && known.length ? `${Math.round((100 * known.filter(test).length) / known.length)} %` : "");
      return [name, cursor.unit < values.length ? number(values[cursor.unit], 2) : "", number(known.reduce((sum, value) => sum + value, 0) / known.length, 2), share((value) => value < 0.1), share((value) => value > 0.9)];
    }), title));
  });
};
