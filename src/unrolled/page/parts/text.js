// A row symbol by symbol, each coloured by one unit of one gate or state, and that unit over time.
// data: tokens, [gap: what stands between two tokens], quantities: [{name, grid, units}], [found: [{says, quantity, unit}]],
// [unseen: steps whose symbol the model never saw]
const SHOWN = 1500; // symbols that are in the document at once

views.text = (place, data, cursor, title) => {
  const { tokens, quantities } = data;
  cursor.steps = tokens.length;
  cursor.describe = (step) => visible(tokens[step]);
  const box = element("div", { class: "text", tabindex: "0", role: "application", "aria-label": "The row, symbol by symbol. Arrow keys move the step; up and down move twenty steps." });
  const strip = quantities.length ? unitStrip(quantities, cursor, title) : null;
  let from = -1;
  let symbols = [];

  function lay() {
    const unseen = new Set(data.unseen);
    from = Math.max(0, Math.min(tokens.length - SHOWN, cursor.at - SHOWN / 2));
    symbols = tokens.slice(from, from + SHOWN).map((token, at) => {
      const made = element("i", { "data-step": from + at, class: unseen.has(from + at) ? "none" : "" });
      made.textContent = (token === "\n" ? "⏎\n" : token) + (data.gap ?? "");
      return made;
    });
    box.replaceChildren(...symbols);
  }
  function colour() {
    const quantity = quantityOf(quantities, cursor);
    if (!quantity) return;
    const ends = [rgb(style("--low")), rgb(style("--high"))];
    symbols.forEach((made, at) => {
      const much = tone(quantity.grid, quantity.grid.at(from + at, cursor.unit));
      made.style.background = Number.isNaN(much) ? "none" : `rgba(${ends[much < 0 ? 0 : 1]}, ${(Math.min(1, Math.abs(much)) * 0.45).toFixed(2)})`;
    });
  }
  let last = null;
  function point() {
    last?.classList.remove("at");
    last = symbols[cursor.at - from];
    last.classList.add("at");
    keepInSight(box, last);
  }
  box.addEventListener("click", (event) => { if (event.target.dataset.step) cursor.go(+event.target.dataset.step); });
  moveByKeys(box, cursor);
  place.append(...(strip ? [unitControls(data, cursor)] : []), box, ...(strip ? [strip.whole] : []), stepControls(cursor));
  cursor.follow((change) => {
    const far = from < 0 || (cursor.at < from + 50 && from > 0) || (cursor.at >= from + symbols.length - 50 && from + symbols.length < tokens.length);
    if (far || change !== "step") {
      if (far || change === "all") lay();
      colour();
    }
    point();
    strip?.draw(change);
  });
};
