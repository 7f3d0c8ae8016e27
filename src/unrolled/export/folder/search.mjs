// Searches over the scores of the graph: the same as search_paths.py.
// Part of a model exported by Unrolled.

const PENALTY = 0.6; // of long sequences, which are less likely
const RARE = 1e-5; // a symbol this much less likely than the likeliest one of a frame is not tried there

/** The place of the largest of `values`; the first of equals. */
export const argmax = (values) => values.reduce((best, value, place) => (value > values[best] ? place : best), 0);

const merit = (score, length) => score / ((5 + length) / 6) ** PENALTY;

/** Which of two lists of ids comes first. */
function order(a, b) {
  const at = a.findIndex((id, place) => id !== b[place]);
  return at < 0 ? a.length - b.length : at < b.length ? a[at] - b[at] : 1;
}

/** The likeliest ids after the beginning, up to the end. `step(ids, rows)` gives log p of each hypothesis. */
export async function beamSearch(step, { begin, end, never, beam, longest }) {
  let waiting = [{ score: 0, ids: [] }], logP = await step([begin], [0]);
  const found = [];
  for (let length = 0; length <= longest; length++) {
    const last = length === longest, ranked = [];
    waiting.forEach(({ score, ids }, at) => {
      const row = logP[at];
      never.forEach((id) => { row[id] = -Infinity; });
      const others = [...row.keys()].filter((id) => id !== end).sort((a, b) => row[b] - row[a] || a - b).slice(0, beam);
      for (const id of last ? [end] : [end, ...others]) {
        if (last || row[id] > -Infinity) ranked.push({ score: score + row[id], ids: [...ids, id], at });
      }
    });
    ranked.sort((a, b) => b.score - a.score || order(a.ids, b.ids));
    for (const { score, ids } of ranked.slice(0, beam)) if (ids.at(-1) === end) found.push({ merit: merit(score, length), ids: ids.slice(0, -1) });
    const going = ranked.filter(({ ids }) => ids.at(-1) !== end).slice(0, beam);
    const best = Math.max(-Infinity, ...found.map((one) => one.merit));
    if (!going.length || found.length >= beam || merit(going[0].score, longest) < best) break;
    waiting = going.sort((a, b) => order(a.ids, b.ids));
    logP = await step(waiting.map(({ ids }) => ids.at(-1)), waiting.map(({ at }) => at));
  }
  return found.sort((a, b) => b.merit - a.merit || order(a.ids, b.ids))[0].ids;
}

/** The likeliest labelling of frames of log p, over all ways to write it with blanks and repetitions. */
export function mergedSearch(frames, beam, blank) {
  if (beam === 1) {
    const best = frames.map(argmax);
    return best.filter((id, t) => id !== blank && id !== best[t - 1]);
  }
  let kept = [{ ids: [], quiet: 1, loud: 0 }];
  for (const frame of frames) {
    const most = Math.max(...frame), chances = frame.map((value) => Math.exp(value - most)), grown = new Map();
    const worth = [...chances.keys()].filter((id) => id !== blank && chances[id] > 0 && chances[id] >= RARE);
    const at = (ids) => grown.get(ids.join()) ?? grown.set(ids.join(), { ids, quiet: 0, loud: 0 }).get(ids.join());
    for (const { ids, quiet, loud } of kept) {
      const same = at(ids), end = ids.at(-1);
      same.quiet += (quiet + loud) * chances[blank];
      if (ids.length) same.loud += loud * chances[end];
      for (const id of worth) at([...ids, id]).loud += (id === end ? quiet : quiet + loud) * chances[id];
    }
    const best = [...grown.values()].sort((a, b) => b.quiet + b.loud - a.quiet - a.loud).slice(0, beam);
    const whole = best[0].quiet + best[0].loud;
    kept = best.map(({ ids, quiet, loud }) => ({ ids, quiet: quiet / whole, loud: loud / whole }));
  }
  return kept.sort((a, b) => b.quiet + b.loud - a.quiet - a.loud || order(a.ids, b.ids))[0].ids;
}
