"""What ``unrolled evaluate`` prints below its table: labels, errors, confidence, parts of the data, worst examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from unrolled.cli.output import number, table

if TYPE_CHECKING:
    from unrolled.runs.examination import Examination, Share

__all__ = ["details"]

_LABELS = 20  # labels in the table; --json has all of them
_WIDTH = 40  # characters of a cell


def details(found: Examination) -> str:
    """The parts of an examination as tables, each below a line that says what it shows."""
    return "\n\n".join(f"{head}:\n\n{body}" for head, body in _parts(found) if body)


def _parts(found: Examination) -> Iterator[tuple[str, str]]:
    if found.labels:
        more = f"; the {_LABELS} commonest of {len(found.labels)} labels" if len(found.labels) > _LABELS else ""
        yield f"Labels{more}", _labels(found)
    if len(found.confusion) > 1:
        yield "Errors (a line is what is right, a column what was predicted)", _confusion(found)
    if found.two_classes:
        yield (
            f"{_cell(found.positive)} against the other",
            "  ".join(f"{n} {number(v)}" for n, v in found.two_classes.items()),
        )
    if found.calibration:
        error = number(found.calibration_error)
        yield f"Confidence beside accuracy (expected calibration error {error})", _calibration(found)
    for head, shares in (
        ("By length", found.by_length),
        ("By step ahead", found.by_step),
        ("By group", found.by_group),
    ):
        yield head, _shares(shares)
    if found.worst:
        yield f"The {len(found.worst)} worst, by {found.worst[0].measure}", _worst(found)


def _labels(found: Examination) -> str:
    head = ["", "precision", "recall", "f1", "support", "predicted"]
    return table(
        head,
        [
            [
                _cell(row.label),
                *(number(v) for v in (row.precision, row.recall, row.f1)),
                str(row.support),
                str(row.predicted),
            ]
            for row in found.labels[:_LABELS]
        ],
    )


def _confusion(found: Examination) -> str:
    names = [_cell(label) for label in found.confused]
    names += ["others"] * (len(found.confusion) - len(names))
    return table(["", *names], [[name, *map(str, line)] for name, line in zip(names, found.confusion, strict=True)])


def _calibration(found: Examination) -> str:
    rows = [[f"{b.confidence:.2f}", f"{b.accuracy:.2f}", str(b.answers)] for b in found.calibration]
    return table(["confidence", "accuracy", "answers"], rows)


def _shares(shares: tuple[Share, ...]) -> str:
    from unrolled.metrics.metric import in_order

    if not shares:
        return ""
    names = list(in_order(shares[0].metrics))
    rows = [[_cell(s.name), str(s.units), *(number(s.metrics.get(name)) for name in names)] for s in shares]
    return table(["", "units", *names], rows)


def _worst(found: Examination) -> str:
    inputs = list(found.worst[0].inputs)
    answered = any(one.answer is not None for one in found.worst)
    head = ["row", found.worst[0].measure, *(["right", "predicted"] if answered else []), *inputs]
    rows = []
    for one in found.worst:
        place = str(one.row) if one.part is None else f"{one.row}, part {one.part}"
        answers = [_cell(one.right), _cell(one.answer)] if answered else []
        rows.append([place, number(one.value), *answers, *(_cell(text) for text in one.inputs.values())])
    return table(head, rows)


def _cell(value: Any) -> str:
    text = " ".join(_written(value).split())
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def _written(value: Any) -> str:
    """A value with four digits of each number in it; empty where there is no value."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    return number(value) if value is None or isinstance(value, float) else str(value)
