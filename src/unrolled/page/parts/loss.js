// The loss of each step, and the worst of them.
// data: loss: numbers of one column, unit
views.loss = (place, { loss, unit }, cursor) => {
  cursor.steps ||= loss.rows;
  const strip = canvasBox({ label: `Loss at each step, in ${unit}`, height: 80, cursor, click: (x) => cursor.go(x * cursor.steps - 0.5),
    rows: () => [["step", unit], worst().map((step) => [cursor.number(step), number(loss.at(step))]), "The worst steps"],
    paint(context, width, height) {
      const most = worst().length ? loss.at(worst()[0]) : 1;
      context.fillStyle = style("--accent");
      for (let x = 0; x < width; x += 1) {
        const [first, stop] = stepsOf(x, width, 0, cursor.steps);
        let value = 0;
        for (let step = first; step < stop; step += 1) if (loss.raw[step] > value) value = loss.raw[step];
        const tall = (value / (most || 1)) * (height - 4);
        context.fillRect(x, height - tall, 1, tall);
      }
    } });
  const list = element("p");
  let found = null;
  function worst() {
    found ??= Array.from({ length: loss.rows }, (_, step) => step).filter((step) => loss.raw[step] > 0).sort((one, two) => loss.raw[two] - loss.raw[one]).slice(0, 5);
    return found;
  }
  place.append(strip.whole, list);
  cursor.follow((change) => {
    if (change === "all") {
      found = null;
      list.replaceChildren(`Worst, in ${unit}: `, ...worst().flatMap((step) => [element("button", { type: "button", onclick: () => cursor.go(step) }, `step ${cursor.number(step)}: ${number(loss.at(step), 2)}`), " "]));
    }
    strip.draw(change);
  });
};
