"""What a course claims, and whether it came true in this run: each claim with the numbers that it was judged by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from unrolled.inspection.trace import Trace
from unrolled.tour.clipping import CLIP
from unrolled.tour.observed import REMEMBERED, REVERSED, TIMED, Measured
from unrolled.tour.tiny import LONGEST_REVERSED

__all__ = ["Claim", "claims"]

_CLOSE = 1e-5
_FADED = 0.01  # of the gradient, as for `memory_horizon`
_KNOWN = 0.95  # accuracy that is called remembering
_LARGE = 100.0  # times the limit of clipping
_STEADY = 1.5  # times: the most that a push may become slower
_LOST = 0.2  # exact matches that attention must gain
_KEPT = 0.5  # of the cell state


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim.

    Attributes:
        name: what it is about, and the key of its chapter.
        holds: whether it came true.
        sentence: what was measured.
    """

    name: str
    holds: bool
    sentence: str

    def __str__(self) -> str:
        return self.sentence if self.holds else f"it did not come true in this run: {self.sentence}"


def claims(found: Measured) -> dict[str, Claim]:
    """Every claim by its name, in the order of the chapters."""
    return {claim.name: claim for claim in _judged(found)}


def _judged(found: Measured) -> Iterator[Claim]:
    yield Claim(
        "recurrence",
        found.agreement <= _CLOSE,
        f"the LSTM's probabilities step by step and over the whole row at once differ by {found.agreement:.1g}.",
    )
    keys, noise = found.apart
    yield Claim(
        "embeddings",
        noise < keys,
        f"two symbols that mean nothing are {noise:.2g} apart on average, two symbols that matter {keys:.2g}.",
    )
    yield _vanishing(found)
    yield _exploding(found)
    yield _gates(found.traces["LSTM"])
    yield _bottleneck(found)
    share, rows = found.alignment.right, found.alignment.rows
    yield Claim(
        "attention",
        share >= _KNOWN,
        f"in {share:.0%} of the steps of {rows} rows, the decoder looks most at the digit that it has to write.",
    )
    yield Claim(
        "transformers",
        found.first_weight >= 1 / 2,
        f"the transformer's last step gives the first symbol a weight of {found.first_weight:.2f} of 1, on average "
        "over fresh rows.",
    )
    yield _stream(found)
    yield _parallel(found)
    yield _memory(found)


def survival(norms: tuple[float, ...]) -> float:
    """The gradient at the first step over that at the last; 0 where there is none."""
    return norms[-1] / norms[0] if norms[0] > 0 else 0.0


def _vanishing(found: Measured) -> Claim:
    rnn, lstm = (survival(found.gradients[name]) for name in ("tanh RNN", "LSTM"))
    back = len(found.gradients["LSTM"]) - 1
    return Claim(
        "vanishing gradients",
        rnn < _FADED and lstm > rnn,
        f"of the last step's gradient, {rnn:.1g} reaches the first step, {back} steps back, in the tanh RNN, and "
        f"{lstm:.1g} in the LSTM.",
    )


def _exploding(found: Measured) -> Claim:
    wild, tame = found.unclipped, found.clipped
    largest = max(norm for norm in wild.norms if np.isfinite(norm))
    end = f"breaks off at step {len(wild.losses)}" if wild.broke_off else f"ends at a loss of {wild.losses[-1]:.2g}"
    return Claim(
        "exploding gradients",
        largest > _LARGE * CLIP and not tame.broke_off and (wild.broke_off or tame.losses[-1] < wild.losses[-1]),
        f"without clipping the norm of the gradient grows to {largest:.1e} and training {end}; with each gradient "
        f"clipped to a norm of {CLIP:g}, the same training reaches step {len(tame.losses)} with a loss of "
        f"{tame.losses[-1]:.2g}.",
    )


def _gates(trace: Trace) -> Claim:
    kept = trace["layer 1, forget gate"][1:].prod(0)  # of c after the first step, in each unit
    unit, steps = int(kept.argmax()), trace.steps - 1
    return Claim(
        "gates",
        float(kept[unit]) >= _KEPT,
        f"the forget gates of unit {unit} multiply to {float(kept[unit]):.2f} over the {steps} steps after the first, "
        f"so that much of what it held then is still there at the end; in unit {int(kept.argmin())} they multiply to "
        f"{float(kept.min()):.1g}.",
    )


def _bottleneck(found: Measured) -> Claim:
    at = REVERSED.index(LONGEST_REVERSED)
    with_it, without = (found.reversed[f"{word} attention"][at] for word in ("with", "without"))
    return Claim(
        "the bottleneck",
        with_it >= without + _LOST,
        f"rows of {LONGEST_REVERSED} digits, the longest in training, are all right in {with_it:.0%} of the cases with "
        f"attention and in {without:.0%} without it.",
    )


def _stream(found: Measured) -> Claim:
    live, other = found.streams["LSTM"], found.streams["transformer"]
    return Claim(
        "a continuous stream",
        live.late_bytes == live.early_bytes and live.late <= _STEADY * live.early,
        f"after 100 steps a step of the LSTM takes {live.early:.0f} µs and its state {live.early_bytes:,} bytes, after "
        f"1,000 steps {live.late:.0f} µs and {live.late_bytes:,}; the transformer's state grows from "
        f"{other.early_bytes:,} to {other.late_bytes:,} bytes.",
    )


def _parallel(found: Measured) -> Claim:
    lstm, transformer = (found.seconds[name][-1] for name in ("LSTM", "transformer"))
    return Claim(
        "parallel training",
        transformer < lstm,
        f"a forward and a backward pass over 8 rows of {TIMED[-1]} steps take the transformer {1e3 * transformer:.2g} "
        f"ms and the LSTM {1e3 * lstm:.2g} ms on this machine.",
    )


def _memory(found: Measured) -> Claim:
    longest = {
        name: max((n for n, one in zip(REMEMBERED, shares, strict=True) if one >= _KNOWN), default=0)
        for name, shares in found.remembered.items()
    }
    said = ", ".join(f"{name}: {f'{n} steps' if n else 'none'}" for name, n in longest.items())
    return Claim(
        "long memory",
        longest["LSTM"] == REMEMBERED[-1],
        f"the longest rows of which a model still knows the first symbol ({_KNOWN:.0%} right): {said}; the longest "
        f"that were tried have {REMEMBERED[-1]}.",
    )
