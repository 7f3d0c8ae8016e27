// An exported model in JavaScript: in a browser or in Node, with onnxruntime-web.
// Part of a model exported by Unrolled: the same as run.py.

import { Answers } from "./answers.mjs";
import { Refused, columnOf } from "./columns.mjs";

export { Refused };

const ROWS = 64; // read together

/** A model. `read(name)` gives the bytes of a file of the folder; `ort` is onnxruntime-web. */
export class Model {
  static async open(ort, read) {
    const model = new Model(), signature = JSON.parse(new TextDecoder().decode(await read("signature.json")));
    if (signature.cannot_read) throw new Refused(signature.cannot_read);
    model.columns = signature.inputs.map(columnOf);
    model.answers = new Answers(signature.answer, model.columns, signature.target && columnOf(signature.target));
    model.sessions = {};
    for (const [name, file] of Object.entries(signature.graphs)) {
      model.sessions[name] = await ort.InferenceSession.create(await read(file), { executionProviders: ["wasm"] });
    }
    return Object.assign(model, { ort, signature });
  }

  /** The answer to each whole row, {column: cell}. */
  async predict(rows) {
    const found = [];
    for (let at = 0; at < rows.length; at += ROWS) found.push(...(await this.batch(rows.slice(at, at + ROWS))));
    return found;
  }

  /** A live stream: `await stream.push(value)` gives the answer after each value. */
  async stream() {
    const stream = new Stream(this);
    if (this.signature.cannot_stream) throw new Refused(this.signature.cannot_stream);
    for (const step of this.signature.opening) await stream.take([step]);
    return stream;
  }

  /** What the model writes after `prompt`, piece by piece: the likeliest token at each step. */
  async *generate(prompt, steps = 200) {
    const [column] = this.columns, stream = await this.stream();
    if (this.signature.answer.how !== "next" || !column.ids) throw new Refused("only a model of the next token of texts can generate");
    const ids = column.ids(prompt);
    for (const id of ids) await stream.take([[id]]);
    if (!stream.last) throw new Refused("this model needs a prompt of at least one token");
    let written = column.text(ids);
    for (let step = 0; step < steps; step++) {
      const best = this.answers.best(stream.last);
      if (best === column.end) return;
      ids.push(best);
      const text = column.text(ids);
      yield text.slice(written.length);
      written = text;
      await stream.take([[best]]);
    }
  }

  async batch(rows) {
    const feeds = {}, lookback = this.signature.lookback;
    let lengths = null;
    for (const column of this.columns) {
      const cells = rows.map((row) => column.whole(cellOf(column, row)));
      if (lookback && column.time) cells.forEach((parts) => parts.forEach((part, at) => { parts[at] = part.slice(-lookback); }));
      column.graph.forEach((name, at) => { feeds[name] = this.tensor(name, cells.map((parts) => parts[at]), column.time); });
      if (!column.time) continue;
      const found = cells.map(([steps]) => steps.length);
      lengths ??= found;
      if (found.some((length, row) => length !== lengths[row])) throw new Refused(`the columns of a row have different numbers of steps: '${column.name}' differs`);
    }
    if (lengths) {
      if (!Math.max(...lengths)) throw new Refused("no row has a step");
      feeds.lengths = this.integers(lengths, [rows.length]);
    }
    return this.answers.rows(await this.run(feeds, rows.length), lengths ?? rows.map(() => 1), this);
  }

  /** Run a graph, by default the one that reads; states that are not fed begin at their first values. */
  async run(feeds, rows, graph = Object.keys(this.sessions)[0]) {
    const session = this.sessions[graph], given = {};
    const states = Object.fromEntries(this.signature.states.map((state) => [state.name, state]));
    for (const name of session.inputNames) given[name] = feeds[name] ?? this.firstState(states[name], rows);
    const found = await session.run(given);
    return Object.fromEntries(Object.entries(found).map(([name, value]) => [name.replace(/^answer\./, ""), value]));
  }

  /** Rows of steps as a tensor of the type that the graph's input has; the steps are padded with zeros. */
  tensor(name, rows, time) {
    const steps = time ? Math.max(1, ...rows.map((row) => row.length)) : 1;
    const like = rows.flat().find((step) => step !== undefined), width = Array.isArray(like) ? like.length : 0;
    const values = rows.flatMap((row) => Array.from({ length: steps }, (_, t) => row[t] ?? (width ? Array(width).fill(0) : 0)));
    const dims = [rows.length, ...(time ? [steps] : []), ...(width ? [width] : [])];
    const type = this.typeOf(name);
    return type === "int64" ? this.integers(values.flat(), dims) : new this.ort.Tensor(type, (type === "float64" ? Float64Array : Float32Array).from(values.flat()), dims);
  }

