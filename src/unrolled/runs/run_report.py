"""The report of a run as a page: ``report.html``, to look at rather than to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, UsageError
from unrolled.inspection.prefixes import Prefixes
from unrolled.metrics.metric import best_first, in_order
from unrolled.page.chart import Chart, picture
from unrolled.page.document import Section, document, escaped
from unrolled.page.notebook import grid, metrics_grid
from unrolled.page.svg import words
from unrolled.runs.encode import Encoded
from unrolled.runs.examination import Examination, Share
from unrolled.runs.preview import repeated
from unrolled.runs.traced_rows import traced_row
from unrolled.runs.trained import Trained
from unrolled.runs.training_curves import curves
from unrolled.runs.training_log import TrainingLog
from unrolled.views.looked import Looked
from unrolled.views.shown import answers_in, verdicts

__all__ = ["REPORT", "Held", "held_of", "report"]

REPORT = "report.html"

_STEPS = 50_000  # of held-out rows that are examined
_WORST, _PLANNED = 10, 60
_LARGEST = 900_000  # bytes


class Held(NamedTuple):
    """A held-out split: its name, its rows, and how many steps each has."""

    split: str
    part: Sequences
    steps: np.ndarray


def held_of(encoded: Encoded) -> Held | None:
    """What a report examines: the test split, or else the validation split."""
    for split, part in reversed(encoded.splits.held_out().items()):
        return Held(split, part, encoded.judged[split].steps())
    return None


def report(trained: Trained, held: Held | None, log: TrainingLog) -> str:
    """The page: verdicts, results beside the baselines, learning curves, where the model errs, an example, the plan.

    Args:
        trained: the model.
        held: what is examined; ``None``: nothing.
        log: of its training.

    Cost: one evaluation of held-out rows with about 50 000 steps.
    """
    title = f"{trained.network.title} for {trained.task.name}"
    about = f"{trained.folder}, trained on {trained.config.source}"
    sections = [*_said(trained), *_results(trained), *_curves(trained, log)]
    if held is not None and len(held.part):
        sections += [*_errors(trained, held), *_example(trained, held)]
    page = document(title, about, [*sections, *_plan(trained)])
    if len(page.encode()) <= _LARGEST:
        return page
    return document(title, about, [one for one in (*sections, *_plan(trained)) if not one.view])


def _said(trained: Trained) -> Iterator[Section]:
    lines = [(split, sentence) for split in trained.metrics for sentence in trained.sentences(split)]
    if lines:
        yield verdicts(lines)


def _results(trained: Trained) -> Iterator[Section]:
    """A table of each split, the best baseline first."""
    tables = []
    for split, values in trained.metrics.items():
        found = in_order(values)
        others = best_first(trained.baselines.get(split, {}), next(iter(found), ""))
        tables.append(f'<div class="scroll">{metrics_grid(found, others, "this model", f"{split} split")}</div>')
    if tables:
        yield Section("Results beside the baselines", "".join(tables))


def _curves(trained: Trained, log: TrainingLog) -> Iterator[Section]:
    task, kept = trained.task, trained.findings.kept
    best = None if kept is None else kept[0]
    if charts := curves(log, task.watch, task.chooses, best, trained.config.training.clip):
        yield Section("Learning curves", picture(charts, columns=2))


def _errors(trained: Trained, held: Held) -> Iterator[Section]:
    """Where the model errs on held-out rows: by label, confidence, length and step ahead, and the worst of them."""
    rows = _some(held.steps)
    if not len(rows):
        return
    try:
        found = trained.examine(held.part.take(rows), worst=_WORST)
    except DataError:  # none of these rows can be scored
        return
    charts = [*_of_labels(found), *_of_shares(found, trained.task.chooses)]
    whole = "all" if len(rows) == len(held.part) else f"{len(rows):,} of {len(held.part):,}"
    about = f'<p class="soft">{whole} rows of the {escaped(held.split)} split</p>'
    if charts:
        drawn = picture(charts, columns=min(2, len(charts)))
        yield Section("Where it errs", f'{about}<div class="{"" if len(charts) > 1 else "half"}">{drawn}</div>')
    if found.worst:
        head = ["row", found.worst[0].measure, "right", "answer", *found.worst[0].inputs]
        lines = [
            [str(one.row), one.value, _short(one.right), _short(one.answer), *one.inputs.values()]
            for one in found.worst
        ]
        yield Section("The worst examples", f'{about}<div class="scroll">{grid(head, lines)}</div>')


def _some(steps: np.ndarray) -> np.ndarray:
    """Rows, spread evenly, with at most `_STEPS` steps; none where a single row has more."""
    most = int(_STEPS / max(1.0, float(steps.mean())))
    rows = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), most)).astype(np.int64))
    return rows[np.cumsum(steps[rows]) <= _STEPS]


def _of_labels(found: Examination) -> Iterator[Chart]:
    if found.confusion:
        names = [str(name) for name in found.confused]
        names += ["others"] * (len(found.confusion) - len(names))
        chart = Chart("right label (rows) and answer (columns)", x="answered", y="right")
        yield chart.cells(np.array(found.confusion, np.float64), rows=names, columns=names)
    if found.calibration:
        chart = Chart("calibration", x="confidence", y="share that is right", x_range=(0, 1), y_range=(0, 1))
        bins = [one for one in found.calibration if one.answers]
        chart.line([0, 1], [0, 1], "as it should be")
        yield chart.dots([one.confidence for one in bins], [one.accuracy for one in bins], "answers")


def _of_shares(found: Examination, measure: str) -> Iterator[Chart]:
    for title, shares in (("by length", found.by_length), ("by step ahead", found.by_step)):
        known = [share for share in shares if measure in share.metrics]
        if len(known) > 1:
            yield _bars(f"{measure} {title}", known, measure)


def _bars(title: str, shares: list[Share], measure: str) -> Chart:
    return Chart(title, y=measure).bars([share.name for share in shares], [share.metrics[measure] for share in shares])


def _short(value: object) -> str:
    if isinstance(value, list | tuple):
        text = f"[{', '.join(map(_short, value))}]"
    else:
        text = "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _example(trained: Trained, held: Held) -> Iterator[Section]:
    """The answers to the beginning of a held-out row, beside what is right."""
    readable = np.flatnonzero((held.steps > 0) & (held.steps <= _STEPS))
    if not len(readable):
        return
    try:
        found = traced_row(trained, held.part, int(readable[0]), None, keep=lambda _: False)
    except (DataError, UsageError):  # it cannot be read by itself; the rest of the report stands
        return
    network, task = trained.network, trained.task
    prefixes = Prefixes(network, task, found.examples)
    yield from answers_in(Looked(task=task, network=network, trace=found.trace, start=found.start, prefixes=prefixes))


def _plan(trained: Trained) -> Iterator[Section]:
    config = trained.config
    if config.plan:
        rows = [[one.field, str(one.value), one.source, one.reason] for one in config.plan[:_PLANNED]]
        again = f"<p>To repeat the run without choosing:</p><p><code>{words(repeated(config))}</code></p>"
        table = grid(["option", "value", "chosen by", "because"], rows)
        yield Section("Plan", f'<div class="scroll">{table}</div>{again}', folded=True)
    inside = f"unrolled inspect {trained.folder} --out inside.html"
    yield Section("Look inside", f"<p><code>{words(inside)}</code></p>")
