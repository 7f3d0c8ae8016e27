// Canvases that follow the size and the colours of the page, with their numbers as a table beside them.
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.length === 4 ? hex[(at + 1) / 2].repeat(2) : hex.slice(at, at + 2), 16));

// How far a level is from the middle of its colours: −1 … 1; a range that has no negative numbers is read from its middle.
function tone(numbers, value) {
  if (numbers.low < 0) return value / (Math.max(-numbers.low, Math.abs(numbers.high)) || 1);
  return (2 * (value - numbers.low)) / (numbers.high - numbers.low || 1) - 1;
}

// 256 colours, one for each level, and grey for "no value".
function palette(numbers) {
  const [low, high, none] = ["--low", "--high", "--line"].map((name) => rgb(style(name)));
  const colours = new Uint32Array(256);
  for (let level = 0; level <= LEVELS; level += 1) {
    const much = tone(numbers, numbers.low + (level * (numbers.high - numbers.low)) / LEVELS);
    const [r, g, b] = much < 0 ? low : high;
    colours[level] = ((Math.min(1, Math.abs(much)) * 255) << 24) | (b << 16) | (g << 8) | r;
  }
  colours[NO_VALUE] = (255 << 24) | (none[2] << 16) | (none[1] << 8) | none[0];
  return colours;
}

// A box with a canvas in it. `paint(context, width, height)` draws everything but the step, which is a line of HTML
// above it: to move a step repaints nothing.
function canvasBox({ label, height, cursor, paint, rows, from = () => 0, shown = () => cursor.steps, click }) {
  const canvas = element("canvas", { role: "img", "aria-label": label });
  const now = element("div", { class: "now" });
  const box = element("div", { class: "canvas" }, canvas, ...(cursor ? [now] : []));
  let painted = "";
  function draw(change) {
    const width = box.clientWidth;
    if (!width) return;
    const key = `${width} ${style("--bg")}`;
    if (change !== "step" || painted !== key) {
      painted = key;
      const ratio = window.devicePixelRatio || 1;
      Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
      canvas.style.height = `${height}px`;
      const context = canvas.getContext("2d");
      context.scale(ratio, ratio);
      paint(context, width, height);
    }
    if (cursor) {
      const share = (cursor.at + 0.5 - from()) / shown();
      now.style.transform = `translateX(${Math.round(share * width)}px)`;
      now.hidden = share < 0 || share > 1;
    }
  }
  if (click) box.addEventListener("click", (event) => {
    const place = box.getBoundingClientRect();
    click((event.clientX - place.left) / place.width, (event.clientY - place.top) / place.height);
  });
  const whole = element("div", {}, box, ...(rows ? [asTable(label, rows)] : []));
  return { whole, draw };
}

// Words that can be read on any colour.
function wordsAt(context, words, x, y, align = "left") {
  Object.assign(context, { font: "11px system-ui, sans-serif", textAlign: align, lineWidth: 3, lineJoin: "round", strokeStyle: style("--bg"), fillStyle: style("--ink") });
  context.strokeText(words, x, y);
  context.fillText(words, x, y);
}

// A button that shows the numbers of a picture.
function asTable(label, rows) {
  const place = element("div", { class: "scroll", hidden: true, tabindex: "0", role: "region", "aria-label": `${label}: table` });
  const button = element("button", { type: "button", "aria-expanded": "false", onclick: () => {
    place.hidden = !place.hidden;
    button.setAttribute("aria-expanded", String(!place.hidden));
    if (!place.hidden) place.replaceChildren(table(...rows()));
  } }, "Show as table");
  return element("div", { class: "controls" }, button, place);
}

// For each pixel column, the first and the last step in it.
const stepsOf = (x, width, from, shown) => [from + Math.floor((x * shown) / width), from + Math.max(Math.floor((x * shown) / width) + 1, Math.floor(((x + 1) * shown) / width))];

// A line over time: of the steps on one pixel, from the lowest to the highest; no value leaves a gap.
function linePath(context, width, value, from, shown, y) {
  context.beginPath();
  let drawn = false;
  for (let x = 0; x < width; x += 1) {
    let [low, high] = [Infinity, -Infinity];
    const [first, stop] = stepsOf(x, width, from, shown);
    for (let step = first; step < stop; step += 1) {
      const now = value(step);
      if (now < low) low = now;
      if (now > high) high = now;
    }
    if (low > high) { drawn = false; continue; }
    if (drawn) context.lineTo(x, y(high)); else context.moveTo(x, y(high));
    context.lineTo(x, y(low));
    drawn = true;
  }
}

// Lines that are told apart by colour and by dashes.
const LINES = [["--mark1", []], ["--mark2", [6, 3]], ["--mark3", [2, 3]], ["--mark4", [9, 3, 2, 3]], ["--mark5", []], ["--ink", [6, 3]], ["--accent", [2, 3]], ["--soft", []]];

// A map at the resolution of the screen: of the steps that fall on one pixel, the most extreme is drawn.
function heat(grid, columns, width, from, shown) {
  const made = new OffscreenCanvas(width, columns.length);
  const context = made.getContext("2d");
  const image = context.createImageData(width, columns.length);
  const pixels = new Uint32Array(image.data.buffer);
  const colours = palette(grid);
  for (let x = 0; x < width; x += 1) {
    const [first, stop] = stepsOf(x, width, from, shown);
    const stride = Math.max(1, (stop - first) >> 4);
    for (let line = 0; line < columns.length; line += 1) {
      let [most, far] = [NO_VALUE, -1];
      for (let step = first; step < stop; step += stride) {
        const level = grid.raw[step * grid.width + columns[line]];
        const distance = level === NO_VALUE ? -1 : Math.abs(level - LEVELS / 2);
        if (distance > far) [most, far] = [level, distance];
      }
      pixels[line * width + x] = colours[most];
    }
  }
  context.putImageData(image, 0, 0);
  return made;
}
