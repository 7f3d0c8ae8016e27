"""The names that a user has, without torch; and the layer behind each."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from configs import model_config
from torch import nn

from unrolled import registry
from unrolled.declarations import Owner, owners_of
from unrolled.errors import UsageError
from unrolled.layers.factory import build_layer, embedding_gain, model_names, takes_memory
from unrolled.layers.layer import Layer
from unrolled.layers.recurrent import Recurrent


def test_the_names() -> None:
    wanted = {
        "mlp",
        "window",
        "rnn",
        "irnn",
        "gru",
        "lstm",
        "birnn",
        "biirnn",
        "bigru",
        "bilstm",
        "mingru",
        "biminlstm",
        "transformer",
        "bitransformer",
    }
    assert wanted <= set(model_names())
    assert model_names() == sorted(model_names())


def test_names_come_without_torch() -> None:
    code = "import sys; from unrolled.layers.factory import model_names; model_names(); print('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "False", done.stderr


def test_a_cell_s_name_with_and_without_bi() -> None:
    config = model_config(name="bigru", hidden=6, layers=2, dropout=0.5)
    layer = build_layer(config, 3)
    assert isinstance(layer, Recurrent)
    assert (layer.input_size, layer.output_size, layer.causal, layer.bidirectional) == (3, 12, False, True)
    assert (len(layer.layers), layer.dropout.p) == (2, 0.5)
    assert build_layer(model_config(name="gru", hidden=6), 3).causal


@pytest.mark.parametrize("name", model_names())
def test_every_name_builds_a_layer(name: str) -> None:
    layer = build_layer(model_config(name=name, hidden=6), 3)
    assert layer.output_size == (12 if layer.bidirectional else 6)


def test_an_unknown_name() -> None:
    with pytest.raises(UsageError, match=r"there is no model 'lstmm'. Did you mean 'lstm'\? Known: .*bilstm"):
        build_layer(model_config(name="lstmm"), 3)


def test_a_layer_of_another_package_has_the_attributes_of_a_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    registry.register("layer", "mine", type("Mine", (nn.Identity,), {}))
    with pytest.raises(UsageError, match="the layer 'mine' is not a Layer: derive Mine from `layers.Layer`"):
        embedding_gain("mine")
    monkeypatch.setattr(registry, "_registered", {})
    registry.register("layer", "mine", type("Mine", (nn.Identity, Layer), {}))
    assert embedding_gain("mine") == 1 and not takes_memory("mine")
    assert owners_of("window") == [Owner("layer", "window")]  # one that declares no options has none
