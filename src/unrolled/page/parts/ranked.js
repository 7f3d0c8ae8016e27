// The likeliest items of each step, and at which place the one that came stands among all.
// data: names, ids: of the likeliest of each step, chances, came: its name or −1, ranks: 0 for none, own: its chance, count: of all items
views.ranked = (place, { names, ids, chances, came, ranks, own, count }, cursor, title) => {
  cursor.steps ||= ids.rows;
  const said = element("p");
  const rows = element("div");
  const says = (step) => (ranks.at(step) ? `${visible(names[came.at(step)])} came, place ${ranks.at(step).toLocaleString("en")} of ${count.toLocaleString("en")}` : "no item is known to have come");
  const strip = canvasBox({ label: "Place of the item that came, at each step; the first place is on top", height: 80, cursor, click: (x) => cursor.go(x * cursor.steps - 0.5),
    rows: () => [["step", "came", "place", "probability"], around(cursor).filter((step) => ranks.at(step)).map((step) => [cursor.number(step), visible(names[came.at(step)]), number(ranks.at(step)), number(own.at(step))]), title],
    paint(context, width, height) {
      const y = (rank) => 5 + (Math.log(rank) / (Math.log(count) || 1)) * (height - 10);
      context.fillStyle = style("--faint");
      for (let rank = 1; rank <= count; rank *= 10) context.fillRect(0, y(rank), width, 1);
      context.fillStyle = style("--accent");
      for (let step = 0; step < cursor.steps; step += 1) if (ranks.at(step)) context.fillRect(((step + 0.5) / cursor.steps) * width - 2, y(ranks.at(step)) - 2, 4, 4);
    } });
  place.append(rows, said, strip.whole);
  cursor.follow((change) => {
    const step = cursor.at;
    rows.replaceChildren(table(["place", "item", "probability", asBar()], ids.row(step).map((id, nth) => [
      String(nth + 1), element(id === came.at(step) ? "mark" : "span", {}, visible(names[id])), number(chances.at(step, nth)), bar(chances.at(step, nth))]), title));
    said.textContent = ranks.at(step) ? `${says(step)}, with a probability of ${number(own.at(step))}` : says(step);
    strip.draw(change);
  });
};
