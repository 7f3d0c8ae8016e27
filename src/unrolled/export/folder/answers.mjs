// The outputs of the graph as answers, by the rule in signature.json: the same as write_answers.py.
// Part of a model exported by Unrolled. An output is { data, dims }, its first axis the rows.

import { argmax, beamSearch, mergedSearch } from "./search.mjs";

const UNKNOWN = 0, SPECIALS = 3, BEST = 10;

/** The values of one row of an output. */
function rowOf({ data, dims }, row) {
  const width = dims.slice(1).reduce((a, b) => a * b, 1);
  return Array.from(data.slice(row * width, (row + 1) * width), Number);
}

/** A flat list as rows of `width` values. */
const folded = (flat, width) => Array.from({ length: flat.length / width }, (_, at) => flat.slice(at * width, (at + 1) * width));

/** What a label is called in the name of a column, as Python writes it. */
const written = (label) => (typeof label === "boolean" ? (label ? "True" : "False") : String(label));

const RULES = {
  labels({ rule, name }, outputs, row) {
    const chances = rowOf(outputs.p, row).map((p, k) => [`${name}_p_${written(rule.labels[k])}`, p]);
    return { [`${name}_predicted`]: rule.labels[Number(outputs.best.data[row])], ...Object.fromEntries(chances) };
  },
  sets({ rule, name }, outputs, row) {
    const chances = rowOf(outputs.p, row);
    const named = chances.map((p, k) => [`${name}_p_${written(rule.labels[k])}`, p]);
    return { [`${name}_predicted`]: rule.labels.filter((_, k) => chances[k] > 0.5), ...Object.fromEntries(named) };
  },
  numbers({ rule }, outputs, row) {
    return Object.fromEntries(Object.entries(rule.columns).map(([column, [value, channel]]) => {
      const found = rowOf(outputs[value], row), dims = outputs[value].dims;
      if (channel !== undefined) return [column, folded(found, dims.at(-1)).map((step) => step[channel])];
      return [column, dims.length > 1 ? found : found[0]];
    }));
  },
  next({ rule, name, target }, outputs, row) {
    const chances = rowOf(outputs.p, row), shown = [...chances];
    rule.never.forEach((id) => { shown[id] = 0; });
    const symbol = (id) => (id === rule.end ? "<end>" : target.symbol(id)), best = argmax(shown);
    const found = { [`${name}_predicted`]: symbol(best), [`${name}_p`]: shown[best] };
    if (rule.items === null) return found;
    const candidates = [...(rule.end === null ? [] : [rule.end]), ...chances.keys()].filter((id, place) => (place === 0 && rule.end !== null) || id >= rule.items);
    const top = candidates.sort((a, b) => chances[b] - chances[a]).slice(0, BEST);
    return { ...found, [`${name}_top`]: top.map(symbol), [`${name}_top_p`]: top.map((id) => chances[id]) };
  },
  several({ name }, outputs, row) {
    const chances = rowOf(outputs.p, row);
    return { [`${name}_predicted`]: chances.map((p) => Number(p > 0.5)), [`${name}_p`]: chances };
  },
  tags(answers, outputs, row, size) {
    const chances = folded(rowOf(outputs.p, row), answers.rule.labels.length).slice(0, size);
    return tagged(answers, rowOf(outputs.best, row).slice(0, size), chances);
  },
  paths(answers, outputs, row, size) {
    const K = answers.rule.labels.length;
    const steps = folded(rowOf(outputs.potentials, row), (K + 1) * K).slice(0, size).map((step) => folded(step, K));
    return tagged(answers, viterbi(steps), marginals(steps));
  },
  filled({ name, target }, outputs, row, size) {
    const ids = rowOf(outputs.ids, row).slice(0, size), chances = folded(rowOf(outputs.p, row), outputs.p.dims.at(-1)), sure = [];
    ids.forEach((id, t) => {
      if (id !== UNKNOWN) return;
      const best = argmax(chances[t]);
      ids[t] = best + SPECIALS;
      sure.push(chances[t][best]);
    });
    return { [`${name}_predicted`]: writtenOut(target, ids), [`${name}_p`]: sure };
  },
  merged({ rule, name, target }, outputs, row, size) {
    const frames = folded(rowOf(outputs.log_p, row), outputs.log_p.dims.at(-1)).slice(0, size);
    return { [`${name}_predicted`]: writtenOut(target, mergedSearch(frames, rule.beam, rule.blank)) };
  },
  async written({ rule, name, target }, outputs, row, size, model) {
    let state = Object.fromEntries(Object.entries(outputs).filter(([key]) => key.startsWith("state.")).map(([key, value]) => [key, model.onlyRows(value, [row])]));
    const ids = await beamSearch(async (last, rows) => {
      state = Object.fromEntries(Object.entries(state).map(([key, value]) => [key, model.onlyRows(value, rows)]));
      const found = await model.run({ ...state, symbols: model.integers(last, [last.length]) }, last.length, "decoder");
      state = Object.fromEntries(Object.keys(state).map((key) => [key, found[`${key}.after`] ?? state[key]]));
      return last.map((_, at) => rowOf(found.log_p, at));
    }, rule);
    return { [`${name}_predicted`]: writtenOut(target, ids) };
  },
};

/** What the outputs stand for. */
export class Answers {
  constructor(rule, columns, target) {
    this.rule = rule;
    this.name = rule.column;
    this.target = target ?? columns.find((column) => column.name === rule.column);
  }
  /** The answer to each row, {column: value}. */
  async rows(outputs, sizes, model) {
    const found = [];
    for (const [row, size] of sizes.entries()) found.push(await RULES[this.rule.how](this, outputs, row, size, model));
    return found;
  }
  /** The likeliest next symbol of one row, which may be the end. */
  best(outputs) {
    const chances = rowOf(outputs.p, 0);
    this.rule.never.forEach((id) => { chances[id] = 0; });
    return argmax(chances);
  }
}

const writtenOut = (column, ids) => (column.lists ? column.listed(ids) : column.text(ids));

const tagged = ({ rule, name }, best, chances) => ({
  [`${name}_predicted`]: best.map((k) => rule.labels[k]), [`${name}_p`]: best.map((k, t) => chances[t][k]),
});

/** The path with the highest sum of potentials (T, K + 1, K); row K of the first step is the beginning. */
function viterbi(steps) {
  if (!steps.length) return [];
  let score = steps[0].at(-1);
  const back = [];
  for (const step of steps.slice(1)) {
    const paths = score.map((_, j) => score.map((before, i) => before + step[i][j]));
    back.push(paths.map(argmax));
    score = paths.map((path) => Math.max(...path));
  }
  const path = [argmax(score)];
  for (const before of back.reverse()) path.push(before[path.at(-1)]);
  return path.reverse();
}

/** The probability of each label at each step, over all paths. */
function marginals(steps) {
  if (!steps.length) return [];
  const K = steps[0][0].length, forward = [steps[0].at(-1)], backward = [Array(K).fill(0)];
  for (const step of steps.slice(1)) forward.push(forward.at(-1).map((_, j) => logSum(forward.at(-1).map((before, i) => before + step[i][j]))));
  for (const step of steps.slice(1).reverse()) backward.push(backward.at(-1).map((_, i) => logSum(backward.at(-1).map((after, j) => step[i][j] + after))));
  backward.reverse();
  return forward.map((before, t) => {
    const both = before.map((value, k) => value + backward[t][k]), all = logSum(both);
    return both.map((value) => Math.exp(value - all));
  });
}

function logSum(values) {
  const most = Math.max(...values);
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
}
