// A page that talks to the model: type and watch, hold units still, and see what that costs.
// data: types: whether the model continues a text, units: {name of a value: number of units}, heads: {name: number of heads}
const BEHIND = { tokens: true, came: true }; // lists with one entry for each step
const TOKEN = location.hash.slice(1);
const WINDOW = String(Math.random()); // two windows of one page are read apart

async function ask(path, what) {
  const answer = await fetch(path, { method: "POST", headers: { "X-Unrolled-Token": TOKEN }, body: JSON.stringify({ ...what, window: WINDOW }) })
    .catch(() => { throw new Error("nothing answers: this page has ended"); });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}

// Put the numbers of `more` behind the first `from` rows; a grid keeps its own range.
function lengthen(numbers, more, from) {
  const kept = from * numbers.width;
  if (kept + more.raw.length > numbers.raw.length || numbers.used === undefined) {
    const room = new numbers.raw.constructor(Math.max(1024, 2 * (kept + more.raw.length)));
    room.set(numbers.raw.subarray(0, Math.min(kept, numbers.raw.length)));
    numbers.raw = room;
  }
  for (let nth = 0; nth < more.raw.length; nth += 1) {
    const level = more.raw[nth];
    numbers.raw[kept + nth] = !numbers.graded || level === NO_VALUE ? level
      : Math.max(0, Math.min(LEVELS, Math.round(((more.low + (level * (more.high - more.low)) / LEVELS - numbers.low) / (numbers.high - numbers.low || 1)) * LEVELS)));
  }
  numbers.used = kept + more.raw.length;
  numbers.gaps = undefined;
  numbers.rows = numbers.used / numbers.width;
}

function put(list, from, items) {
  list.length = from;
  for (const one of items) list.push(one);
}

// The same for all that a view draws. Numbers that several views share are lengthened once.
function grow(old, more, from, done) {
  for (const name of Object.keys(old)) {
    const [mine, theirs] = [old[name], more?.[name]];
    if (theirs === undefined || theirs === null) continue;
    if (mine instanceof Numbers) {
      if (!done.has(mine)) lengthen(mine, theirs, from);
      done.add(mine);
    } else if (BEHIND[name]) put(mine, from, theirs);
    else if (Array.isArray(mine) && typeof mine[0] !== "object") put(mine, 0, theirs);
    else if (typeof mine === "object" && mine !== null) grow(mine, theirs, from, done);
  }
}

async function received(told, cursor) {
  const buffer = await unzipped([bytesOf(told.blob)]);
  const arrays = told.arrays.map((what) => new Numbers(what, buffer));
  const done = new Set();
  for (const { view, group, first, data } of told.views) {
    cursorOf(group).first = first;
    const drawn = page.drawn.find((one) => one.view === view);
    if (!drawn) continue;
    const more = filled(data, arrays);
    if (view === "next") {
      // Its ids count the symbols that came with it.
      const before = told.from === 0 ? 0 : drawn.data.symbols.length;
      more.ids.raw = more.ids.raw.map((id) => id + before);
      more.symbols = [...drawn.data.symbols.slice(0, before), ...more.symbols];
    }
    grow(drawn.data, more, told.from, done);
  }
  cursor.steps = told.steps;
  cursor.at = Math.min(cursor.at, told.steps - 1);
}

views.live = (place, { types, units, heads }, cursor) => {
  const said = element("p", { role: "status" });
  const held = [];
  const list = element("ul");
  const box = element("textarea", { rows: 3, cols: 60, spellcheck: "false" });
  let [read, plain, waiting] = ["", null, Promise.resolve()];

  // One request at a time, in order; what was typed meanwhile goes together in the next one.
  function queue(work) {
    waiting = waiting.then(work).catch((error) => { [read, said.textContent] = ["", error.message]; });
    return waiting;
  }
  async function open() {
    const text = types && box.value ? box.value : null;
    const told = await ask("/open", text === null ? { held } : { text, held });
    read = text ?? "";
    await received(told, cursor);
    if (!held.length) plain = told.loss;
    const change = held.length && plain !== null && told.loss !== null ? `; without that it is ${number(plain)}` : "";
    said.textContent = told.loss === null ? "" : `mean loss ${number(told.loss)}${held.length ? ` with ${held.length} held${change}` : ""}`;
    cursor.tell("all");
  }
  async function typed() {
    const text = box.value;
    if (text === read) return;
    if (!text.startsWith(read) || read === "") { await open(); } else {
      const before = performance.now();
      const told = await ask("/push", { symbols: text.slice(read.length) });
      read = text;
      await received(told, cursor);
      cursor.at = cursor.steps - 1;
      cursor.tell("all");
      performance.measure("pushed", { start: before }); // from the key to what is drawn, for who measures it
      said.textContent = "";
    }
    cursor.go(cursor.steps - 1);
  }
  function hold() {
    const one = { name: name.querySelector("select").value, unit: +unit.value, value: +value.value };
    held.push(one);
    const how = one.name in heads ? `head ${one.unit}, attends to all steps alike` : `unit ${one.unit}, is ${number(one.value)}`;
    const line = element("li", {}, `${one.name}, ${how} `, element("button", { type: "button", onclick: () => {
      held.splice(held.indexOf(one), 1);
      line.remove();
      queue(open);
    } }, "let go"));
    list.append(line);
    queue(open);
  }
  const counts = { ...units, ...heads };
  const names = Object.keys(counts);
  const unit = element("input", { type: "number", min: 0, max: (counts[names[0]] ?? 1) - 1, value: 0 });
  const value = element("input", { type: "number", step: "any", value: 0, disabled: names[0] in heads });
  const name = choice("value", names.map((one) => [one, one]), names[0], (chosen) => { unit.max = counts[chosen] - 1; value.disabled = chosen in heads; });
  box.addEventListener("input", () => queue(typed));
  if (types) place.append(element("label", {}, "Type and watch", box));
  if (names.length) place.append(element("div", { class: "controls" }, name, element("label", {}, "unit or head", unit), element("label", {}, "held at", value), element("button", { type: "button", onclick: hold }, "Hold it")), list);
  const reason = element("div");
  const explain = () => queue(async () => { reason.innerHTML = (await ask("/why", { step: cursor.at })).html; }); // made by our own server, its words escaped
  place.append(element("button", { type: "button", onclick: explain }, "Why the answer at this step?"), reason);
  place.append(said, element("button", { type: "button", onclick: () => ask("/quit", {}).then(() => { said.textContent = "ended: this page no longer answers"; }) }, "End"));
};
