"""What a module prints makes it again: every registered layer and cell, and every other module that has sizes."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from configs import model_config
from torch import nn

import unrolled.cells
import unrolled.layers
import unrolled.models
from unrolled.cells.cell import CELLS
from unrolled.layers.attention.attention import Attention
from unrolled.layers.attention.blocks import FeedForward
from unrolled.layers.attention.multihead import CrossAttention, SelfAttention
from unrolled.layers.attention.positions import Learned, Sinusoidal
from unrolled.layers.crf import CRF
from unrolled.layers.embed import Embedding, Numbers, OneHot
from unrolled.layers.factory import build_layer, model_names
from unrolled.layers.pooling import Pooling
from unrolled.layers.torch_compat import GRU, LSTM, RNN
from unrolled.layers.transformer import Transformer


def module_classes() -> Iterator[type[nn.Module]]:
    """Every module class of the package."""
    for package in (unrolled.cells, unrolled.layers, unrolled.models):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            home = importlib.import_module(found.name)
            for value in vars(home).values():
                if inspect.isclass(value) and issubclass(value, nn.Module) and value.__module__ == home.__name__:
                    yield value


def takes_sizes(kind: type[nn.Module]) -> bool:
    return any("int" in str(one.annotation).split(" | ") for one in inspect.signature(kind).parameters.values())


@pytest.mark.parametrize("kind", [kind for kind in module_classes() if takes_sizes(kind)], ids=lambda kind: str(kind))
def test_a_module_that_has_sizes_prints_them(kind: type[nn.Module]) -> None:
    assert kind.extra_repr is not nn.Module.extra_repr


MODULES: dict[str, Callable[[], nn.Module]] = {
    **{f"the cell {name}": lambda name=name: CELLS.get(name)(3, 8) for name in CELLS.names()},  # type: ignore[misc]
    **{
        f"{name}, {layers} layers": lambda name=name, layers=layers: build_layer(  # type: ignore[misc]
            model_config(name=name, layers=layers, hidden=8, window=4, dropout=0.1, heads=2, attention_window=5), 3
        )
        for name in model_names()
        for layers in (1, 2)
    },
    "a pooling": lambda: Pooling("mean", bidirectional=True),
    "an embedding": lambda: Embedding(9, 4, gain=10.0),
    "one-hot": lambda: OneHot(9),
    "numbers": lambda: Numbers(3),
    "waves": lambda: Sinusoidal(6),
    "learned positions": lambda: Learned(6, longest=10),
    "a CRF": lambda: CRF(8, outputs=6),
    "a feed-forward net": lambda: FeedForward(8, "gelu"),
    "attention": lambda: Attention(4, 6, "additive", hidden=5, coverage=True),
    "self-attention": lambda: SelfAttention(8, 4, 2, causal=False, attention_window=3, positions="alibi"),
    "cross-attention": lambda: CrossAttention(8, 3, 4, 2),
    "a transformer": lambda: Transformer(
        3,
        8,
        heads=4,
        kv_heads=2,
        positions="learned",
        causal=False,
        norm="layer",
        norm_first=False,
        feedforward="gelu",
        memory_size=5,
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_prints_makes_it_again(name: str) -> None:
    made = MODULES[name]()
    again = eval(f"{type(made).__name__}({made.extra_repr()})", {type(made).__name__: type(made)})
    assert repr(again) == repr(made)
    shapes, wanted = ({n: t.shape for n, t in one.state_dict().items()} for one in (again, made))
    assert shapes == wanted


OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_layers": 2, "batch_first": True, "bidirectional": True},
    {"bias": False, "dropout": 0.5, "num_layers": 3},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("ours", "torchs"), [(RNN, nn.RNN), (GRU, nn.GRU), (LSTM, nn.LSTM)])
def test_torch_compat_prints_what_torch_prints(ours: Any, torchs: Any, options: dict[str, Any]) -> None:
    assert repr(ours(3, 4, **options)) == repr(torchs(3, 4, **options))


def test_torch_compat_prints_a_projection_as_torch_does() -> None:
    assert repr(LSTM(3, 4, proj_size=2)) == repr(nn.LSTM(3, 4, proj_size=2)) == "LSTM(3, 4, proj_size=2)"
    assert repr(LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True)) == (
        "LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True)"
    )


def test_a_changed_attribute_is_printed_as_it_is_now() -> None:
    layer = GRU(3, 4, dropout=0.5, num_layers=2)
    layer.dropout = 0.0
    assert repr(layer) == "GRU(3, 4, num_layers=2)"
    assert torch.equal(layer.weight_ih_l0, layer.state_dict()["weight_ih_l0"])
