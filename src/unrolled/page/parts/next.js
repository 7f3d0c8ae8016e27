// What the model expects next, and what came.
// data: symbols, ids: the likeliest of each step, chances, came: [symbol of each step], [loss], unit: of the loss
views.next = (place, data, cursor, title) => {
  const { symbols, ids, chances, came, loss } = data;
  cursor.steps ||= ids.rows;
  const said = element("p");
  const rows = element("div");
  place.append(rows, said);
  cursor.follow(() => {
    const step = cursor.at;
    rows.replaceChildren(table(["next", "probability", asBar()], Array.from({ length: ids.width }, (_, nth) => [
      element("code", {}, visible(symbols[ids.at(step, nth)])), number(chances.at(step, nth)), bar(chances.at(step, nth)),
    ]), title));
    const lost = loss && !Number.isNaN(loss.at(step)) ? `; that cost ${number(loss.at(step))} ${data.unit}` : "";
    said.replaceChildren(came[step] === null ? "nothing came after this step" : element("span", {}, "then came ", element("code", {}, visible(came[step])), lost));
  });
};
