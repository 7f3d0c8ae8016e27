// Forecasts: what was known, the point forecast, its intervals, and what came.
// data: channels, values: of the row from step `start` on, ends: the steps that were known at each origin, ahead: steps of a forecast,
// middle: of each origin, ahead · channels numbers, bands: [{percent, low, high}], the widest first
views.fan = (place, data, cursor, title) => {
  const { channels, values, start, ends, ahead, middle, bands } = data;
  const along = ahead === 1 && ends.rows > 20; // every step is an origin
  cursor.steps ||= ends.rows;
  if (!along) cursor.word = "origin";
  let channel = 0;
  const came = (step) => (step - start >= 0 && step - start < values.rows ? values.at(step - start, channel) : NaN);
  const at = (numbers, origin, h) => numbers.at(origin, h * channels.length + channel);
  const origin = () => Math.min(cursor.at, ends.rows - 1);
  const page = Math.min(200, ends.rows);
  const from = () => (along ? ends.at(Math.max(0, Math.min(ends.rows - page, Math.floor(origin() / page) * page))) : Math.max(start, ends.at(origin()) - Math.max(24, 3 * ahead)));
  const until = () => (along ? from() + page : ends.at(origin()) + ahead);
  let painted = -1;
  // The points of the forecasts that are in the picture: [step, origin, steps ahead].
  const points = () => (along ? Array.from({ length: page }, (_, x) => [from() + x, from() - ends.at(0) + x, 0]) : Array.from({ length: ahead }, (_, h) => [ends.at(origin()) + h, origin(), h]));
  const wide = bands[0];
  const chart = canvasBox({ label: `${title}: the values, the forecast and its intervals`, height: 220, cursor: along ? cursor : null, from: () => from() - ends.at(0), shown: () => page,
    click: along ? (x) => cursor.go(from() - ends.at(0) + x * page - 0.5) : undefined,
    rows: () => [["step", "forecast", ...(wide ? ["from", "to"] : []), "came"], (along ? around(cursor).map((o) => [ends.at(o), o, 0]) : points()).map(([step, o, h]) => [cursor.number(step), number(at(middle, o, h)), ...(wide ? [number(at(wide.low, o, h)), number(at(wide.high, o, h))] : []), number(came(step))]), title],
    paint(context, width, height) {
      painted = origin();
      const [first, shown, drawn] = [from(), until() - from(), points()];
      const known = Array.from({ length: shown }, (_, x) => [first + x, came(first + x)]);
      const all = [...known.map(([, value]) => value), ...drawn.flatMap(([, o, h]) => [at(middle, o, h), ...(wide ? [at(wide.low, o, h), at(wide.high, o, h)] : [])])].filter((value) => !Number.isNaN(value));
      const [low, high] = [Math.min(...all), Math.max(...all)];
      const x = (step) => ((step - first + 0.5) / shown) * width;
      const y = (value) => height - 16 - ((value - low) / (high - low || 1)) * (height - 24);
      const path = (list) => { context.beginPath(); let on = false; for (const [step, value] of list) { if (Number.isNaN(value)) on = false; else { context[on ? "lineTo" : "moveTo"](x(step), y(value)); on = true; } } };
      context.fillStyle = style("--accent");
      context.globalAlpha = 0.2;
      for (const band of bands) {
        path([...drawn.map(([step, o, h]) => [step, at(band.high, o, h)]), ...drawn.map(([step, o, h]) => [step, at(band.low, o, h)]).reverse()]);
        context.fill();
      }
      context.globalAlpha = 1;
      context.lineWidth = 1.5;
      for (const [list, colour, dash] of [[known, "--ink", []], [drawn.map(([step, o, h]) => [step, at(middle, o, h)]), "--accent", [6, 3]]]) {
        context.strokeStyle = context.fillStyle = style(colour);
        context.setLineDash(dash);
        path(list);
        context.stroke();
        if (shown <= 80) for (const [step, value] of list) if (!Number.isNaN(value)) context.fillRect(x(step) - 2, y(value) - 2, 4, 4);
      }
      context.setLineDash([]);
      if (!along) { context.fillStyle = style("--soft"); context.fillRect(x(ends.at(painted) - 0.5), 0, 1, height - 16); wordsAt(context, "forecast from here", x(ends.at(painted) - 0.5) + 4, 11); }
      wordsAt(context, number(high, 2), 3, 11);
      wordsAt(context, number(low, 2), 3, height - 18);
      wordsAt(context, `step ${cursor.number(first)}`, 3, height - 4);
      wordsAt(context, `step ${cursor.number(until() - 1)}`, width - 3, height - 4, "right");
    } });
  const said = element("p");
  function says() {
    const [first, o] = [ends.at(origin()), origin()];
    const one = (h) => `${number(at(middle, o, h))}${wide ? ` (${number(at(wide.low, o, h))} to ${number(at(wide.high, o, h))})` : ""}, came ${number(came(first + h))}`;
    return along ? `step ${cursor.number(first)}: expected ${one(0)}` : `from step ${cursor.number(first)}: one step ahead ${one(0)}${ahead > 1 ? `; ${ahead} steps ahead ${one(ahead - 1)}` : ""}`;
  }
  const key = element("p", { class: "soft" }, `Line: what came. Dashes: the forecast.${bands.length ? ` Shade: ${bands.map((band) => `${+band.percent.toFixed(3)} %`).join(", ")} of the values should be in it.` : ""}`);
  const pick = channels.length > 1 ? [element("div", { class: "controls" }, choice("channel", channels.map((name, nth) => [nth, name]), 0, (nth) => { channel = +nth; painted = -1; cursor.tell("all"); }))] : [];
  place.append(...pick, key, chart.whole, said, ...(along ? [] : [stepControls(cursor)]));
  if (!along) cursor.describe = says;
  cursor.follow((change) => {
    const same = along ? painted >= 0 && Math.floor(painted / page) === Math.floor(origin() / page) : painted === origin();
    chart.draw(same ? change : "all");
    said.textContent = says();
  });
};
