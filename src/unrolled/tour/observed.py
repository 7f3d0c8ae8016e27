"""What the tour says is measured here, on the models that were just trained.

Axes: T steps, K lags.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from unrolled import api
from unrolled.data.encodings.facets import Labels
from unrolled.inspection.trace import Trace
from unrolled.runs.trained import Trained
from unrolled.tour.clipping import CLIP, Descent, descend
from unrolled.tour.made import KEYS, Rows, first_symbols, reversed_digits
from unrolled.tour.tiny import LONGEST_REMEMBERED, LONGEST_REVERSED, Tiny

__all__ = ["Alignment", "Measured", "Stream", "measure"]

REMEMBERED = (5, 10, 20, 30, 60, 120, 240)  # lengths of rows; beyond 30 they are longer than any in training
REVERSED = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12)
TIMED = (32, 128, 512)
_ROWS, _TRACED, _SHOWN = 100, 40, 12
_PUSHED, _NEAR = 1_000, 100
_UPDATES = 150
_FRESH = 1_000_000  # added to the seed, so that no row of a measurement is one of training


@dataclass(frozen=True, slots=True)
class Stream:
    """A live session: the fastest push of 100 in µs, and the bytes of its state, after a few steps and after many."""

    early: float
    late: float
    early_bytes: int
    late_bytes: int


@dataclass(frozen=True, slots=True)
class Alignment:
    """Attention (steps written, steps read) of one row with its symbols, and the share of all right places."""

    weights: np.ndarray
    read: list[str]
    written: list[str]
    right: float
    rows: int


@dataclass(frozen=True, slots=True)
class Measured:
    """All of it.

    Attributes:
        weights: model -> its number of weights.
        agreement: the largest difference between the LSTM's probabilities step by step and over the whole row.
        remembered: model -> accuracy by the length of the row, as in `REMEMBERED`.
        gradients: model -> the gradient norm of the loss of an answer by lag, on rows of the longest training length.
        places: of the LSTM's embedding: symbol -> its place on the two directions that vary most.
        apart: the mean distance of two keys, and of two symbols of noise.
        row: the row that the page draws.
        traces: the LSTM and the RNN on that row.
        unclipped, clipped: two short trainings.
        reversed: model -> exact matches by length, as in `REVERSED`.
        alignment: the attention of the encoder–decoder.
        looks: (T,), the weights of the transformer's last step on that row, in the head that looks at the first most.
        first_weight: the mean weight of the first step in that head, over many rows.
        streams: model -> a live session.
        seconds: model -> seconds of a forward and a backward pass by the length of the row, as in `TIMED`.
    """

    weights: dict[str, int]
    agreement: float
    remembered: dict[str, list[float]]
    gradients: dict[str, tuple[float, ...]]
    places: dict[str, tuple[float, float]]
    apart: tuple[float, float]
    row: list[str]
    traces: dict[str, Trace]
    unclipped: Descent
    clipped: Descent
    reversed: dict[str, list[float]]
    alignment: Alignment
    looks: np.ndarray
    first_weight: float
    streams: dict[str, Stream]
    seconds: dict[str, list[float]]


def measure(tiny: Tiny, updates: int | None, seed: int) -> Measured:
    """Measure everything.

    Args:
        tiny: the models.
        updates: the most steps of the two trainings with and without clipping; ``None``: 150.
        seed: of the fresh rows.
    """
    seed += _FRESH
    most = _UPDATES if updates is None else min(updates, _UPDATES)
    row = first_symbols(1, _SHOWN, _SHOWN, seed)
    places, apart = _embedding(tiny.lstm)
    looks, first_weight = _looks(tiny.transformer, row, seed)
    models, longest = tiny.rememberers, first_symbols(_ROWS, LONGEST_REMEMBERED, LONGEST_REMEMBERED, seed)
    return Measured(
        weights={name: sum(each.numel() for each in one.network.parameters()) for name, one in models.items()},
        agreement=_agreement(tiny.lstm, row),
        remembered={
            name: [one.evaluate(first_symbols(_ROWS, n, n, seed))["accuracy"] for n in REMEMBERED]
            for name, one in models.items()
        },
        gradients={name: api.memory(one, longest).norms for name, one in models.items()},
        places=places,
        apart=apart,
        row=row["symbols"][0],
        traces={name: models[name].trace(row) for name in ("tanh RNN", "LSTM")},
        unclipped=descend(most, seed, float("inf")),
        clipped=descend(most, seed, CLIP),
        reversed={
            name: [one.evaluate(reversed_digits(_ROWS // 2, n, n, seed), beam=1)["exact_match"] for n in REVERSED]
            for name, one in (("with attention", tiny.attending), ("without attention", tiny.plain))
        },
        alignment=_alignment(tiny.attending, seed),
        looks=looks,
        first_weight=first_weight,
        streams={name: _stream(one) for name, one in models.items()},
        seconds={name: [_seconds(one, n, seed) for n in TIMED] for name, one in models.items()},
    )


def _agreement(model: Trained, row: Rows) -> float:
    """The largest difference between the probabilities of a live session and those of the whole row at once."""
    live = model.stream()
    pushed = [live.push({"symbols": symbol}) for symbol in row["symbols"][0]][-1]
    assert pushed is not None
    whole = model.predict(row).to_pylist()[0]
    return max(abs(float(pushed[f"first_p_{key}"]) - float(whole[f"first_p_{key}"])) for key in KEYS)


def _embedding(model: Trained) -> tuple[dict[str, tuple[float, float]], tuple[float, float]]:
    """The place of each symbol in two dimensions; the mean distance of two keys, and of two symbols of noise."""
    (named,) = model.network.embeddings().values()
    symbols = model.task.coder.inputs["symbols"]
    assert isinstance(symbols, Labels)
    labels = [str(one) for one in symbols.labels]
    vectors = named.embedding.weight.detach()[-len(labels) :].double().numpy()  # labels have the highest ids
    centred = vectors - vectors.mean(0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    flat = centred @ directions[:2].T
    places = {label: (float(x), float(y)) for label, (x, y) in zip(labels, flat, strict=True)}
    key = np.array([label in KEYS for label in labels])
    return places, (_apart(vectors[key]), _apart(vectors[~key]))


def _apart(vectors: np.ndarray) -> float:
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=-1)
    return float(distances[np.triu_indices(len(vectors), 1)].mean())


def _alignment(model: Trained, seed: int) -> Alignment:
    """Where the decoder looks while it writes; the last thing that it writes, the end, has no right place."""
    rows = reversed_digits(_TRACED, 2, LONGEST_REVERSED, seed)
    right = asked = 0
    shown = Alignment(np.zeros((0, 0)), [], [], 0.0, 0)
    for number, read in enumerate(rows["digits"]):
        weights = _attention(model.trace(rows, number)).numpy()[: len(read), : len(read)]
        right += int((weights.argmax(1) == np.arange(len(read))[::-1]).sum())
        asked += len(read)
        if len(read) > len(shown.read):
            shown = Alignment(weights, read, read[::-1], 0.0, 0)
    return Alignment(shown.weights, shown.read, shown.written, right / asked, _TRACED)


def _looks(model: Trained, row: Rows, seed: int) -> tuple[np.ndarray, float]:
    """The last step's weights over the row, and the mean weight of the first step over fresh rows."""
    rows = first_symbols(_TRACED, LONGEST_REMEMBERED // 2, LONGEST_REMEMBERED, seed)
    traces = (model.trace(rows, number) for number in range(_TRACED))
    firsts = torch.stack([_attention(one)[-1, :, 0] for one in traces])  # (rows, heads)
    head = int(firsts.mean(0).argmax())
    return _attention(model.trace(row))[-1, head].numpy(), float(firsts[:, head].mean())


def _attention(found: Trace) -> torch.Tensor:
    """The weights of the only layer that attends: (steps, steps looked at), or with heads between them."""
    return next(value for path, value in found.values.items() if path.endswith("attention")).float()


def _stream(model: Trained) -> Stream:
    live, times, sizes = model.stream(), list[float](), list[int]()
    for pushed in range(1, _PUSHED + 1):
        began = time.perf_counter()
        live.push({"symbols": "u"})
        times.append(time.perf_counter() - began)
        if pushed in (_NEAR, _PUSHED):
            sizes.append(len(live.snapshot()))
    early, late = (1e6 * min(part) for part in (times[:_NEAR], times[-_NEAR:]))  # what else runs only makes it slower
    return Stream(early, late, sizes[0], sizes[1])


def _seconds(model: Trained, steps: int, seed: int) -> float:
    """The fastest of three passes, forward and backward, over eight rows."""
    batch = model.batches(first_symbols(8, steps, steps, seed))[0]
    times = []
    for _ in range(3):
        began = time.perf_counter()
        outputs, _ = model.network.run(batch)
        model.task.loss(outputs, batch)[0].backward()  # type: ignore[no-untyped-call]
        times.append(time.perf_counter() - began)
        model.network.zero_grad(set_to_none=True)
    return min(times)
