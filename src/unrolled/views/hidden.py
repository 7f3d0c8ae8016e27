"""Models that fill in what is hidden: each step of the row is hidden by itself, and predicted from all the others.

Axes: R rows of a batch, T steps, V symbols, K of them that are shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import MISSING, letters_of
from unrolled.data.encodings._level import SPECIALS, UNKNOWN
from unrolled.inspection.answer import without_dropout
from unrolled.models.model import Model
from unrolled.page.document import Section
from unrolled.views.labels import label_section
from unrolled.views.looked import Looked

__all__ = ["hidden_steps"]

_STEPS, _READ = 200, 200_000  # steps that are hidden, and steps that are read for it
_NUMBERS = 1 << 25  # probabilities in memory at a time
_SHOWN = 32


def hidden_steps(looked: Looked) -> Iterator[Section]:
    """The likeliest symbol of each step when it is hidden; unknown ones are hidden already."""
    coder, prefixes = looked.task.coder, looked.prefixes
    form = coder.form
    if not form.continues or form.predicts_next or form.horizon or prefixes is None:
        return
    if not looked.trace.steps:
        return
    steps = min(looked.trace.steps, _STEPS, max(10, _READ // looked.trace.steps))
    chances = np.concatenate([*_filled(prefixes.network, looked, steps)])  # (T, V - specials)
    right = looked.batch.inputs[coder.target][0, :steps].cpu().numpy() - SPECIALS
    chosen = chances.argmax(1)
    kept = np.unique(np.concatenate([chosen, right[right >= 0], np.argsort(-chances.max(0))[:_SHOWN]]))
    place = {symbol: nth for nth, symbol in enumerate(kept.tolist())}
    names = looked.names(coder.answer, kept + SPECIALS)
    found = np.array([place[one] for one in chosen.tolist()])
    known = np.array([place.get(one, MISSING) for one in right.tolist()])
    note = f"<p>Each step is hidden by itself, and predicted from all others: the first {steps:,}.</p>"
    yield label_section(looked, "Each step hidden in turn", names, chances[:, kept], found, known, note)


def _filled(network: Model, looked: Looked, steps: int) -> Iterator[np.ndarray]:
    """(R, V - specials): the probability of each symbol at the hidden step, a few steps at a time."""
    batch, name, every = looked.batch, looked.task.coder.target, looked.trace.steps
    at_once = max(1, _NUMBERS // (every * looked.task.outputs))
    with without_dropout(network), torch.no_grad():
        for first in range(0, steps, at_once):
            places = torch.arange(first, min(steps, first + at_once))
            rows = torch.arange(len(places))
            asked = batch.only(torch.zeros_like(places))
            inputs = {key: value.clone() for key, value in asked.inputs.items()}
            inputs[name][rows, places] = UNKNOWN
            if letters_of(name) in inputs:  # those of the word would tell what is hidden
                inputs[letters_of(name)][rows, places] = 0
            outputs: Tensor = network.run(replace(asked, inputs=inputs, target=None).to(str(network.device)))[0]
            yield torch.softmax(outputs[rows, places, SPECIALS:].float(), -1).cpu().numpy()
