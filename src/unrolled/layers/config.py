"""The options that every network has: which layer, and how large."""

from __future__ import annotations

from unrolled.config import PartOfRun, option

__all__ = ["NONE", "ModelConfig"]

NONE = "none"  # the value of an option that leaves a solved model out


class ModelConfig(PartOfRun):
    """The options that all networks share, whatever their layer."""

    paired: bool = False  # the layer is part of an encoder–decoder
    name: str = option(
        "lstm",
        "The recurrent or attention layer; those with 'bi' read in both directions and cannot stream.",
        also=("architecture", "model_type", "rnn_type", "cell", "backbone", "estimator"),
    )
    layers: int = option(
        1,
        "Number of layers.",
        ge=1,
        le=64,
        also=("num_layers", "n_layers", "num_hidden_layers", "num_encoder_layers", "n_layer", "depth"),
    )
    hidden: int = option(
        128,
        "Hidden size of each layer and direction.",
        ge=1,
        le=65_536,
        also=("hidden_size", "units", "num_units", "hidden_dim", "hidden_layer_sizes", "d_model", "n_hidden", "n_embd"),
    )
    dropout: float = option(
        0.0, "Dropout: share of units set to 0 in training.", ge=0, lt=1, also=("dropout_rate", "dropout_prob", "p")
    )
    live: bool = option(
        False,
        "Choose only models that can answer step by step.",
        also=("streaming", "online", "causal", "real_time"),
    )
    start: str | None = option(
        None,
        "Solved model to start from: its outputs are added, and the network learns what it leaves; or none. "
        "Default: the best on the validation data, if the plan finds one.",
        also=("residual", "base_model", "init_score"),
    )
    blend: tuple[str, ...] = option(
        (),
        "Solved models to mix the answers with at the end; or none. Default: what helps on the validation data.",
        also=("ensemble", "stack", "mixture"),
    )
    only: str | None = option(
        None,
        "Solved model to use without a network, which is then not trained; or none, to keep the network in any case. "
        "Default: a solved model that the network does not better on the validation data.",
        also=("solved", "closed_form", "classical", "baseline_only"),
    )
    embedding: int | None = option(
        None,
        "Embedding size of a token or label; 0 for one-hot. Default: depends on the vocabulary size.",
        ge=0,
        le=65_536,
        also=("embedding_dim", "embedding_size", "embed_dim", "embeddings", "output_dim"),
    )

    @property
    def alone(self) -> str | None:
        """The solved model that stands where a network would; ``None`` if a network does."""
        return None if self.only == NONE else self.only

    @property
    def origin(self) -> str | None:
        """The solved model that the network starts from; ``None`` if it starts from none."""
        return None if self.start == NONE or self.alone is not None else self.start

    @property
    def solved(self) -> tuple[str, ...]:
        """The names of the solved models in the whole model: the one at its base, and those mixed in, in order."""
        base = self.alone or self.origin
        return (*(() if base is None else (base,)), *(name for name in self.blend if name != NONE))
