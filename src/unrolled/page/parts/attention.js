// Attention: every head small, one large; the step that looks and what it looks at are marked in the words.
// data: rows: words of the steps that look, columns: of those that are looked at, first: the first kept column of each row,
// heads: [{name, bits, distance}], maps: of each head the square roots of the weights from `first` on
views.attention = (place, { rows, columns, first, heads, maps }, cursor, title) => {
  cursor.steps ||= rows.length;
  const steps = maps[0].rows;
  const row = () => Math.min(cursor.at, steps - 1);
  const weight = (head, step, column) => { const at = column - first.at(step); return at < 0 || at >= maps[head].width ? 0 : maps[head].at(step, at) ** 2; };
  const same = rows.length === columns.length && rows.every((word, at) => word === columns[at]);
  const numberOf = (column) => (same ? cursor : cursorOf("row")).number(column); // what is written looks at the row
  let [chosen, painted] = [0, -1];
  const boxes = [];
  // The part of the map that is drawn: all, or a window around the step.
  const most = 256;
  const span = () => { const tall = Math.min(steps, most); const from = Math.max(0, Math.min(steps - tall, Math.floor(row() / tall) * tall)); const wide = Math.min(columns.length, most); return { from, tall, left: columns.length <= most ? 0 : Math.max(0, Math.min(columns.length - wide, first.at(from) + maps[0].width - wide)), wide }; };
  function paint(head, context, width, height) {
    const { from, tall, left, wide } = span();
    context.fillStyle = style("--accent");
    for (let y = 0; y < tall; y += 1) for (let x = 0; x < wide; x += 1) {
      const share = weight(head, from + y, left + x);
      if (!(share > 0.004)) continue;
      context.globalAlpha = Math.min(1, Math.sqrt(share));
      context.fillRect((x / wide) * width, (y / tall) * height, Math.max(1, width / wide - 0.3), Math.max(1, height / tall - 0.3));
    }
    context.globalAlpha = 1;
  }
  const top = (head, step) => Array.from({ length: maps[head].width }, (_, at) => [first.at(step) + at, maps[head].at(step, at) ** 2]).filter(([, share]) => share > 0.005).sort((a, b) => b[1] - a[1]).slice(0, 5);
  const says = (step) => `${visible(rows[step])} looks at ${top(chosen, step).map(([column, share]) => `${visible(columns[column])} (step ${numberOf(column)}, ${number(share, 2)})`).join(", ") || "nothing"}`;
  const small = element("div", { class: "maps", role: "group", "aria-label": "Heads" });
  heads.forEach((head, nth) => {
    const box = canvasBox({ label: `${head.name}: steps that look down, what they look at across`, height: 84, paint: (...of) => paint(nth, ...of) });
    const button = element("button", { type: "button", "aria-pressed": String(nth === chosen), onclick: () => choose(nth) }, box.whole, head.name || "weights");
    boxes.push({ box, button });
    small.append(button);
  });
  const large = canvasBox({ label: `${title}: the chosen head, steps that look down, what they look at across`, height: Math.max(160, Math.min(360, steps * 14)),
    rows: () => [["looks at", "step", "weight"], top(chosen, row()).map(([column, share]) => [visible(columns[column]), numberOf(column), number(share)]), `${heads[chosen].name}, step ${cursor.number(row())}`],
    click: (x, y) => { const { from, tall } = span(); cursor.go(from + Math.floor(y * tall)); },
    paint(context, width, height) {
      painted = span().from;
      paint(chosen, context, width, height);
      const { from, tall, left, wide } = span();
      if (height / tall >= 12 && !same) for (let y = 0; y < tall; y += 1) wordsAt(context, visible(rows[from + y]), 3, ((y + 0.7) * height) / tall);
      if (width / wide >= 30 && !same) for (let x = 0; x < wide; x += 1) wordsAt(context, visible(columns[left + x]), ((x + 1) * width) / wide - 4, 12, "right");
    } });
  const mark = element("div", { class: "across" }); // the step, above the picture, which need not be painted again
  large.whole.firstChild.append(mark);
  large.whole.firstChild.addEventListener("pointermove", (event) => { // the pair under the pointer
    const [place, { from, tall, left, wide }] = [event.currentTarget.getBoundingClientRect(), span()];
    const step = Math.min(steps - 1, from + Math.floor(((event.clientY - place.top) / place.height) * tall));
    const column = Math.min(columns.length - 1, left + Math.floor(((event.clientX - place.left) / place.width) * wide));
    if (step >= 0 && column >= 0) said.textContent = `step ${cursor.number(step)}, ${visible(rows[step])} looks at ${visible(columns[column])} (step ${numberOf(column)}): ${number(weight(chosen, step, column), 2)}`;
  });
  large.whole.firstChild.addEventListener("pointerleave", () => { said.textContent = `step ${cursor.number(row())}, ${says(row())}`; });
  const words = (label, list, follows) => {
    const made = list.map((word, at) => element("i", { "data-step": at }, `${visible(word)} `));
    const box = element("div", { class: "text", tabindex: "0", role: "application", "aria-label": `${label}. Arrow keys move the step.` }, ...made);
    moveByKeys(box, cursor);
    if (follows) box.addEventListener("click", (event) => { if (event.target.dataset.step) cursor.go(+event.target.dataset.step); });
    return { box, made };
  };
  const near = (at, from, many) => Math.max(0, Math.min(from - many, at - many / 2)); // the first of so many words around a step
  let [looking, looked, base] = [null, null, [-1, -1]];
  let [coloured, now] = [[], null];
  const lines = element("div");
  function lay() {
    const many = 600;
    const next = [near(row(), rows.length, many), near(same ? row() : top(chosen, row())[0]?.[0] ?? 0, columns.length, many)];
    if (looking && next[0] <= Math.max(0, row() - 20) && base[0] <= row() && row() < base[0] + looking.made.length) return;
    base = next;
    looked = words(same ? "The row: what the step looks at is coloured" : "What was read: what the step looks at is coloured", columns.slice(base[1], base[1] + many), same);
    looking = same ? looked : words("What is written", rows.slice(base[0], base[0] + many), true);
    for (const { made } of [looked, looking]) made.forEach((one, at) => { one.dataset.step = at + (made === looking.made ? base[0] : base[1]); });
    lines.replaceChildren(...(same ? [looked.box] : [looked.box, looking.box]));
  }
  const said = element("p");
  const tested = heads.every((head) => head.harm !== undefined && head.harm !== null);
  const numbers = element("div");
  function choose(nth) { chosen = nth; cursor.tell("unit"); }
  numbers.append(table(["head", "spread, bits", ...(heads[0].distance === undefined ? [] : ["distance, steps"]), ...(tested ? ["loss if uniform", "matters"] : [])], heads.map((head) => [head.name || "weights", number(head.bits, 2), ...(head.distance === undefined ? [] : [number(head.distance, 1)]), ...(tested ? [`${head.harm < 0 ? "−" : "+"}${number(Math.abs(head.harm))} ± ${number(head.error)}`, head.matters ? "yes" : "not surely"] : [])]), `${title}: heads`));
  place.append(...(heads.length > 1 ? [small] : []), lines, said, large.whole, element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${title}: heads` }, numbers), ...(cursor === cursorOf("row") ? [] : [stepControls(cursor)]));
  if (!cursor.describe) cursor.describe = says;
  cursor.follow((change) => {
    lay();
    for (const one of coloured) one.style.background = "none";
    coloured = [];
    const colour = rgb(style("--accent"));
    for (let at = 0; at < maps[chosen].width; at += 1) {
      const share = maps[chosen].at(row(), at);
      const one = looked.made[first.at(row()) + at - base[1]];
      if (share < 0.06 || !one) continue;
      one.style.background = `rgba(${colour}, ${(0.45 * share).toFixed(2)})`;
      coloured.push(one);
    }
    now?.classList.remove("at");
    now = looking.made[row() - base[0]];
    now?.classList.add("at");
    if (now) keepInSight(looking.box, now);
    if (change !== "step") boxes.forEach(({ box, button }, nth) => { button.setAttribute("aria-pressed", String(nth === chosen)); box.draw("all"); });
    const { from, tall } = span();
    large.draw(change === "step" && painted === from ? "step" : "all");
    Object.assign(mark.style, { top: `${(100 * (row() - from)) / tall}%`, height: `${100 / tall}%` });
    said.textContent = `step ${cursor.number(row())}, ${says(row())}`;
  });
};
