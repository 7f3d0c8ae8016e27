"""How the answers of a run, or of a peer, become a number; both sides of `plain.py` are judged by these."""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import common
import multi30k
import numpy as np
import promoters
import pronunciation

if TYPE_CHECKING:
    from plain_rows import Part

SCRIPTS = Path(__file__).parent / "peers"
_LIMIT = 7200  # seconds that a peer may take for one split


def correlation_of_run(run: common.Run, part: Part, folder: Path) -> dict[str, float]:
    return {"value": promoters.scores(folder, common.run_folder(run.command), part.data["test"])["correlation"]}


def word_error_of_run(run: common.Run, part: Part, folder: Path) -> dict[str, float]:
    known, _ = pronunciation.dictionary()
    found = predicted(run, folder, part.data["test"], "phonemes")
    words = [json.loads(line)["word"] for line in (folder / part.data["test"]).read_text("utf-8").splitlines()]
    figures = pronunciation.judge(known, words, found)
    return {"value": figures["word_error"], "phoneme_error": figures["phoneme_error"]}


def bleu_of_run(run: common.Run, _: Part, folder: Path) -> dict[str, float]:
    pairs = multi30k.pairs(multi30k.FILES["test"])
    scores, _ = multi30k.judge(pairs, [text or "" for text in predicted(run, folder, "test.jsonl", "german")])
    return {"value": scores["bleu"], "lower_cased": scores["bleu_lower"]}


def predicted(run: common.Run, folder: Path, file: str, column: str) -> list[Any]:
    """What the run answers to a file."""
    found: list[Any] = opened(run, folder).predict(str(folder / file)).column(f"{column}_predicted").to_pylist()
    return found


def forecasts_of_run(run: common.Run, part: Part, folder: Path) -> dict[str, float]:
    """Mean absolute scaled error over all origins, and how many values lie between the forecasts of 10 and 90 %."""
    given, trained = series_of(folder, part.data["name"]), opened(run, folder)
    forecasts = []
    for origin in given["origins"]:
        table = {"date": given["dates"][:origin], "value": given["values"][:origin]}
        answers = trained.predict(_read_again(table, folder)).to_pylist()[0]
        forecasts.append({name: answers.get(f"value_{name}") for name in ("predicted", "q10", "q90")})
    return scaled_errors(given, forecasts)


def opened(run: common.Run, folder: Path) -> Any:
    """The model of a run."""
    import unrolled

    return unrolled.load(folder / common.run_folder(run.command))


def _read_again(table: dict[str, list[Any]], folder: Path) -> str:
    """The path of the table as a file, so that it is read as the training data was."""
    path = folder / "origin.csv"
    rows = zip(table["date"], table["value"], strict=True)
    path.write_text("date,value\n" + "".join(f"{day},{value}\n" for day, value in rows), "utf-8")
    return str(path)


def series_of(folder: Path, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads((folder / "series.json").read_text("utf-8"))
    return next(given for given in found if given["name"] == name)


def scaled_errors(given: dict[str, Any], forecasts: Sequence[dict[str, list[float] | None]]) -> dict[str, float]:
    """``value``: the mean absolute error by that of repeating the season before the first origin; ``coverage``."""
    y, season, first = np.array(given["values"]), given["season"], given["origins"][0]
    scale = np.abs(y[season:first] - y[: first - season]).mean()
    errors, inside = [], []
    for origin, found in zip(given["origins"], forecasts, strict=True):
        right = y[origin : origin + given["horizon"]]
        errors.append(np.abs(np.array(found["predicted"]) - right).mean())
        if found["q10"] is not None and found["q90"] is not None:
            inside.append(np.mean((np.array(found["q10"]) <= right) & (right <= np.array(found["q90"]))))
    value = {"value": float(np.mean(errors) / scale)}
    return {**value, "coverage": float(np.mean(inside))} if inside else value


def judged(unit: str, right: Sequence[Any], answers: Sequence[Any]) -> float:
    """The number of a peer's answers, in the unit of the row."""
    if unit.startswith("accuracy"):
        return float(np.mean([a == b for a, b in zip(right, answers, strict=True)]))
    if unit.startswith("macro-F1"):
        return macro_f1(right, answers)
    if unit.startswith("entity F1"):
        return entity_f1(right, answers)
    return correlation([one == "prom" for one in right], [one == "prom" for one in answers])


def macro_f1(right: Sequence[Any], answers: Sequence[Any]) -> float:
    """The mean over all labels of the harmonic mean of precision and recall.

    >>> round(macro_f1("aab", "aba"), 3)
    0.25
    """
    scores = []
    for label in sorted(set(right)):
        hit = sum(a == b == label for a, b in zip(right, answers, strict=True))
        scores.append(2 * hit / (right.count(label) + list(answers).count(label)))
    return sum(scores) / len(scores)


def correlation(right: Sequence[bool], answers: Sequence[bool]) -> float:
    """Matthews' correlation of two answers.

    >>> correlation([True, True, False, False], [True, True, False, False])
    1.0
    """
    found = np.corrcoef(np.array(right, float), np.array(answers, float))[0, 1]
    return 0.0 if math.isnan(found) else round(float(found), 12)


def entity_f1(right: Sequence[Sequence[str]], answers: Sequence[Sequence[str]]) -> float:
    """F1 of exact spans and kinds.

    >>> entity_f1([["B-a", "I-a", "O", "B-b"]], [["B-a", "I-a", "O", "B-a"]])
    0.5
    """
    there, found = (
        {(row, *span) for row, tags in enumerate(all_) for span in spans(tags)} for all_ in (right, answers)
    )
    return 2 * len(there & found) / max(1, len(there) + len(found))


def spans(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """(begin, end, kind) of each entity; an I- after another kind begins one.

    >>> spans(["B-a", "I-a", "B-a", "O", "I-b"])
    [(0, 2, 'a'), (2, 3, 'a'), (4, 5, 'b')]
    """
    found: list[tuple[int, int, str]] = []
    begin, kind = 0, ""
    for at, tag in enumerate([*tags, "O"]):
        mark, _, of = tag.partition("-")
        if kind and (mark != "I" or of != kind):
            found.append((begin, at, kind))
            kind = ""
        if mark != "O" and not kind:
            begin, kind = at, of
    return found


def run_script(python: Path, script: str, kind: str, data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What a peer's script prints last, as JSON.

    Raises:
        RuntimeError: it failed.
    """
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), str(SCRIPTS / script), kind, json.dumps(data)]
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=False, timeout=_LIMIT)
    if done.returncode:
        raise RuntimeError(f"{script}: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
