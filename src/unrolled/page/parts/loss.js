// The loss of each step, and the worst of them.
// data: loss: numbers of one column, unit, worst: [{step, loss, came, expected}]
views.loss = (place, { loss, unit, worst }, cursor) => {
  cursor.steps ||= loss.rows;
  let most = 0;
  for (const value of loss.raw) if (value > most) most = value;
  const strip = canvasBox({ label: `Loss at each step, in ${unit}`, height: 80, cursor, click: (x) => cursor.go(x * cursor.steps - 0.5),
    rows: () => [["step", unit, "came", "expected"], worst.map((one) => [String(one.step + 1), number(one.loss), one.came, one.expected]), "The worst steps"],
    paint(context, width, height) {
      context.fillStyle = style("--accent");
      for (let x = 0; x < width; x += 1) {
        const [first, stop] = stepsOf(x, width, 0, cursor.steps);
        let value = 0;
        for (let step = first; step < stop; step += 1) if (loss.raw[step] > value) value = loss.raw[step];
        const tall = (value / (most || 1)) * (height - 4);
        context.fillRect(x, height - tall, 1, tall);
      }
    } });
  const list = element("p", {}, `Worst, in ${unit}: `, ...worst.flatMap((one) => [element("button", { type: "button", onclick: () => cursor.go(one.step) }, `step ${one.step + 1}: ${number(one.loss, 2)}`), " "]));
  place.append(strip.whole, ...(worst.length ? [list] : []));
  cursor.follow((change) => strip.draw(change));
};
