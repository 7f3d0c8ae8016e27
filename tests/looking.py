"""Rows of the samples, looked at through small networks with random weights."""

from __future__ import annotations

import numpy as np
import torch
from samples import SAMPLES, Sample, network_for, rows_of, sequences

from unrolled.data.batches.loader import Loader
from unrolled.data.plans.windows import Rows, Windows
from unrolled.inspection.prefixes import Prefixes
from unrolled.inspection.trace import trace
from unrolled.views.looked import Looked

__all__ = ["CLICKS", "looked_at"]

_CLICKS = [["milk", "bread", "jam", "milk"], ["tea", "milk", "tea"], ["milk", "bread", "jam", "tea", "milk", "bread"]]
CLICKS = Sample("next_step", sequences({"clicks": _CLICKS}, {"clicks": "tokens"}))


def looked_at(sample: str | Sample, row: int = 4, model: str = "gru", hidden: bool = False) -> Looked:
    """A row of a sample as a network reads it, with its target."""
    found = SAMPLES[sample] if isinstance(sample, str) else sample
    task = found.ask()
    torch.manual_seed(0)
    network = network_for(task, model, hidden=8)
    examples = task.coder.encode(rows_of(found, [row]))
    count = examples.form.plans.questions(examples.steps())
    ahead = task.coder.horizon
    plan = Windows(np.array([0]), count - ahead, task.batching.lookback, 1) if ahead else Rows(count, 1)
    batch = Loader(examples, plan)[0]
    return Looked(task, trace(network, task, batch), hidden=hidden, prefixes=Prefixes(network, task, examples))
