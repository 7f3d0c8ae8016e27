// Small pieces of HTML, and numbers as a reader wants them.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function number(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "no value";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(2) : value.toFixed(size >= 100 ? 1 : digits);
}

// A symbol that can be seen: blanks and ends of lines have a sign.
const SIGNS = { " ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍" };
const visible = (symbol) => (symbol.length === 1 ? SIGNS[symbol] ?? symbol : symbol);

function table(head, rows, caption) {
  const cells = (tag, row) => row.map((cell, at) => element(at === 0 && tag === "td" ? "th" : tag, at === 0 && tag === "td" ? { scope: "row" } : tag === "th" ? { scope: "col" } : {}, cell));
  return element("table", {},
    element("caption", { class: "unseen" }, caption),
    element("thead", {}, element("tr", {}, ...cells("th", head))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells("td", row)))));
}

// Scroll a box until a part of it can be seen. Not scrollIntoView: it would move the page too.
function keepInSight(box, part) {
  const low = part.offsetTop + part.offsetHeight + 8 - box.clientHeight;
  if (part.offsetTop - 4 < box.scrollTop) box.scrollTop = part.offsetTop - 4;
  else if (low > box.scrollTop) box.scrollTop = low;
}

// A share of 1 as a bar, and the head of a column of bars.
const asBar = () => element("span", { class: "unseen" }, "as a bar");
const bar = (share) => element("span", { class: "bar", style: `width:${(120 * (share || 0)).toFixed(0)}px` });

function choice(label, options, chosen, change) {
  const box = element("select", { onchange: () => change(box.value) }, ...options.map(([value, text]) => element("option", { value }, text)));
  box.value = chosen;
  return element("label", {}, label, box);
}

// Previous, next, play, and a slider: every way to a step that needs no pointer.
function stepControls(cursor) {
  const [place, { word }] = [element("span", { class: "soft" }), cursor];
  const slider = element("input", { type: "range", min: 0, max: cursor.steps - 1, "aria-label": word[0].toUpperCase() + word.slice(1), oninput: () => cursor.go(+slider.value) });
  let timer = 0;
  const play = element("button", { type: "button", "aria-pressed": "false", onclick: () => setPlaying(!timer) }, "Play");
  function setPlaying(on) {
    clearInterval(timer);
    timer = on ? setInterval(() => (cursor.at < cursor.steps - 1 ? cursor.go(cursor.at + 1) : setPlaying(false)), 600) : 0;
    play.setAttribute("aria-pressed", String(on));
    play.textContent = on ? "Pause" : "Play";
  }
  cursor.follow(() => {
    slider.max = cursor.steps - 1;
    slider.value = cursor.at;
    slider.setAttribute("aria-valuetext", cursor.place(cursor.at));
    place.textContent = cursor.place(cursor.at);
  });
  return element("div", { class: "controls steps" },
    element("button", { type: "button", "aria-label": `Previous ${word}`, onclick: () => cursor.go(cursor.at - 1) }, "◀"),
    element("button", { type: "button", "aria-label": `Next ${word}`, onclick: () => cursor.go(cursor.at + 1) }, "▶"),
    play, slider, place);
}
