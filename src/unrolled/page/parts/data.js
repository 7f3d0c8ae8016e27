// What the page draws: JSON that says what is where, and one compressed blob of numbers.
const page = JSON.parse(document.getElementById("page").textContent);
const views = {}; // name -> function (place, data, cursor, title), one for each part that draws
const NO_VALUE = 255;
const LEVELS = 254;

// Numbers in `width` columns. A grid holds levels; its numbers are between low and high, or NaN for "no value".
class Numbers {
  constructor(what, buffer) {
    const kinds = { f4: Float32Array, i4: Int32Array, u1: Uint8Array };
    this.raw = new kinds[what.type](buffer, what.at, what.length);
    Object.assign(this, { width: what.width, low: what.low, high: what.high });
    this.rows = this.width ? what.length / this.width : 0;
    this.graded = what.low !== undefined;
  }

  at(row, column = 0) {
    const value = this.raw[row * this.width + column];
    if (!this.graded) return value;
    return value === NO_VALUE ? NaN : this.low + (value * (this.high - this.low)) / LEVELS;
  }

  row(at) {
    return Array.from({ length: this.width }, (_, column) => this.at(at, column));
  }
}

const PIECE = 1 << 22; // letters that are decoded at a time: a multiple of four

function bytesOf(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let nth = 0; nth < letters.length; nth += 1) bytes[nth] = letters.charCodeAt(nth);
  return bytes;
}

function unzipped(pieces) {
  return new Response(new Blob(pieces).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

// The blob of the page, piece by piece; its text, which is long, leaves the document.
function unpacked() {
  const place = document.getElementById("blob");
  const text = place.textContent;
  place.textContent = "";
  const pieces = [];
  for (let at = 0; at < text.length; at += PIECE) pieces.push(bytesOf(text.slice(at, at + PIECE)));
  return unzipped(pieces);
}

// The same data, with its numbers in place of {"$": which}.
function filled(value, arrays) {
  if (Array.isArray(value)) return value.map((one) => filled(one, arrays));
  if (value === null || typeof value !== "object") return value;
  if ("$" in value) return arrays[value.$];
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, filled(one, arrays)]));
}
