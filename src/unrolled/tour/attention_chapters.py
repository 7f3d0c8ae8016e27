"""The second half of the page: the bottleneck, attention, transformers, and what recurrent models are said to lack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from unrolled.page.chart import Chart
from unrolled.page.document import Section
from unrolled.tour.claims import Claim
from unrolled.tour.observed import REMEMBERED, REVERSED, TIMED, Measured
from unrolled.tour.tiny import LONGEST_REMEMBERED, LONGEST_REVERSED
from unrolled.tour.wording import measured, paragraphs, table

__all__ = ["attention_chapters"]


def attention_chapters(found: Measured, claims: Mapping[str, Claim]) -> Iterator[Section]:
    """Each chapter as a section of the page.

    Args:
        found: what was measured on the models.
        claims: by their names.
    """
    yield _bottleneck(found, claims["the bottleneck"])
    yield _attention(found, claims["attention"])
    yield _transformers(found, claims["transformers"])
    yield _stream(found, claims["a continuous stream"])
    yield _parallel(found, claims["parallel training"])
    yield _memory(found, claims["long memory"])


def _bottleneck(found: Measured, claim: Claim) -> Section:
    chart = Chart("Rows reversed without an error", x="digits in the row", y="share of rows", y_range=(0, 1))
    for name, shares in found.reversed.items():
        chart.line(REVERSED, shares, name)
    chart.mark(LONGEST_REVERSED, "longest in training")
    text = paragraphs(
        "An encoder–decoder reads a whole sequence and then writes another one; here it writes digits backwards. "
        "Without attention, all that the decoder knows of the input is one vector, the encoder's last state. The "
        "longer the input, the more has to fit into it: the bottleneck. With attention, the decoder may look back at "
        "every step of the encoder while it writes."
    )
    return Section("The bottleneck", text + chart.to_svg() + measured(claim), wide=False)


def _attention(found: Measured, claim: Claim) -> Section:
    shown = found.alignment
    chart = Chart("Where the decoder looks", x="digit that was read", y="digit that is written")
    chart.cells(
        shown.weights,
        rows=[f"{at}: {digit}" for at, digit in enumerate(shown.written, 1)],
        columns=[f"{at}: {digit}" for at, digit in enumerate(shown.read, 1)],
    )
    text = paragraphs(
        "For each digit that it writes, the decoder gives every digit that was read a weight; the weights of a line "
        "add up to 1. Nobody told it where to look. As the task is to reverse, the right place is known: the "
        "diagonal from the top right to the bottom left."
    )
    return Section("Attention", text + chart.to_svg() + measured(claim), wide=False)


def _transformers(found: Measured, claim: Claim) -> Section:
    chart = Chart("Where the last step looks", x="step", y="weight", y_range=(0, 1))
    names = [f"{at}: {symbol}" for at, symbol in enumerate(found.row, 1)]
    chart.bars(names, [round(float(weight), 3) for weight in found.looks])
    text = paragraphs(
        "A transformer drops the recurrence: at each step, attention looks at all steps so far, and what it finds "
        "goes through a small network. Nothing has to be carried along. This one, of "
        f"{found.weights['transformer']:,} weights, learned the same task as the RNN and the LSTM "
        f"({found.weights['LSTM']:,} weights): to name the first symbol. What it should look at is known: the first "
        "step."
    )
    return Section("Transformers", text + chart.to_svg() + measured(claim))


def _stream(found: Measured, claim: Claim) -> Section:
    rows = [
        [name, f"{one.early:.0f}", f"{one.late:.0f}", f"{one.early_bytes:,}", f"{one.late_bytes:,}"]
        for name, one in found.streams.items()
    ]
    head = ["live, one step at a time", "µs, first 100", "µs, after 1,000", "bytes, after 100", "bytes, after 1,000"]
    text = paragraphs(
        "It is said that recurrent models cannot work on a continuous stream. It is what they do best: a step needs "
        "the state and nothing else, however long the stream has run. A transformer has to keep what it may look at."
    )
    return Section("Said to be lacking, 1: a continuous stream", text + table(head, rows) + measured(claim))


def _parallel(found: Measured, claim: Claim) -> Section:
    chart = Chart("A forward and a backward pass", x="steps of the rows", y="ms for 8 rows", x_log=True, y_log=True)
    for name, seconds in found.seconds.items():
        chart.line(TIMED, [1e3 * one for one in seconds], name)
    text = paragraphs(
        "A recurrent network cannot compute step 2 before step 1: while it trains, a row of T steps is T products "
        "one after another. A transformer computes all steps of a layer at once, which fills a GPU. On a processor "
        "with a few cores and with small models, the shorter sum may win all the same. A recurrent layer whose gates "
        "see only the input can be trained in parallel too: unrolled fit --model mingru."
    )
    return Section("Said to be lacking, 2: parallel training", text + chart.to_svg() + measured(claim), wide=False)


def _memory(found: Measured, claim: Claim) -> Section:
    chart = Chart("Is the first symbol still known?", x="steps of the row", y="accuracy", x_log=True, y_range=(0, 1))
    for name, shares in found.remembered.items():
        chart.line(REMEMBERED, shares, name)
    chart.mark(LONGEST_REMEMBERED, "longest in training")
    chart.mark(0.25, "guessing", on="y")
    text = paragraphs(
        "A state of fixed size cannot hold everything. But it can hold what matters, for as long as it matters, if the "
        "gates learn to keep it. All rows here are new, and those beyond the line are longer than any in training."
    )
    return Section("Said to be lacking, 3: a long memory", text + chart.to_svg() + measured(claim), wide=False)
