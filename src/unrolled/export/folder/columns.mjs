// Cells and live values as the arrays that the graph reads, by the rules in signature.json.
// Part of a model exported by Unrolled; the same as read_symbols.py, read_columns.py and split_words.py.

export class Refused extends Error {}

const LARGEST = 3.4028234663852886e38; // of float32
const MISSING = new Set([ // texts that stand for a missing number, in any case
  "", "?", "-", "--", "---", ".", "..", "...", "n/a", "na", "n.a.", "n.a", "none", "null", "nil", "nan", "-nan",
  "#n/a", "#na", "#n/a n/a", "#null!", "#div/0!", "#ref!", "#value!", "#num!", "#name?",
  "\\n", "<na>", "(null)", "missing", "not available", "–", "—", "…",
]);
const UNKNOWN = 0, BEGIN = 1, END = 2, SPECIALS = 3;
const ALPHABETS = { DNA: "ACGTRYSWKMBDHVN-", RNA: "ACGURYSWKMBDHVN-", protein: "ACDEFGHIKLMNPQRSTVWYBZXJUO*-" };
const SPACES = "\\t\\n\\f\\r \\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const BLANKS = `${SPACES}\\v\\u0085`;
const BLANK = new RegExp(`[${BLANKS}]`, "u");
const PICTURE = "[\\p{So}\\u203c\\u2049\\u2194\\u25fb-\\u25fe\\u3030\\u{1f000}-\\u{1faff}][\\u{1f3fb}-\\u{1f3ff}]?\\ufe0f?";
const EMOJI = `[0-9#*]\\ufe0f?\\u20e3|[\\u{1f1e6}-\\u{1f1ff}]{2}|\\u{1f3f4}[\\u{e0020}-\\u{e007e}]+\\u{e007f}|${PICTURE}(?:\\u200d${PICTURE})*`;
const ADDRESS = new RegExp(
  `(?:[hH][tT][tT][pP][sS]?://|(?<![A-Za-z0-9_])[wW]{3}\\.)[^${SPACES}<>"“”«»…]*[^${SPACES}<>"“”«»…'’.,;:!?)\\]}]`, "gu");
const MENTION = /(?<![\p{L}\p{M}\p{N}_@/.])@[A-Za-z0-9_]+/gu;
const CUT = new RegExp(`(<(?:[uU][rR][lL]|[uU][sS][eE][rR]|[uU][nN][kK][nN][oO][wW][nN])>|${EMOJI}|[^\\p{L}\\p{M}\\p{N}_\\t\\n\\f\\r\\p{Z}])`, "gu");
const UNIT = new RegExp(`(${EMOJI}|[\\p{L}\\p{M}\\p{N}_]+|[^${BLANKS}])([${BLANKS}]*)`, "gsu");
const CLOSING = new Set(".,;:!?)]}%…»”’'-/"), OPENING = new Set("([{«“¿¡$£€#@’'-/");

/** The words and signs of a text that is only read, in lower case; addresses and mentions are folded. */
export function words(text, lower = true) {
  const apart = text.replace(ADDRESS, "<url>").replace(MENTION, "<user>").replace(CUT, " $1 ");
  const found = apart.split(new RegExp(`[${BLANKS}]+`, "u")).filter((word) => word !== "");
  return lower ? found.map((word) => Array.from(word, (one) => Array.from(one.toLowerCase())[0]).join("")) : found;
}

/** The words of a text that the model writes, and each blank that its neighbours do not imply. */
export function writtenWords(text) {
  const units = [...text.matchAll(UNIT)], tokens = Array.from(text.match(new RegExp(`^[${BLANKS}]*`, "u"))[0]);
  units.forEach(([, word, after], place) => {
    const following = place + 1 === units.length || CLOSING.has(units[place + 1][1]);
    const expected = OPENING.has(word) || following ? "" : " ";
    tokens.push(word, ...(after === expected ? [] : after ? Array.from(after) : [""]));
  });
  return tokens;
}

/** The text of tokens: the inverse of writtenWords. */
export function writeWords(tokens) {
  let text = "", loose = true;
  for (const token of tokens) {
    if (token === "" || BLANK.test(token)) { text += token; loose = true; continue; }
    text += loose || CLOSING.has(token) ? token : ` ${token}`;
    loose = OPENING.has(token);
  }
  return text;
}

/** A column: `whole` reads a cell, `step` a live value; both give, for each input of the graph, its steps. */
class Column {
  constructor(described) {
    Object.assign(this, { name: described.column, config: described.config, time: described.time });
    Object.assign(this, { graph: described.graph ?? [], channels: described.channels ?? [], open: described.open ?? false });
  }
  refuse(message) { return new Refused(`column '${this.name}': ${message}`); }
}

