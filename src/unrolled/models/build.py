"""Which kind of model a question needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from unrolled.batch import Spec
from unrolled.layers.config import ModelConfig
from unrolled.models.encoder_decoder import EncoderDecoder, parts_of
from unrolled.models.model import Model
from unrolled.models.network import Network

__all__ = ["build_model", "layer_configs"]


def layer_configs(config: ModelConfig, writes: bool) -> tuple[ModelConfig, ...]:
    """The configuration of each layer that a model has: of what reads and, where it ``writes``, of what does that."""
    return parts_of(config) if writes else (config,)


def build_model(
    specs: Mapping[str, Spec],
    config: ModelConfig,
    outputs: int,
    *,
    pooled: bool,
    pool: Literal["last", "max"],
    crf: bool,
    written: str | None = None,
    chosen: str | None = None,
) -> Model:
    """A new model, initialised from the global random state.

    Args:
        specs: input column -> how it looks.
        config: names and sizes.
        outputs: the numbers that the task needs for an answer.
        pooled: one answer a row.
        pool: how its steps become one where the user does not say.
        crf: the outputs are the potentials of a linear chain.
        written: the column whose cells are written, where the answer is a sequence of its own.
        chosen: the input column among whose symbols a `Network` chooses, where it may do so by `LazyLogits`.

    Raises:
        UsageError: an unknown or unfitting name.
    """
    if written is not None:
        return EncoderDecoder(specs, config, outputs, written)
    return Network(dict(specs), config, outputs, pooled, crf, chosen, pool)
