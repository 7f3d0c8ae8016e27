// Numbers over time, a strip for each kind, with a few lines in it.
// data: strips: [{name, values: of T steps and each line, [low, high]}], line: what a line is, such as "head"
views.strips = (place, { strips, line }, cursor, title) => {
  cursor.steps ||= strips[0].values.rows;
  const said = element("p");
  const boxes = strips.map(({ name, values, low, high }) => {
    let [least, most] = [Infinity, -Infinity];
    for (const value of values.raw) { if (value < least) least = value; if (value > most) most = value; }
    const [from, to] = [low ?? Math.min(0, least), high ?? most];
    const box = canvasBox({ label: `${name} at each step, a line for each ${line}`, height: 64, cursor, click: (x) => cursor.go(x * cursor.steps - 0.5),
      rows: () => [["step", ...values.row(0).map((_, at) => `${line} ${at}`)], around(cursor).map((step) => [cursor.number(step), ...values.row(step).map((value) => number(value))]), name],
      paint(context, width, height) {
        for (let at = 0; at < values.width; at += 1) {
          const [colour, dash] = LINES[at % LINES.length];
          context.setLineDash(dash);
          linePath(context, width, (step) => values.at(step, at), 0, cursor.steps, (value) => height - 4 - ((value - from) / (to - from || 1)) * (height - 8));
          context.strokeStyle = style(colour);
          context.stroke();
        }
        context.setLineDash([]);
      } });
    box.whole.prepend(element("p", { class: "soft" }, `${name}, from ${number(from, 2)} to ${number(to, 2)}`));
    return box;
  });
  place.append(said, ...boxes.map((box) => box.whole));
  cursor.follow((change) => {
    for (const box of boxes) box.draw(change);
    said.textContent = `step ${cursor.number(cursor.at)}: ${strips.map(({ name, values }) => `${name} ${values.row(cursor.at).slice(0, 8).map((value) => number(value, 2)).join(", ")}`).join("; ")}`;
  });
};
