"""A trace of a trained model: it is the model, step by step, with names, answers and losses."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from configs import model_config
from torch import Tensor

import unrolled as ur
from unrolled.batch import Batch, Discrete
from unrolled.errors import UsageError
from unrolled.inspection.cost import highest_resident, resident
from unrolled.inspection.names import in_words
from unrolled.inspection.trace import BUDGET, one_step, trace
from unrolled.models.network import Network
from unrolled.runs.trained import Trained

TEXTS = ["abcabcabcabc", "bcabcabca", "cabcab"] * 6
PURE: dict[str, Any] = {"start": "none", "steps": 2, "hidden": 4}


def trained(tmp_path: Path, data: Any, **options: Any) -> Trained:
    return ur.fit(data, out=tmp_path / "run", **PURE | options)


def test_a_text_is_traced_with_its_answer_and_its_losses(tmp_path: Path) -> None:
    model = trained(tmp_path, {"text": TEXTS}, kinds={"text": "tokens"}, model="lstm")
    found = model.trace(["abcab", "cab"], row=1)
    assert found.steps == 4  # <begin> c a b
    assert set(found.names) == {
        *("layer 1, input gate", "layer 1, forget gate", "layer 1, candidate", "layer 1, output gate"),
        *("layer 1, cell state", "layer 1, hidden state"),
    }
    i, f, g, c = (found[f"layer 1, {name}"] for name in ("input gate", "forget gate", "candidate", "cell state"))
    assert f.shape == (4, 4)
    torch.testing.assert_close(c[1:], f[1:] * c[:-1] + i[1:] * g[1:], atol=1e-6, rtol=0)
    assert torch.equal(found[found.names["layer 1, cell state"]], c)
    assert found.difference <= 1e-5
    assert found.answers["text_predicted"] == model.predict(["cab"]).column("text_predicted")[0].as_py()
    assert found.loss is not None
    metrics = model.evaluate(["cab"])
    assert float(found.loss.mean()) == pytest.approx(metrics["loss_nats_per_token"], abs=1e-5)


def test_what_shows_nothing_says_so(tmp_path: Path) -> None:
    model = trained(tmp_path, {"text": TEXTS}, kinds={"text": "tokens"}, model="window")
    found = model.trace(["abcab"])
    assert repr(found).startswith("Trace(6 steps, nothing shown")
    assert found.loss is not None
    with pytest.raises(UsageError, match="this model shows nothing: it has no recurrent cell"):
        found["layer 1, forget gate"]
    with pytest.raises(UsageError, match="there is no row 2: the data has 1 row, and the first is row 0"):
        model.trace(["abcab"], row=2)


def test_a_writer_is_traced_on_the_answer_of_the_data_or_on_its_own(tmp_path: Path) -> None:
    data = {"x": ["a b c", "b c a"] * 20, "y": ["c b a", "a c b"] * 20}
    kinds = {"x": "tokens", "y": "tokens"}
    model = trained(tmp_path, data, target="y", kinds=kinds, task="translate", model="gru", tokens="words")
    row = {"x": ["a b c"], "y": ["c b a"]}
    answer = model.predict(row).column("y_predicted")[0].as_py()
    for found, own, written in (
        (model.trace(row), False, "c b a"),
        (model.trace(row, own_answer=True), True, answer),
        (model.trace({"x": ["a b c"]}), True, answer),
    ):
        assert found.own_answer is own
        assert found.difference <= 1e-5  # of the losses of the written symbols
        assert found.batch is not None and found.batch.target is not None
        ids = found.batch.target[0, 1:-1].tolist()  # between <begin> and <end>
        assert model.task.coder.answer.decode(np.array(ids)) == written
        assert found.answers["y_predicted"] == answer
        attention = found["decoder, attention"]
        assert attention.shape == (len(ids) + 1, found.steps)  # a line for each symbol, and <end>
    tagger = trained(tmp_path / "next", {"text": TEXTS}, kinds={"text": "tokens"}, model="lstm")
    with pytest.raises(UsageError, match="own_answer only works with a model that writes a sequence"):
        tagger.trace(["abc"], own_answer=True)


def test_one_answer_a_row_both_directions_and_no_target(tmp_path: Path) -> None:
    data = {"x": ["good a b", "bad c d"] * 20, "y": ["p", "n"] * 20}
    model = trained(tmp_path, data, target="y", kinds={"x": "tokens"}, model="bigru")
    found = model.trace({"x": ["good a b"]})
    assert "layer 1, backward, reset gate" in found.names
    assert found.loss is None
    assert found.answers["y_predicted"] in ("p", "n")
    with pytest.raises(UsageError, match="there is no 'reset gate' in the trace"):
        found["reset gate"]


def network_of(name: str) -> tuple[Network, Batch]:
    torch.manual_seed(0)
    network = Network({"ids": Discrete(7)}, model_config(name=name, hidden=8), outputs=7, pooled=False)
    return network, Batch({"ids": torch.tensor([[1, 2, 3, 4]])}, torch.tensor([4]), torch.tensor([0]))


class _Plain:
    """A task that neither judges nor answers."""

    pooled = False

    def answers(self, outputs: Any, batch: Batch) -> dict[str, list[Any]]:
        return {}

    def answered(self, outputs: Any, batch: Batch) -> Batch:
        return batch


@pytest.mark.parametrize("name", ["gru", "deltanet", "transformer"])
def test_values_can_be_chosen_and_changed(name: str) -> None:
    network, batch = network_of(name)
    task: Any = _Plain()
    plain = trace(network, task, batch)
    assert plain.difference <= 1e-5
    assert network.training
    first = next(iter(plain.values))
    only = trace(network, task, batch, keep=lambda path: path == first)
    assert list(only.values) == [first]
    torch.testing.assert_close(only.outputs, plain.outputs, atol=1e-6, rtol=0)

    def change(path: str, value: Tensor) -> Tensor:
        return value * 0.5 if path == first else value

    changed = trace(network, task, batch, change=change)
    assert not torch.allclose(changed.outputs, plain.outputs)
    assert math.isnan(changed.difference)


def test_a_long_row_leaves_attention_out_before_it_fills_the_memory() -> None:
    steps, task = 20_000, cast(Any, _Plain())  # all weights of attention would take 3 GB
    network = Network(
        {"ids": Discrete(7)}, model_config(name="transformer", hidden=16, heads=2), outputs=7, pooled=False
    )
    batch = Batch({"ids": torch.arange(steps)[None] % 7}, torch.tensor([steps]), torch.tensor([0]))
    trace(network, task, one_step(batch, 0, steps))  # what is loaded once
    before = resident()
    found = trace(network, task, batch)
    assert found.values == {}
    assert found.dropped == ("layer.blocks.0.own.attention",)
    assert found.note == (
        "left out of the trace, as over 20,000 steps it takes too much memory: block 1, attention; read fewer steps"
    )
    if before is not None:
        assert highest_resident() - before <= BUDGET + 100 * 2**20
    assert (
        trace(network, task, replace(batch, inputs={"ids": batch.inputs["ids"][:, :9]}, lengths=torch.tensor([9]))).note
        == ""
    )


def test_every_path_of_an_encoder_decoder_has_words_of_its_own() -> None:
    paths = {
        "encoder.layer.layers.0.1.z": "encoder, layer 1, backward, update gate",
        "decoder.lower.layers.0.0.h": "decoder, lower, layer 1, hidden state",
        "decoder.attention.attention": "decoder, attention",
        "layer.blocks.1.own.attention": "block 2, attention",
        "layer.blocks.0.mix.memory": "block 1, memory",
        "l1_reverse.c": "layer 2, backward, cell state",
    }
    assert {path: in_words(path) for path in paths} == paths