class Symbolic extends Column {
  whole(cell) { return [this.framed(this.ids(this.checked(cell))), ...this.lettersOf(cell)]; }
  step(value) {
    const ids = value === null ? [UNKNOWN] : this.ids(this.checked(value));
    if (!ids.length) throw this.refuse("the text is empty, so it has no steps");
    return [[ids, ...(value === null ? this.letters([""]) : this.lettersOf(value))], null];
  }
  framed(ids) {
    if (this.begin === undefined) return ids;
    return this.open ? [this.begin, ...ids] : [this.begin, ...ids, this.end];
  }
  checked(cell) {
    if (cell === null || cell === undefined) return "";
    if (typeof cell !== "string") throw this.refuse(`expected a text, got ${cell}`);
    return cell;
  }
  lettersOf() { return []; }
  letters() { return []; }
  inside(ids) { return ids.filter((id) => id !== this.begin && id !== this.end); }
  listed(ids) { return this.inside(ids).map((id) => this.symbols[id]); }
  text(ids) { return this.listed(ids).join(""); }
  symbol(id) { return this.text([id]); }
}

class Tokens extends Symbolic {
  constructor(described) {
    super(described);
    this.level = this.config.level;
    if (this.config.framed) Object.assign(this, { begin: BEGIN, end: END });
    if (!["characters", "words", "bytes"].includes(this.level)) throw this.refuse(`run.mjs does not read ${this.level} tokens: use run.py`);
    if (this.level === "bytes") return;
    const special = this.level === "characters" ? "\ufffd" : "<unknown>";
    this.symbols = [special, special, special, ...this.config.symbols];
    this.known = new Map(this.symbols.map((symbol, id) => [symbol, id]).slice(SPECIALS));
  }
  normal(text) { return this.config.normal === "none" ? text : text.normalize(this.config.normal.toUpperCase()); }
  ids(text) {
    text = this.normal(text);
    if (this.level === "bytes") return Array.from(new TextEncoder().encode(text), (byte) => byte + SPECIALS);
    const parts = this.level === "characters" ? Array.from(text) : this.config.written ? writtenWords(text) : words(text);
    return parts.map((part) => this.known.get(part) ?? UNKNOWN);
  }
  lettersOf(text) { return this.config.letters ? this.letters(words(this.normal(this.checked(text)), false)) : []; }
  letters(parts) {
    const spelling = this.config.letters;
    if (!spelling) return [];
    const known = new Map(Array.from(spelling.alphabet, (letter, place) => [letter, place + 2])), width = spelling.width;
    return [parts.map((word) => {
      const all = word.toLowerCase() === "<unknown>" ? [] : Array.from(this.normal(word));
      const kept = all.length <= width ? all : [...all.slice(0, Math.ceil(width / 2)), ...all.slice(all.length - Math.floor(width / 2))];
      return Array.from({ length: width }, (_, at) => (at < kept.length ? known.get(kept[at]) ?? 1 : 0));
    })];
  }
  text(ids) {
    if (this.level === "characters") return super.text(ids);
    if (this.level === "bytes") return new TextDecoder().decode(Uint8Array.from(ids.filter((id) => id >= SPECIALS), (id) => id - SPECIALS));
    return this.config.written ? writeWords(this.listed(ids)) : this.listed(ids).join(" ");
  }
}

class Items extends Tokens {
  lists = true;
  whole(cell) {
    if (!Array.isArray(cell)) throw this.refuse(`expected a list of items, got ${cell}`);
    return [this.framed(cell.map((one) => this.item(one))), ...this.letters(cell.map(String))];
  }
  step(value) { return [[[this.item(value)], ...this.letters([String(value)])], null]; }
  item(one) {
    if (one === null) return UNKNOWN;
    if (typeof one !== "string" && !Number.isInteger(one)) throw this.refuse(`expected an item, a text or a whole number, got ${one}`);
    return this.known.get(this.normal(String(one))) ?? UNKNOWN;
  }
}

class Letters extends Symbolic {
  constructor(described) {
    super(described);
    const { alphabet, kmers, framed } = this.config;
    Object.assign(this, { alphabet: ALPHABETS[alphabet], symbols: [...ALPHABETS[alphabet]], size: 1 });
    if (kmers) Object.assign(this, { symbols: ["N".repeat(kmers[0].length), ...kmers], size: kmers[0].length });
    else if (framed) Object.assign(this, { begin: this.alphabet.length, end: this.alphabet.length + 1 });
    this.known = new Map(this.symbols.map((symbol, id) => [symbol, id]));
  }
  ids(text) {
    const letters = text.toUpperCase(), foreign = [...text].find((letter) => letter > "\x7f" || !this.alphabet.includes(letter.toUpperCase()));
    if (foreign) throw this.refuse(`'${foreign}' is not a letter of ${this.config.alphabet}`);
    return Array.from({ length: Math.max(0, letters.length - this.size + 1) }, (_, at) => this.known.get(letters.slice(at, at + this.size)) ?? 0);
  }
  step(value) {
    if (typeof value !== "string" || value.length !== this.size) throw this.refuse(`one step is ${this.size} letters, not ${value}`);
    return super.step(value);
  }
}

