"""Build the model that a task needs: one network, or an encoder–decoder."""

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
    """The configuration of each layer of a model: one, or the encoder's and the decoder's if the model ``writes``."""
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
        specs: input column -> its spec.
        config: names and sizes.
        outputs: how many numbers the task needs for one answer.
        pooled: each row has one answer.
        pool: the default pooling of a row's steps.
        crf: the outputs are the potentials of a linear-chain CRF.
        written: the target column of an encoder–decoder; ``None`` for a `Network`.
        chosen: the input column whose symbols a `Network` chooses from, if it may return `LazyLogits`.

    Raises:
        UsageError: a name that is unknown or does not fit.
    """
    if written is not None:
        return EncoderDecoder(specs, config, outputs, written)
    return Network(dict(specs), config, outputs, pooled, crf, chosen, pool)
