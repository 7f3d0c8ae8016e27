// One answer for a row as it develops: a line for each label, or for the number, over the steps that were read.
// data: tokens, ends: the steps that were read, names, values: (ends, names), shares: whether these are probabilities,
// right: for each name whether it is right, known: the right number
views.developing = (place, { tokens, ends, names, values, shares, right, known }, cursor, title) => {
  cursor.steps ||= tokens.length;
  const nth = () => { let at = 0; while (at + 1 < ends.rows && ends.at(at + 1) <= cursor.at + 1) at += 1; return at; }; // the last prefix that the reader has reached
  const best = (at) => values.row(at).reduce((most, value, name) => (value > values.at(at, most) ? name : most), 0);
  const all = [...values.raw, ...(known === undefined ? [] : [known])].filter((value) => !Number.isNaN(value));
  const [low, high] = shares ? [0, 1] : [Math.min(...all), Math.max(...all)];
  const chart = canvasBox({ label: `${title}: ${shares ? "probabilities" : names[0]} after each step`, height: 160, cursor, click: (x) => cursor.go(x * cursor.steps - 0.5),
    rows: () => [["steps read", "the last", ...names], Array.from({ length: ends.rows }, (_, at) => [String(ends.at(at)), visible(tokens[ends.at(at) - 1]), ...values.row(at).map((value) => number(value))]), title],
    paint(context, width, height) {
      const x = (step) => ((step - 0.5) / cursor.steps) * width;
      const y = (value) => height - 6 - ((value - low) / (high - low || 1)) * (height - 12);
      if (known !== undefined) { context.fillStyle = style("--soft"); context.fillRect(0, y(known), width, 1); wordsAt(context, `right: ${number(known)}`, width - 4, y(known) - 4, "right"); }
      names.forEach((_, name) => {
        const [colour, dash] = LINES[name % LINES.length];
        Object.assign(context, { strokeStyle: style(colour), lineWidth: right[name] ? 3 : 1.5 });
        context.setLineDash(dash);
        context.beginPath();
        for (let at = 0; at < ends.rows; at += 1) context[at ? "lineTo" : "moveTo"](x(ends.at(at)), y(values.at(at, name)));
        context.stroke();
      });
      context.setLineDash([]);
      wordsAt(context, number(high, 2), 3, 12);
      wordsAt(context, number(low, 2), 3, height - 4);
    } });
  const key = element("div", { class: "controls" }, ...names.map((name, at) => {
    const [colour, dash] = LINES[at % LINES.length];
    return element("span", {}, element("span", { class: "line", style: `border-top:${right[at] ? 4 : 2}px ${dash.length ? (dash[0] < 3 ? "dotted" : "dashed") : "solid"} var(${colour})` }), ` ${name}${right[at] && shares ? " (right)" : ""}`);
  }));
  const said = element("p");
  place.append(key, chart.whole, said);
  cursor.follow((change) => {
    const at = nth();
    const token = visible(tokens[ends.at(at) - 1]);
    said.textContent = `after ${number(ends.at(at))} of ${number(tokens.length)} steps, the last of them “${token}”: ${names[shares ? best(at) : 0]}, ${shares ? `probability ${number(values.at(at, best(at)), 2)}` : number(values.at(at, 0))}`;
    chart.draw(change);
  });
};
