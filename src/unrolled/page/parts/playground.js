// A page of a server: values in, answers drawn as they come, texts written piece by piece. The token stays in memory.
const SHOWN = 400; // steps in the picture
const MOST = 20_000; // characters of a text, rows of a file
const TRIES = 4;
const pause = (seconds) => new Promise((after) => { setTimeout(after, 1000 * seconds); });

class Asking {
  constructor() { Object.assign(this, { token: "", model: null }); }

  async ask(path, what, more = {}) {
    const headers = { ...(this.token ? { Authorization: `Bearer ${this.token}` } : {}), ...(what ? { "Content-Type": "application/json" } : {}), ...more.headers };
    const answer = await fetch(path, { method: what ? "POST" : "GET", ...more, headers, body: more.bytes ?? (what && JSON.stringify(what)) });
    if (answer.ok) return answer;
    const told = await answer.json().catch(() => ({ error: { message: `the server answered ${answer.status}` } }));
    throw Object.assign(new Error(told.error.message), { status: answer.status });
  }

  async json(path, what) { return (await this.ask(path, what)).json(); }
}

// One session. What was not answered is sent again over a new connection, with its number, so that none is taken twice.
class Live {
  constructor(asking, model) { Object.assign(this, { asking, model, id: null, n: 0, socket: null }); }

