// A label below each step, as dark as the model is sure of it, with a frame where it is wrong; and all labels over time.
// data: tokens, names, chosen, right: −1 where it is not known, sure: the chance of the chosen one, own: of the right one,
// shown: the labels on the map, chances: of these, at each step
views.labels = (place, { tokens, names, chosen, right, sure, own, shown, chances }, cursor, title) => {
  const steps = tokens.length;
  cursor.steps ||= steps;
  const here = () => Math.min(cursor.at, steps - 1);
  const many = 240; // steps that are in the document at once
  const box = element("div", { class: "text stacks", tabindex: "0", role: "application", "aria-label": `${title}, step by step. Arrow keys move the step.` });
  const said = element("p");
  let [from, stacks, last] = [-1, [], null];
  const wrong = (step) => right.at(step) >= 0 && right.at(step) !== chosen.at(step);
  const describe = (step) => `${visible(tokens[step])}: ${names[chosen.at(step)]}, probability ${number(sure.at(step), 2)}${wrong(step) ? `; right is ${names[right.at(step)]}, probability ${number(own.at(step), 2)}` : ""}`;
  function lay() {
    from = Math.max(0, Math.min(tokens.length - many, here() - many / 2));
    stacks = tokens.slice(from, from + many).map((token, at) => {
      const step = from + at;
      const label = element("b", { class: wrong(step) ? "wrong" : "" }, names[chosen.at(step)]);
      label.style.background = `rgba(${rgb(style("--accent"))}, ${(sure.at(step) * 0.35).toFixed(2)})`;
      return element("i", { "data-step": step }, visible(token), label);
    });
    box.replaceChildren(...stacks);
    last = null;
  }
  const tall = Math.max(3, Math.min(16, Math.floor(200 / shown.length)));
  const map = canvasBox({ label: `${title}: the probability of each label, labels down, steps across`, height: tall * shown.length, cursor, shown: () => steps, click: (x) => cursor.go(x * steps - 0.5),
    rows: () => [["label", "probability"], shown.map((label, at) => [names[label], number(chances.at(here(), at), 2)]).sort((a, b) => b[1] - a[1]), `${title}, step ${cursor.number(here())}`],
    paint(context, width) {
      context.fillStyle = style("--accent");
      const wide = Math.max(1, width / steps);
      for (let x = 0; x < Math.min(width, steps); x += 1) {
        const [first, stop] = steps > width ? stepsOf(x, width, 0, steps) : [x, x + 1];
        for (let line = 0; line < shown.length; line += 1) {
          let most = 0;
          for (let step = first; step < stop; step += 1) most = Math.max(most, chances.at(step, line) || 0);
          context.globalAlpha = most;
          context.fillRect(x * wide, line * tall, wide, tall - 1);
        }
      }
      context.globalAlpha = 1;
      if (tall >= 9) shown.forEach((label, line) => wordsAt(context, names[label], 3, (line + 1) * tall - 4));
    } });
  box.addEventListener("click", (event) => { const at = event.target.closest("[data-step]"); if (at) cursor.go(+at.dataset.step); });
  moveByKeys(box, cursor);
  place.append(box, said, map.whole);
  cursor.follow((change) => {
    if (change !== "step" || here() < from || here() >= from + stacks.length) lay();
    last?.classList.remove("at");
    last = stacks[here() - from];
    last.classList.add("at");
    keepInSight(box, last);
    said.textContent = `step ${cursor.number(here())}, ${describe(here())}`;
    map.draw(change);
  });
};