class Labels extends Column {
  constructor(described) {
    super(described);
    const { labels, closed, missing } = this.config;
    this.first = closed ? 0 : 1 + missing;
    this.known = new Map(labels.map((label, place) => [String(label), this.first + place]));
  }
  whole(cell) { return this.time ? [(cell ?? []).map((one) => this.id(one))] : [[this.id(cell)]]; }
  step(value) { return [[[this.id(value)]], null]; }
  symbol(id) { return id >= this.first ? this.config.labels[id - this.first] : id === 0 ? "<unknown>" : null; }
  id(value) {
    if (value === null) return Number(this.config.missing);
    if (typeof value === "object") throw this.refuse(`expected one label, got ${value}`);
    return this.known.get(String(value)) ?? 0;
  }
}

class Numbers extends Column {
  whole(cell) {
    const steps = (this.time ? cell ?? [] : [cell]).map((one) => this.values(one));
    return this.withGaps(steps, null)[0];
  }
  step(value, memory) { return this.withGaps([this.values(value)], memory); }
  withGaps(steps, before) {
    if (this.graph.length === 1) return [[steps], null];
    const gaps = steps.map((step) => {
      before = this.config.flagged.map((channel, at) => (Number.isNaN(step[channel]) && before ? before[at] + 1 : 0));
      return before;
    });
    return [[steps, gaps], before];
  }
  values(value) {
    const { mean, std, kind } = this.config, count = mean.length, listed = kind === "series";
    if (listed && typeof value === "string" && value.trimStart().startsWith("[")) {
      try { value = JSON.parse(value); } catch { throw this.refuse(`'${value}' is not a list of numbers`); }
    }
    const values = !listed ? [value] : Array.isArray(value) ? value : value === null || count === 1 ? Array(count).fill(value) : [];
    if (values.length !== count) throw this.refuse(`expected ${count} numbers, got ${value}`);
    return values.map((one, channel) => {
      const number = this.number(one);
      if (Math.abs(number - mean[channel]) / std[channel] > LARGEST) throw this.refuse(`${number} is too large: the training mean is ${mean[channel]}`);
      return number;
    });
  }
  number(value) {
    if (value === null || (typeof value === "string" && MISSING.has(value.trim().toLowerCase()))) return NaN;
    const number = typeof value === "object" || /^\s*0[xob]/i.test(value) ? NaN : Number(value);
    if (!Number.isFinite(number)) throw this.refuse(`'${value}' is not a number`);
    return number;
  }
}

class Elapsed extends Column {
  whole(cell) {
    let memory = null;
    return [(cell ?? []).map((value) => { const [[[step]], kept] = this.step(value, memory); memory = kept; return step; })];
  }
  step(value, memory) {
    if (value === null || value === "") return [[[[NaN]]], memory];
    const now = typeof value === "number" ? value : moment(value) / 1000;
    if (!Number.isFinite(now)) throw this.refuse(`'${value}' is not a time`);
    if (memory !== null && now < memory) throw this.refuse(`'${value}' is earlier than the event before`);
    return [[[[memory === null ? 0 : now - memory]]], now];
  }
}

class Calendar extends Column {
  whole(cell) { return [(this.time ? cell ?? [] : [cell]).map((one) => this.points(one))]; }
  step(value) { return [[[this.points(value)]], null]; }
  points(value) {
    if (value === null || (typeof value === "string" && value.trim() === "")) return Array(6).fill(0);
    const at = new Date(moment(value));
    if (Number.isNaN(at.getTime())) throw this.refuse(`'${value}' is not a date or time: write it as YYYY-MM-DD HH:MM`);
    const midnight = Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()), day = (at - midnight) / 86_400_000;
    const turns = [day, ((at.getUTCDay() + 6) % 7 + day) / 7, ((midnight - Date.UTC(at.getUTCFullYear(), 0, 1)) / 86_400_000 + day) / 365.2425];
    return turns.flatMap((turn) => [Math.sin(2 * Math.PI * turn), Math.cos(2 * Math.PI * turn)]);
  }
}

const COLUMNS = { tokens: Tokens, items: Items, symbols: Letters, category: Labels, number: Numbers, series: Numbers, elapsed: Elapsed, calendar: Calendar };

/** The column that an entry of signature.json describes. */
export function columnOf(described) {
  const kind = described.config.items ? "items" : described.kind;
  if (!COLUMNS[kind]) throw new Refused(`column '${described.column}': this program cannot read ${kind}: give the graph its arrays, ${described.rule}`);
  return new COLUMNS[kind](described);
}

/** Milliseconds since 1970 of a date or time; one without a zone is taken as UTC, NaN if it is none. */
function moment(value) {
  const found = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?\s*(Z|[+-]\d{2}:?\d{2})?$/.exec(String(value));
  return found ? Date.parse(`${found[1]}T${found[2] ?? "00:00"}${found[3] ?? "Z"}`) : NaN;
}
