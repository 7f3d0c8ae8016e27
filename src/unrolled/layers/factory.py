"""Build a layer from the name of a model. The names are listed without importing torch."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from unrolled.errors import UsageError, did_you_mean
from unrolled.registry import Registry

if TYPE_CHECKING:
    from unrolled.layers.config import ModelConfig
    from unrolled.layers.layer import Layer

__all__ = ["LAYERS", "build_layer", "embedding_gain", "member_of", "model_names", "takes_memory"]

LAYERS = Registry("layer")
_CELLS = Registry("cell")
_BOTH = "bi"


def model_names() -> list[str]:
    """Every name that `build_layer` knows: the layers, the cells, and each cell in both directions.

    >>> {"lstm", "bilstm", "window"} <= set(model_names())
    True
    """
    cells = _CELLS.names()
    return sorted([*LAYERS.names(), *cells, *(_BOTH + cell for cell in cells)])


def embedding_gain(name: str) -> float:
    """The factor that scales embeddings before the layer ``name`` reads them (see `Embedding`).

    >>> embedding_gain("transformer"), embedding_gain("lstm")
    (10.0, 1.0)
    """
    return _class_of(name).embedding_gain


def takes_memory(name: str) -> bool:
    """Whether the layer ``name`` has its own attention to a memory.

    >>> takes_memory("transformer"), takes_memory("lstm")
    (True, False)
    """
    return _class_of(name).takes_memory


def build_layer(config: ModelConfig, input_size: int, memory_size: int | None = None) -> Layer:
    """The layer that ``config`` describes.

    Args:
        config: the layer's name and sizes.
        input_size: the width of the input.
        memory_size: the width of the memory, for a layer that `takes_memory`.

    Raises:
        UsageError: an unknown name; the message suggests the nearest.

    Example:
        >>> from unrolled.layers.config import ModelConfig
        >>> build_layer(ModelConfig(name="bigru", hidden=8), input_size=3).output_size
        16
    """
    kind, name = member_of(config.name)
    if kind == "layer":
        memory = () if memory_size is None else (memory_size,)
        layer: Layer = LAYERS.get(name).build(config, input_size, *memory)
        return layer
    from unrolled.config import made
    from unrolled.layers.recurrent import Recurrent

    cell: Any
    both, options, cell = name != config.name, config.of("cell", name), name
    if type(options).model_fields:
        cell = partial(made, _CELLS.get(name), options=options)
    return Recurrent(input_size, config.hidden, cell, config.layers, bidirectional=both, dropout=config.dropout)


def member_of(model: str) -> tuple[Literal["layer", "cell"], str]:
    """The kind and name of the member behind the name of a model.

    Raises:
        UsageError: an unknown name; the message suggests the nearest.

    Example:
        >>> member_of("window"), member_of("bigru")
        (('layer', 'window'), ('cell', 'gru'))
    """
    if model in LAYERS:
        return "layer", model
    cell = model if model in _CELLS else model.removeprefix(_BOTH)
    if cell not in _CELLS:
        raise UsageError(f"there is no model {model!r}.{did_you_mean(model, model_names())}")
    return "cell", cell


def _class_of(model: str) -> type[Layer]:
    """The layer class behind the name of a model."""
    if model in LAYERS:
        from unrolled.layers.layer import Layer

        kind: type[Layer] = LAYERS.get(model)
        if Layer not in kind.__mro__:
            raise UsageError(f"the layer {model!r} is not a Layer: derive {kind.__name__} from `layers.Layer`")
        return kind
    from unrolled.layers.recurrent import Recurrent

    return Recurrent
