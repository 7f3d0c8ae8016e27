"""The models that a user can name, and the layer behind each name. Knows names without importing torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from unrolled.errors import UsageError, did_you_mean
from unrolled.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from unrolled.config import ModelConfig
    from unrolled.layers.session import LayerSession
    from unrolled.state import State

__all__ = ["LAYERS", "Layer", "build_layer", "embedding_gain", "member_of", "model_names", "owners"]

LAYERS = Registry("layer")
_CELLS = Registry("cell")
_BOTH = "bi"


class Layer(Protocol):
    """A model without its ends: vectors in, vectors out, over a padded batch, in chunks or step by step.

    Attributes:
        causal: no output depends on a later input, so that it can stream.
        bidirectional: the second half of each output was read from the row's end backward. A layer may see the future
            without that, as attention does.
    """

    input_size: int
    output_size: int
    causal: bool
    bidirectional: bool

    def __call__(self, x: Tensor, lengths: Tensor | None = None, state: State = None) -> tuple[Tensor, State]:
        """``x`` (B, T, I) -> ``y`` (B, T, output_size), 0 beyond each row's length, and the state after it."""

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """``x`` (B, I) and the state before -> ``y`` (B, output_size) and the state after."""

    def session(self, batch: int | None = None) -> LayerSession:
        """The layer live, for one row or ``batch`` of them."""

    def initial_state(self, batch: int, like: Tensor) -> State:
        """The state of ``batch`` rows before their first step, with the dtype and device of ``like``."""


def model_names() -> list[str]:
    """Every name that `build_layer` knows: the layers, the cells, and each cell in both directions.

    >>> {"lstm", "bilstm", "window"} <= set(model_names())
    True
    """
    cells = _CELLS.names()
    return sorted([*LAYERS.names(), *cells, *(_BOTH + cell for cell in cells)])


def embedding_gain(name: str) -> float:
    """What the vectors of symbols are multiplied by before the layer ``name`` reads them (see `Embedding`).

    >>> embedding_gain("transformer"), embedding_gain("lstm")
    (10.0, 1.0)
    """
    return getattr(LAYERS.get(name), "embedding_gain", 1.0) if name in LAYERS else 1.0


def owners(option: str) -> list[str]:
    """The models that alone have an option, a field of `ModelConfig`; none of one that all have.

    >>> owners("window"), owners("hidden")
    (['window'], [])
    """
    return [name for name in LAYERS.names() if option in getattr(LAYERS.get(name), "own", ())]


def build_layer(config: ModelConfig, input_size: int) -> Layer:
    """The layer that ``config`` describes, for inputs of width ``input_size``.

    Raises:
        UsageError: an unknown name; the message suggests the nearest.

    Example:
        >>> from unrolled.config import ModelConfig
        >>> build_layer(ModelConfig(name="bigru", hidden=8), input_size=3).output_size
        16
    """
    kind, name = member_of(config.name)
    if kind == "layer":
        layer: Layer = LAYERS.get(name).build(config, input_size)
        return layer
    from unrolled.layers.recurrent import Recurrent

    both = name != config.name
    return Recurrent(input_size, config.hidden, name, config.layers, bidirectional=both, dropout=config.dropout)


def member_of(model: str) -> tuple[Literal["layer", "cell"], str]:
    """The kind and name of the member that the name of a model stands for.

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
