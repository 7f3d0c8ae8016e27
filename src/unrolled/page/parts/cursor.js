// Where the reader is: a step (or what `word` calls it) and a unit, shared by all views of a group. Steps are numbered
// as in Python and on the command line: from 0, and from `first` where only a part of a row is shown.
class Cursor {
  constructor() {
    Object.assign(this, { steps: 0, first: 0, at: 0, unit: 0, quantity: "", describe: null, word: "step" });
    this.heard = [];
  }

  // Call `draw(change)` now and after each change: "step", "unit" or "all" (the size or the colours of the page).
  follow(draw) {
    this.heard.push(draw);
    draw("all");
  }

  number(step) {
    return (this.first + step).toLocaleString("en");
  }

  place(step) {
    return `${this.word} ${this.number(step)} (${this.number(0)}–${this.number(this.steps - 1)})`;
  }

  tell(change) {
    for (const draw of this.heard) draw(change);
  }

  go(step) {
    const to = Math.max(0, Math.min(this.steps - 1, Math.round(step)));
    if (to === this.at || Number.isNaN(to)) return;
    this.at = to;
    this.tell("step");
    say(`${this.place(to)}${this.describe ? `: ${this.describe(to)}` : ""}`);
  }

  choose(unit, quantity = this.quantity) {
    Object.assign(this, { unit, quantity });
    this.tell("unit");
  }
}

const cursors = new Map();
function cursorOf(group) {
  if (!cursors.has(group)) cursors.set(group, new Cursor());
  return cursors.get(group);
}

// What a screen reader hears: the last of several quick changes.
let saying = 0;
function say(text) {
  clearTimeout(saying);
  saying = setTimeout(() => { document.getElementById("said").textContent = text; }, 200);
}

// At most a hundred steps, with the reader's in the middle.
const around = (cursor) => Array.from({ length: Math.min(100, cursor.steps) }, (_, at) => Math.max(0, Math.min(cursor.steps - 100, cursor.at - 50)) + at);

// The keys that move through steps, wherever a view takes them.
const MOVES = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 20, ArrowUp: -20, PageDown: 100, PageUp: -100, Home: -Infinity, End: Infinity };
function moveByKeys(box, cursor) {
  box.addEventListener("keydown", (event) => {
    const by = MOVES[event.key];
    if (by === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    cursor.go(Math.max(0, Math.min(cursor.steps - 1, cursor.at + by)));
  });
}
