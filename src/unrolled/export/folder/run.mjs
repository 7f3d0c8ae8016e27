#!/usr/bin/env node
// Answers of an exported model in Node, with onnxruntime-web (npm install onnxruntime-web):
//
//   node run.mjs rows.jsonl             one row a line, {"column": cell}
//   node run.mjs --stream < values      one value a line, answered at once
//   node run.mjs --generate "Once upon" what the model writes, the likeliest token at each step
//   node run.mjs --check                the examples in example.json, compared with the model's own answers

import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as ort from "onnxruntime-web";

import { Model, Refused, check } from "./model.mjs";

const folder = dirname(fileURLToPath(import.meta.url));
const read = async (name) => new Uint8Array(await readFile(join(folder, name)));
const parsed = (line) => { try { return JSON.parse(line); } catch { return line; } };

ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";
try {
  const [what, prompt] = process.argv.slice(2), model = await Model.open(ort, read);
  if (what === "--check") {
    console.log(`largest difference from the model's own answers: ${(await check(model, read)).toExponential(1)}`);
  } else if (what === "--stream") {
    const stream = await model.stream();
    for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(await stream.push(parsed(line))));
  } else if (what === "--generate") {
    for await (const piece of model.generate(prompt ?? "")) process.stdout.write(piece);
    console.log();
  } else if (what) {
    const rows = (await readFile(what, "utf8")).split("\n").filter((line) => line.trim()).map((line) => JSON.parse(line));
    for (const answer of await model.predict(rows)) console.log(JSON.stringify(answer));
  } else {
    console.error("usage: node run.mjs rows.jsonl | --stream | --generate PROMPT | --check");
    process.exitCode = 2;
  }
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 3;
}
