from __future__ import annotations

import re

import pytest
import torch

from unrolled import api, registry
from unrolled.batch import Continuous, Discrete
from unrolled.inspection.describe import Description, describe_spec
from unrolled.layers.mlp import MLP


def described(model: str, **options: object) -> Description:
    data = {"text": ["ab", "ba", "aab", "bba"] * 5, "label": ["x", "y"] * 10}
    torch.manual_seed(0)
    trained = api.fit(data, target="label", model=model, steps=1, hidden=4, plan="fixed", **options)  # type: ignore[misc]
    return trained.describe()


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)


def test_what_a_step_costs_is_counted_by_hand() -> None:
    one = described("gru", embedding=3)
    assert one.multiply_adds_per_step == 3 * 4 * (3 + 4) + 2 * 4  # the table of embeddings is only looked up
    assert one.parameters == one.multiply_adds_per_step + 5 * 3 + 2 * 12 + 2
    both = described("bigru", embedding=3)
    assert both.multiply_adds_per_step == 2 * 3 * 4 * (3 + 4) + 2 * 8
    hot = described("rnn", embedding=0)
    assert hot.multiply_adds_per_step == 4 * (5 + 4) + 2 * 4


def test_the_memory_of_the_state_is_that_of_one_stream() -> None:
    assert described("lstm", pool="last").state_bytes == 2 * 4 * 4 + 4 * 4 + 8
    assert described("bilstm").state_bytes is None


def test_it_reads_as_a_page() -> None:
    page = str(described("lstm", embedding=3, kinds={"text": "tokens"}, tokens="characters"))
    assert page.startswith("lstm for classify\n\n  text      2 characters; one of 5 symbols per step\n")
    assert "  -> label  category, 2 labels" in page
    assert re.search(r"\n  head.weight +2 × 4\n", page)
    assert "3 numbers per step → 4 → 2 outputs; the weights are the same at every step" in page
    assert "state           56 bytes per stream, at any length" in page
    assert "cannot stream" in str(described("bigru"))


def test_attention_costs_more_with_every_step_that_it_sees() -> None:
    one = described("transformer", embedding=3, positions="learned")
    block = 4 * 3 * 4 + 4 * 4 + 4 * 2 * 16 + 16 * 4  # q, k and v; out; the two of a feed-forward net, and its out
    assert one.multiply_adds_per_step == 3 * 4 + block + 2 * 4  # the table of positions is only looked up
    assert (one.multiply_adds_per_step_seen, one.state_bytes_per_step, one.attention_window) == (2 * 4, 2 * 4 * 4, None)
    assert one.state_bytes == 8 + 4 * 4 + 8  # its count of steps, and what is pooled
    page = str(one)
    assert "multiply-adds, and 8 per step that it looks back at\n" in page
    assert "state           32 bytes per stream, and 32 per step" in page
    far = described("transformer", attention_window=5, layers=2)
    assert (far.state_bytes_per_step, far.attention_window) == (2 * 2 * 4 * 4, 5)
    assert "and 64 per step for the last 5 steps" in str(far)
    whole = described("bitransformer", kinds={"text": "tokens"}, tokens="characters")
    assert (whole.state_bytes, whole.state_bytes_per_step) == (None, 0)
    assert "[ transformer ] ↔ [ transformer ] ↔ ⋯ ↔ [ transformer ]\n" in whole.drawing
    assert "h_0" not in whole.drawing
    assert described("lstm").multiply_adds_per_step_seen == described("lstm").state_bytes_per_step == 0


@pytest.mark.parametrize("target", ["label", "length"])
def test_the_drawing_pools_as_the_network_does(target: str) -> None:
    data = {"text": ["ab", "ba", "aab", "bba"] * 5, "label": ["x", "y"] * 10, "length": [2.5, 2.1, 3.5, 3.1] * 5}
    options = {"inputs": ["text"], "kinds": {"text": "tokens"}, "model": "gru", "steps": 1, "hidden": 4}
    for pool, words in ((None, "maximum over the steps"), ("mean", "mean over the steps")):
        trained = api.fit(data, target=target, pool=pool, **options)  # type: ignore[arg-type]
        assert words in trained.describe().drawing


def test_a_layer_that_keeps_no_state_is_drawn_without_one_whatever_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    registry.register("layer", "perceptron", type("Perceptron", (MLP,), {}))
    assert "h_0" not in described("perceptron", kinds={"text": "tokens"}).drawing
    for name in ("lstm", "window", "deltanet"):
        assert "h_0" in described(name, kinds={"text": "tokens"}).drawing, name


def test_specs_in_words() -> None:
    assert describe_spec(Discrete(3, False)) == "one of 3 symbols per row"
    assert describe_spec(Continuous(1)) == "1 numbers per step"


def test_a_model_that_writes_is_drawn_above_what_it_reads() -> None:
    data = {"text": ["ab", "ba"] * 10, "length": [2.0, 3.0] * 10}
    options = {"target": "text", "task": "translate", "steps": 1, "hidden": 4, "kinds": {"text": "tokens"}}
    page = str(api.fit(data, model="gru", **options).describe())  # type: ignore[arg-type]
    assert page.startswith("bigru and gru with attention for translate\n")
    assert "attends to all m (attention: scaled_dot)" in page
    assert "\nx → [ gru ] → m\n" in page  # a source without steps
    assert "cannot stream" in page