  connect() {
    const which = this.id === null ? `model=${encodeURIComponent(this.model)}` : `session=${encodeURIComponent(this.id)}`;
    const { token } = this.asking;
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/v1/live?${which}`, ["unrolled.v1", ...(token ? [`bearer.${token}`] : [])]);
    return this.heard(socket).then((told) => { Object.assign(this, { socket, id: told.session }); });
  }

  heard(socket) {
    return new Promise((good, bad) => {
      socket.onmessage = ({ data }) => {
        const told = JSON.parse(data);
        if (told.error) bad(Object.assign(new Error(told.error.message), { refused: true }));
        else if (told.closing) bad(new Error("the server is about to end"));
        else good(told);
      };
      socket.onclose = () => { this.socket = null; bad(new Error("the server cannot be reached")); };
    });
  }

  async push(x) {
    for (let tried = 1; ; tried += 1) {
      try {
        if (!this.socket) await this.connect();
        const told = this.heard(this.socket);
        this.socket.send(JSON.stringify({ n: this.n + 1, x }));
        const { y } = await told;
        this.n += 1;
        return y;
      } catch (error) {
        if (error.refused || tried === TRIES) throw error;
        this.socket = null;
        await pause(0.2 * 2 ** tried);
      }
    }
  }

  end() {
    this.socket?.close();
    if (this.id !== null) this.asking.ask(`/v1/sessions/${this.id}`, null, { method: "DELETE" }).catch(() => {});
  }
}

// A model that cannot stream: each value is a row.
class Whole {
  constructor(asking, model) { Object.assign(this, { asking, model }); }
  async push(x) { return (await this.asking.json(`/v1/predict?model=${encodeURIComponent(this.model)}`, { rows: [x] })).rows[0]; }
  end() {}
}

// The cells of a CSV file.
function cells(text) {
  const rows = [[]];
  let row = rows[0];
  for (const [, quoted, plain, end] of text.replace(/^\uFEFF/, "").matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === "") break;
    if (end !== ",") rows.push((row = []));
  }
  return rows.filter((one) => one.length > 1 || one[0]);
}

const valueOf = (cell) => (cell.trim() === "" ? null : cell); // the server reads numbers and dates as in a file
const firstOf = (value) => (Array.isArray(value) ? firstOf(value[0]) : typeof value === "number" ? value : NaN);
const asWords = (value) => (Array.isArray(value) ? value.map(asWords).join(", ") : typeof value === "number" || value === null ? number(value) : visible(String(value)));

// What came and what was expected, over the last steps, and the last forecast.
function chartOf(steps, cursor) {
  let column = "";
  const numbersOf = () => Object.keys(steps.at(-1)?.y ?? {}).filter((name) => name.endsWith("_predicted") && !Number.isNaN(firstOf(steps.at(-1).y[name])));
  const drawn = () => {
    const from = steps.at(-1).n - steps.length + 1;
    const expected = `${column}_predicted`;
    const ahead = Array.isArray(steps.at(-1).y[expected]) ? 1 : 0; // a forecast is about the next step
    const flat = (value) => [value].flat(Infinity).filter((one) => typeof one === "number");
    const bounds = Object.keys(steps.at(-1).y).filter((name) => name.startsWith(`${column}_q`));
    const last = steps.at(-1);
    const fan = (name) => (ahead && !Array.isArray(last.y[name][0]) ? flat(last.y[name]) : [firstOf(last.y[name])]).map((value, at) => [last.n + ahead + at, value]);
    return {
      from,
      came: steps.filter(({ x }) => x[column] && Number.isFinite(Number(x[column]))).map(({ n, x }) => [n, Number(x[column])]),
      expected: [...steps.slice(0, -1).map(({ n, y }) => [n + ahead, firstOf(y[expected])]), ...fan(expected)],
      band: bounds.length > 1 ? [fan(bounds[0]), fan(bounds.at(-1))] : null,
    };
  };
  const chart = canvasBox({ label: "The values that came and those that the model expects, over the last steps", height: 200,
    rows: () => {
      const { came, expected } = drawn();
      const [known, told] = [new Map(came), new Map(expected)];
      const all = [...new Set([...known.keys(), ...told.keys()])].sort((a, b) => a - b).slice(-100);
      return [["step", "came", "expected"], all.map((n) => [String(n), number(known.get(n)), number(told.get(n))]), column];
    },
    paint(context, width, height) {
      const { from, came, expected, band } = drawn();
      const all = [...came, ...expected, ...(band ?? []).flat()].map(([, value]) => value).filter(Number.isFinite);
      const [low, high, until] = [Math.min(...all), Math.max(...all), Math.max(expected.at(-1)[0], from + 10)];
      const x = (n) => 6 + ((n - from) / (until - from)) * (width - 12);
      const y = (value) => height - 16 - ((value - low) / (high - low || 1)) * (height - 32);
      const path = (points) => { context.beginPath(); points.forEach(([n, value], at) => context[at ? "lineTo" : "moveTo"](x(n), y(value))); };
      if (band) {
        context.fillStyle = style("--accent");
        context.globalAlpha = 0.2;
        path([...band[0], ...band[1].toReversed()]);
        context.fill();
        context.globalAlpha = 1;
      }
      for (const [points, colour, dash] of [[came, "--ink", []], [expected, "--accent", [6, 3]]]) {
        context.strokeStyle = context.fillStyle = style(colour);
        context.setLineDash(dash);
        path(points);
        context.stroke();
        if (steps.length <= 80) for (const [n, value] of points) context.fillRect(x(n) - 2, y(value) - 2, 4, 4);
      }
      context.setLineDash([]);
      wordsAt(context, number(high, 2), 3, 11);
      wordsAt(context, number(low, 2), 3, height - 4);
    } });
  const picked = element("span");
  const whole = element("div", { hidden: true }, element("div", { class: "controls" }, picked, element("span", { class: "soft" }, "Line: what came. Dashes: what the model expects. Shade: its interval.")), chart.whole);
  const draw = () => {
    const names = numbersOf().map((name) => name.slice(0, -"_predicted".length));
    whole.hidden = names.length === 0;
    if (whole.hidden) return;
    if (!names.includes(column)) {
      [column] = names;
      picked.replaceChildren(...(names.length > 1 ? [choice("column", names.map((name) => [name, name]), column, (name) => { column = name; chart.draw("all"); })] : []));
    }
    chart.draw("all");
  };
  cursor.follow(draw);
  return { whole, draw };
}

const bars = (chances, caption, what) => table([what, "probability", asBar()], chances.map(([name, share]) => [element("code", {}, visible(name) || "end"), number(share), bar(share)]), caption);

// The last answer: the likeliest labels as bars, and all of it in words.
function answerOf(y) {
  const chances = Object.entries(y).filter(([name, value]) => name.includes("_p_") && typeof value === "number");
  const short = chances.map(([name, share]) => [name.slice(name.indexOf("_p_") + 3), share]).sort((a, b) => b[1] - a[1]).slice(0, 10);
  const others = Object.entries(y).filter(([name]) => !name.includes("_p_"));
  return [
    ...(short.length ? [bars(short, "The likeliest labels", "label")] : []),
    table(["answer", "value"], others.map(([name, value]) => [name, asWords(value)]), "The answer to the last step"),
  ];
}

// Everything below the choice of a model.
function playing(place, asking, model, cursor) {
  const steps = [];
  const said = element("p", { role: "status" });
  const answer = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The last answer" });
  const next = element("div");
  const chart = chartOf(steps, cursor);
  const begin = () => new (model.streams ? Live : Whole)(asking, model.model);
  let [live, read, count, waiting, stopped, frame] = [begin(), "", 0, Promise.resolve(), false, 0];

  const queue = (work) => { waiting = waiting.then(work).catch((error) => { said.textContent = error.message; }); return waiting; };
  function draw() {
    frame = 0;
    if (!steps.length) return;
    answer.replaceChildren(...answerOf(steps.at(-1).y));
    chart.draw();
    cursor.look?.(asking, live);
  }
  const push = async (x) => answered(x, await live.push(x));
  function answered(x, y) {
    count += 1;
    steps.push({ n: count, x, y });
    if (steps.length > SHOWN) steps.shift();
    said.textContent = `${count.toLocaleString("en")} ${count === 1 ? "value" : "values"} read`;
    frame ||= requestAnimationFrame(draw);
  }
  function again() {
    stopped = true;
    return queue(() => {
      live.end();
      live = begin();
      [read, count, steps.length] = ["", 0, 0];
      answer.replaceChildren();
      next.replaceChildren();
      chart.draw();
      cursor.forget?.();
      said.textContent = "a new session: nothing is read yet";
    });
  }

  async function rows(file) {
    const [head, ...body] = cells(await file.text());
    const missing = model.reads.filter((name) => !head?.includes(name));
    if (missing.length) throw new Error(`${file.name} has no column ${missing.join(", ")}: its first line must name ${model.reads.join(", ")}`);
    if (body.length > MOST) throw new Error(`${file.name} has ${body.length.toLocaleString("en")} rows; this page reads ${MOST.toLocaleString("en")}: use unrolled predict`);
    stopped = false;
    for (const [at, row] of body.entries()) {
      if (stopped) break;
      try { await push(Object.fromEntries(model.reads.map((name) => [name, valueOf(row[head.indexOf(name)] ?? "")]))); } catch (error) { throw new Error(`row ${at + 1} of ${file.name}: ${error.message}`); }
    }
  }
  function take(file) {
    const kind = file.name.toLowerCase().match(/\.\w+$/)?.[0] ?? "";
    if (model.writes && [".txt", ".abc", ".md"].includes(kind)) return queue(async () => { await written.fill((await file.text()).slice(0, MOST)); });
    return queue(() => (kind === ".csv" ? rows(file) : whole(file)));
  }
  // A file that is one example, such as a tune or a recording: the server says what its values are.
  async function whole(file) {
    said.textContent = `reading ${file.name} …`;
    const headers = { "Content-Type": "application/octet-stream" };
    const told = await (await asking.ask(`/v1/read?model=${encodeURIComponent(model.model)}&name=${encodeURIComponent(file.name)}`, null, { method: "POST", headers, bytes: file })).json();
    stopped = false;
    for (const x of told.values ?? []) {
      if (stopped) break;
      await push(x);
    }
    for (const y of told.rows ?? []) answered({}, y);
  }

  const written = model.writes ? texts(asking, model, { queue, push, again, next, said, read: () => read, took: (text) => { read = text; } }) : null;
  const file = element("input", { type: "file", onchange: () => { if (file.files[0]) take(file.files[0]); file.value = ""; } });
  const stop = element("button", { type: "button", onclick: () => { stopped = true; } }, "Stop reading");
  place.addEventListener("dragover", (event) => event.preventDefault());
  place.addEventListener("drop", (event) => { event.preventDefault(); if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]); });
  place.append(
    element("p", { class: "soft" }, `${model.title}, ${model.parameters.toLocaleString("en")} parameters. ${model.streams ? "Each value is a step of one session, which remembers those before it." : `Each value is a row of its own: ${model.cannot_stream}`}`),
    written ? written.whole : form(model, (x) => queue(() => push(x))),
    element("div", { class: "controls" }, element("label", {}, "A file, or drop it here", file), stop, element("button", { type: "button", onclick: () => { written?.clear(); again(); } }, "Start again")),
    said, next, chart.whole, answer);
  cursor.read = () => ({ asking, model: model.model, xs: written ? [read].filter(Boolean) : (model.streams ? steps : steps.slice(-1)).map(({ x }) => x) });
  return { end() { stopped = true; live.end(); } };
}

// A box for each column, and a button.
function form(model, push) {
  const boxes = model.reads.map((name) => element("input", { autocomplete: "off", "data-column": name, title: model.columns[name] }));
  const sent = (event) => {
    event.preventDefault();
    push(Object.fromEntries(model.reads.map((name, at) => [name, valueOf(boxes[at].value)])));
    boxes[0].select();
  };
  return element("form", { class: "controls", onsubmit: sent }, ...model.reads.map((name, at) => element("label", {}, name, boxes[at])), element("button", {}, "Push"));
}

// A text: read while it is typed, and continued by the model.
function texts(asking, model, { queue, push, again, next, said, read, took }) {
  const column = model.reads[0];
  const box = element("textarea", { rows: 4, cols: 70, spellcheck: "false" });
  const out = element("div", { class: "text", tabindex: "0", role: "region", "aria-label": "The text that the model wrote" });
  const [length, temperature, seed] = [[1, 4096, 200, 1], [0, 5, 0.8, "any"], [0, 2 ** 31, 0, 1]].map(([min, max, value, step]) => element("input", { type: "number", min, max, value, step }));
  let writing = null;

  const readable = (whole) => (model.by === "character" || whole ? box.value : box.value.replace(/\s*\S*$/, ""));
  async function typed(whole) {
    const text = readable(whole);
    if (text === read()) return;
    // What a token is may depend on the text before it, so a text in tokens is read again from its start.
    if (read() && (model.by !== "character" || !text.startsWith(read()))) { again(); queue(() => typed(whole)); return; }
    await push({ [column]: text.slice(read().length) });
    took(text);
    said.textContent = `${text.length.toLocaleString("en")} ${text.length === 1 ? "character" : "characters"} read`;
    const { choices } = await asking.json("/v1/completions", { model: model.model, prompt: text, max_tokens: 1, logprobs: 5 });
    const likeliest = Object.entries(choices[0].logprobs.top_logprobs[0] ?? {}).map(([name, nats]) => [name, Math.exp(nats)]);
    next.replaceChildren(bars(likeliest.sort((a, b) => b[1] - a[1]), "The likeliest next tokens", "next"));
  }
  async function write() {
    writing?.abort();
    const mine = writing = new AbortController();
    out.textContent = "";
    const asked = { model: model.model, prompt: box.value, length: +length.value, temperature: +temperature.value, seed: +seed.value };
    try {
      const answer = await asking.ask("/v1/generate", asked, { headers: { Accept: "text/event-stream" }, signal: mine.signal });
      const pieces = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let [left, { value, done }] = ["", await pieces.read()]; !done; { value, done } = await pieces.read()) {
        const events = (left + value).split("\n\n");
        left = events.pop();
        for (const one of events.map((event) => JSON.parse(event.slice("data: ".length)))) {
          if (one.error) throw new Error(one.error.message);
          if (one.text) out.append(one.text);
          else said.textContent = `${one.tokens.toLocaleString("en")} tokens written`;
        }
      }
    } catch (error) { said.textContent = mine.signal.aborted ? "stopped" : error.message; }
  }
  box.addEventListener("input", () => queue(() => typed(false)));
  const whole = element("div", {},
    element("label", {}, model.by === "character" ? "Type and watch" : "Type and watch: a word is read once a space follows it", box),
    element("form", { class: "controls", onsubmit: (event) => { event.preventDefault(); write(); } },
      element("label", {}, "tokens", length), element("label", {}, "temperature", temperature), element("label", {}, "seed", seed),
      element("button", {}, "Continue the text"), element("button", { type: "button", onclick: () => writing?.abort() }, "Stop writing")),
    out);
  return { whole, fill: (text) => { box.value = text; return typed(true); }, clear: () => { writing?.abort(); box.value = ""; out.textContent = ""; } };
}

views.playground = (place, _, cursor) => {
  const asking = new Asking();
  const said = element("p", { role: "status" });
  const body = element("div");
  let now = null;
  const token = element("input", { type: "password", autocomplete: "off" });
  const asks = element("form", { hidden: true, onsubmit: (event) => { event.preventDefault(); asking.token = token.value.trim(); open(); } },
    element("div", { class: "controls" }, element("label", {}, "Token of this server", token), element("button", {}, "Use it")));
  const which = element("div", { class: "controls" });

  async function open(name) {
    now?.end();
    cursor.forget?.();
    body.replaceChildren();
    try {
      const model = await asking.json(name === undefined ? "/v1/model" : `/v1/model?model=${encodeURIComponent(name)}`);
      asks.hidden = true;
      said.textContent = "";
      if (name === undefined) which.replaceChildren(...(model.models.length > 1 ? [choice("model", model.models.map((one) => [one, one]), model.model, open)] : [`model: ${model.model}`]));
      const part = element("div");
      body.append(part);
      now = playing(part, asking, model, cursor);
    } catch (error) {
      asks.hidden = error.status !== 401;
      said.textContent = error.status === 401 && !asking.token ? "this server asks for a token; it is kept in the memory of this page only" : error.message;
    }
  }
  place.append(which, asks, said, body);
  open();
};
