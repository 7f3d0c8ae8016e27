from __future__ import annotations

import numpy as np
import pytest
import torch
from looking import looked_at

from unrolled.views.following import expected
from unrolled.views.looked import WRITTEN


def test_each_symbol_of_a_written_answer_has_its_chance_and_its_cost() -> None:
    looked = looked_at("translate")
    (section,) = expected(looked)
    logits, target = looked.trace.outputs.logits, looked.batch.target
    assert target is not None and section.group == WRITTEN and section.title == "What is written next"
    text = looked.task.coder.answer.decode(target[0, 1:-1].numpy())
    assert section.data["came"] == [*text, "<end>"]
    nats = -torch.log_softmax(logits, -1)[torch.arange(len(logits)), target[0, 1:]]
    np.testing.assert_allclose(section.data["loss"], nats.numpy(), rtol=1e-5)
    total, count = looked.task.loss(looked.trace.outputs, looked.batch)
    assert float(nats.mean()) == pytest.approx(float(total) / int(count), rel=1e-5)
