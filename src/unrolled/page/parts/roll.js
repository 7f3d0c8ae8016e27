// A roll: channels up, steps across. A cell is as dark as it was expected; what came has a frame, red where that was missed.
// data: names, chances: of T steps and each channel, came: 0, 1, or 2 for "not known"
views.roll = (place, { names, chances, came }, cursor, title) => {
  cursor.steps ||= chances.rows;
  const [shown, tall] = [Math.min(120, cursor.steps), Math.max(4, Math.min(14, Math.floor(360 / names.length)))];
  const from = () => Math.max(0, Math.min(cursor.steps - shown, Math.floor(cursor.at / shown) * shown));
  let painted = -1;
  const kinds = [["expected and came", (p, is) => p > 0.5 && is === 1], ["missed", (p, is) => p <= 0.5 && is === 1], ["expected in vain", (p, is) => p > 0.5 && is === 0]];
  const of = (step, test) => names.filter((_, at) => test(chances.at(step, at), came.at(step, at)));
  const map = canvasBox({ label: `${title}: channels up, steps across; the darker, the more expected; a frame is what came`, height: tall * names.length, cursor, from, shown: () => shown,
    rows: () => [["channel", "probability", "came"], names.map((name, at) => [name, number(chances.at(cursor.at, at), 2), ["no", "yes", "not known"][came.at(cursor.at, at)]]).reverse(), `${title}, step ${cursor.number(cursor.at)}`],
    click: (x) => cursor.go(from() + x * shown - 0.5),
    paint(context, width, height) {
      painted = from();
      const wide = width / shown;
      const [ink, wrong, vain] = ["--accent", "--high", "--mark2"].map(style);
      for (let x = 0; x < shown; x += 1) for (let at = 0; at < names.length; at += 1) {
        const [p, is] = [chances.at(painted + x, at), came.at(painted + x, at)];
        const box = [x * wide + 0.5, height - (at + 1) * tall + 0.5, Math.max(1, wide - 1), tall - 1];
        context.globalAlpha = Number.isNaN(p) ? 0 : p;
        context.fillStyle = p > 0.5 && is === 0 ? vain : ink;
        context.fillRect(...box);
        context.globalAlpha = 1;
        context.strokeStyle = p > 0.5 ? ink : wrong;
        if (is === 1) context.strokeRect(...box);
      }
    } });
  const said = element("p");
  const key = element("p", { class: "soft" }, "Shade: probability, from one step before. Frame: it came; red where it was not expected. Orange: expected in vain.");
  place.append(key, map.whole, said);
  cursor.follow((change) => {
    map.draw(painted === from() ? change : "all");
    said.textContent = kinds.map(([name, test]) => `${name}: ${of(cursor.at, test).join(" ") || "none"}`).join("; ");
  });
};