  typeOf(name) {
    const session = Object.values(this.sessions)[0];
    return session.inputMetadata.find((one) => one.name === name).type;
  }

  integers(values, dims) { return new this.ort.Tensor("int64", BigInt64Array.from(values, BigInt), dims); }

  /** Only these rows of a tensor, in this order. */
  onlyRows({ type, data, dims }, rows) {
    const width = dims.slice(1).reduce((a, b) => a * b, 1), found = new data.constructor(rows.length * width);
    rows.forEach((row, at) => found.set(data.subarray(row * width, (row + 1) * width), at * width));
    return new this.ort.Tensor(type, found, [rows.length, ...dims.slice(1)]);
  }

  firstState({ dtype, shape, first }, rows) {
    const dims = [rows, ...shape.slice(1).map((axis) => axis ?? 0)], size = dims.reduce((a, b) => a * b, 1);
    const row = Array.isArray(first) ? first.flat(Infinity) : [first];
    const values = Array.from({ length: size }, (_, at) => row[at % row.length]);
    return dtype === "int64" ? this.integers(values, dims) : new this.ort.Tensor(dtype, Float32Array.from(values), dims);
  }
}

/** One live stream: its state goes from step to step. */
class Stream {
  constructor(model) {
    Object.assign(this, { model, memory: {}, state: {}, last: null });
    for (const state of model.signature.states) this.state[state.name] = model.firstState(state, 1);
  }

  async push(value) {
    const { columns, answers } = this.model, named = value !== null && typeof value === "object" && !Array.isArray(value);
    if (!named && columns.length > 1) throw new Refused(`a step must be {column: value} with ${columns.map(({ name }) => name).join(", ")}`);
    const row = named ? value : { [columns[0].name]: value }, memory = {}, parts = [];
    for (const column of columns) {
      const [found, kept] = column.step(cellOf(column, row), this.memory[column.name] ?? null);
      memory[column.name] = kept;
      parts.push(...found);
    }
    const count = Math.max(...parts.map((part) => part.length));
    for (let at = 0; at < count; at++) await this.take(parts.map((part) => [part[Math.min(at, part.length - 1)]].flat(0)));
    this.memory = memory;
    return (await answers.rows(this.last, [1], this.model))[0];
  }

  /** Run the graph for one step: for each input of the graph, its only step. */
  async take(steps) {
    const { model } = this, feeds = { ...this.state, lengths: model.integers([1], [1]) };
    let at = 0;
    for (const column of model.columns) for (const name of column.graph) feeds[name] = model.tensor(name, [steps[at++]], column.time);
    this.last = await model.run(feeds, 1);
    for (const { name, after } of model.signature.states) this.state[name] = this.last[after];
  }
}

function cellOf(column, row) {
  if (column.name in row) return row[column.name];
  if (column.channels.length && column.channels.every((channel) => channel in row)) {
    const cells = column.channels.map((channel) => row[channel]);
    return Array.isArray(cells[0]) ? cells[0].map((_, t) => cells.map((cell) => cell[t])) : cells;
  }
  throw new Refused(`column '${column.name}' is missing; the row has ${Object.keys(row).join(", ") || "no columns"}`);
}

/** The largest relative difference between two answers; infinite if labels, texts or sizes differ. */
export function difference(found, wanted) {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(found) || found.length !== wanted.length) return Infinity;
    return Math.max(0, ...wanted.map((value, at) => difference(found[at], value)));
  }
  if (wanted !== null && typeof wanted === "object") {
    if (Object.keys(found ?? {}).sort().join() !== Object.keys(wanted).sort().join()) return Infinity;
    return Math.max(0, ...Object.entries(wanted).map(([key, value]) => difference(found[key], value)));
  }
  if (typeof wanted === "number" && typeof found === "number") return Math.abs(found - wanted) / Math.max(1, Math.abs(wanted));
  return found === wanted ? 0 : Infinity;
}

/** The largest difference from the answers in example.json. */
export async function check(model, read) {
  const example = JSON.parse(new TextDecoder().decode(await read("example.json")));
  let worst = difference(await model.predict(example.rows), example.answers);
  if (!example.values.length) return worst;
  const stream = await model.stream();
  for (const [at, value] of example.values.entries()) worst = Math.max(worst, difference(await stream.push(value), example.live[at]));
  return worst;
}
