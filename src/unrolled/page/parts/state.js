// The state that a live session carries: a line for each unit, a column for each time that it was looked at.
const [WIDEST, LOOKS] = [1024, 200]; // units that are drawn, columns

// The vectors in a snapshot, which is a file of safetensors: name -> values.
function vectorsOf(buffer) {
  const from = 8 + Number(new DataView(buffer).getBigUint64(0, true));
  const parts = Object.entries(JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, from - 8))));
  return new Map(parts.filter(([, { dtype, shape }]) => dtype === "F32" && shape.length === 2 && shape[1] <= WIDEST)
    .map(([name, { data_offsets: [first, end] }]) => [name.replace("state.", ""), new Float32Array(buffer.slice(from + first, from + end))]));
}

views.state = (place, _, cursor) => {
  let [looks, name, busy] = [[], "", false];
  const chart = canvasBox({ label: "The state: a line for each unit, over the last looks at it", height: 140,
    rows: () => [["unit", "value"], Array.from(looks.at(-1).get(name), (value, unit) => [String(unit), number(value)]), name],
    paint(context, width, height) {
      const drawn = looks.map((one) => one.get(name));
      const most = drawn.flatMap((one) => [...one]).reduce((so, value) => Math.max(so, Math.abs(value)), 1e-9);
      const raw = Uint8Array.from(drawn.flatMap((one) => Array.from(one, (value) => Math.round(((value / most + 1) / 2) * LEVELS))));
      const units = drawn[0].length;
      context.imageSmoothingEnabled = false;
      context.drawImage(heat({ raw, width: units, low: -most, high: most }, [...drawn[0].keys()], Math.ceil(width), 0, drawn.length), 0, 0, width, height);
      wordsAt(context, `−${number(most, 2)} (blue) to ${number(most, 2)} (red)`, 3, height - 4);
    } });
  const picked = element("div", { class: "controls" });
  const whole = element("div", { hidden: true }, picked, chart.whole);
  place.append(whole);
  const draw = () => { whole.hidden = looks.length === 0; if (looks.length) chart.draw("all"); };
  cursor.look = async (asking, live) => {
    if (busy || !live.id) return;
    busy = true;
    const found = await asking.ask(`/v1/sessions/${live.id}/snapshot`).then((answer) => answer.arrayBuffer()).then(vectorsOf).catch(() => new Map()); // it may have ended
    busy = false;
    if (!found.size) return;
    if (!found.has(name)) {
      [name] = found.keys();
      looks = [];
      picked.replaceChildren(choice("state", [...found.keys()].map((one) => [one, one]), name, (one) => { name = one; draw(); }));
    }
    looks = [...looks, found].slice(-LOOKS);
    draw();
  };
  cursor.forget = () => { [looks, name] = [[], ""]; draw(); };
  cursor.follow(draw);
};
