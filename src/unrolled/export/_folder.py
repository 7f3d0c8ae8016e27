"""What stands beside the graphs of an export: what they mean, programs that use them, a self-check, a README."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from unrolled.data.examples.example_rows import example_rows, example_values
from unrolled.export._signature import signature_of, tokenizers_of
from unrolled.export.exporter import Subject

__all__ = ["folder_of"]

_PROGRAMS = (
    *("run.py", "read_columns.py", "read_symbols.py", "split_words.py", "write_answers.py", "search_paths.py"),
    *("run.mjs", "model.mjs", "columns.mjs", "answers.mjs", "search.mjs", "index.html"),
)


def folder_of(subject: Subject, graphs: Mapping[str, bytes], notes: Sequence[str] = ()) -> dict[str, bytes]:
    """The files of a folder with these graphs, and the graphs: relative name -> bytes.

    Args:
        subject: what is exported.
        graphs: name of a graph, such as ``model``, -> its file.
        notes: what there is to say about the weights.
    """
    named = {name: f"{name}.onnx" for name in graphs}
    fingerprint = hashlib.sha256(b"".join(graphs.values())).hexdigest()
    signature = signature_of(subject, named, fingerprint)
    found = {named[name]: data for name, data in graphs.items()}
    found["signature.json"] = _json(signature)
    found |= {name: contents.encode() for name, contents in tokenizers_of(subject)}
    programs = files("unrolled.export") / "folder"
    found |= {name: (programs / name).read_bytes() for name in _PROGRAMS}
    example = None if signature["cannot_read"] else _example(subject, signature)
    if example is not None:
        found["example.json"] = _json(example)
    found["README.md"] = _readme(subject, signature, example is not None, notes).encode()
    return found


def _example(subject: Subject, signature: Mapping[str, Any]) -> dict[str, Any] | None:
    """Made rows with the model's answers, and made live values with what a session answers."""
    coder = subject.task.coder
    rows = example_rows(coder)
    if rows is None:
        return None
    values = [] if signature["cannot_stream"] else example_values(coder)
    live = subject.stream(values) if values else []
    return {"rows": rows, "answers": subject.predict(rows), "values": values, "live": live}


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def _readme(subject: Subject, signature: Mapping[str, Any], checked: bool, notes: Sequence[str]) -> str:
    """What goes in, what comes out, in units, and how to run it."""
    rows = "\n".join(
        f"| `{one['column']}` | {one['kind']} | {', '.join(f'`{name}`' for name in one['graph'])} | {one['rule']} |"
        for one in signature["inputs"]
    )
    stream = signature["cannot_stream"] or (
        "`python run.py --stream` reads one value a line from standard input and answers at once. The state goes into "
        "the graph and comes out of it: feed each `….after` as the state of the next step."
    )
    said = "".join(f"\n\n{note}" for note in notes)
    check = "`python run.py --check` compares with the answers that the model itself gave to the made rows in "
    return f"""# {subject.name}: {signature["model"]}, {signature["task"]}

Exported by Unrolled. Needs `pip install numpy onnxruntime`, and nothing of Unrolled.{said}

    python run.py rows.jsonl

{signature["cannot_read"] or 'Each line of `rows.jsonl` is a row, {"column": cell}; each answer is a line of JSON.'}
{check + "`example.json`." if checked else ""}

In Node, after `npm install onnxruntime-web`, `node run.mjs` takes the same arguments. In a browser: copy
`ort.wasm.min.mjs`, `ort-wasm-simd-threaded.mjs` and `ort-wasm-simd-threaded.wasm` from the `dist` of that package to
`ort/` here, serve this folder (`python -m http.server --bind 127.0.0.1`), and open it. It streams on the page, offline.

## What goes in

| column | kind | inputs of the graph | what they hold |
|---|---|---|---|
{rows}

Axes: rows first, then steps where the column has them; rows are padded to the right to one length, and `lengths`
(rows,) int64 says how many steps are real. Padding may hold anything. There must be at least one row and one step:
onnxruntime ends the process if a recurrent operator gets no rows.

## What comes out

`outputs` are those of the network. What answers are made of stands beside them in the data's own units, as
`answer.…`; `signature.json` says how, under "answer". Everything is float32 inside; numbers come and go as float64.

## Streaming

{stream}
"""
