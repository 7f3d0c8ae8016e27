// Inputs of many numbers: a map over time, from the first number below to the last on top, and the picture at this step.
// data: values: of T steps and each line, names: of the lines, [frames: pictures, places: the steps that they are of]
views.picture = (place, { values, names, frames, places }, cursor, title) => {
  cursor.steps ||= values.rows;
  const height = Math.max(48, Math.min(220, values.width * 6));
  const upward = names.map((_, at) => names.length - 1 - at);
  const map = canvasBox({ label: `${title}: numbers from below to above, steps across, from low (blue) to high (red)`, height, cursor, click: (x) => cursor.go(x * cursor.steps - 0.5),
    rows: () => [["number", "value"], names.map((name, at) => [name, number(values.at(cursor.at, at), 2)]), `${title}, step ${cursor.number(cursor.at)}`],
    paint(context, width) { context.imageSmoothingEnabled = false; context.drawImage(heat(values, upward, Math.min(cursor.steps, Math.round(width)), 0, cursor.steps), 0, 0, width, height); } });
  const shot = frames ? element("img", { class: "shot", alt: "" }) : null;
  const said = element("p");
  place.append(map.whole, ...(shot ? [shot] : []), said);
  cursor.follow((change) => {
    const row = values.row(cursor.at);
    const [low, high] = row.reduce(([least, most], value, at) => [value < row[least] ? at : least, value > row[most] ? at : most], [0, 0]);
    let words = "";
    if (shot) {
      let nth = 0;
      while (nth + 1 < places.rows && places.at(nth + 1) <= cursor.at) nth += 1;
      if (shot.src !== frames[nth]) shot.src = frames[nth];
      words = `; the picture is that of step ${cursor.number(places.at(nth))}`;
      shot.alt = `step ${cursor.number(places.at(nth))}`;
    }
    said.textContent = `step ${cursor.number(cursor.at)}: highest ${names[high]} (${number(row[high], 2)}), lowest ${names[low]} (${number(row[low], 2)})${words}`;
    map.draw(change);
  });
};
