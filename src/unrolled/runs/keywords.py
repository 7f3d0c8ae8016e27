"""The keyword arguments of ``fit``. Written by tools/write_options.py from the declared options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict

__all__ = ["Keywords"]


class Keywords(TypedDict, total=False):
    """Every option, each with its type; ``docs/options.md`` explains them."""

    accumulate: int
    attention: Literal["additive", "dot", "scaled_dot", "cosine", "none"]
    attention_window: int
    audio: str
    audio_deltas: int
    audio_rate: int
    audio_scale: Literal["training", "clip", "running"]
    batch: int
    batch_tokens: int
    beam: int
    blend: Sequence[str]
    both_strands: bool
    bptt: int
    bptt_gradient: int
    by: str
    checkpoint_every: str
    class_weights: str
    clip: float
    coverage: bool
    crf: bool
    date_order: Literal["dmy", "mdy", "ymd"]
    decimal: Literal[",", "."]
    decoder: str
    device: Literal["auto", "cpu", "cuda"]
    distribution: Literal["gaussian"]
    dropout: float
    embedding: int
    encoder: str
    epochs: float
    fields: Sequence[str]
    file_columns: Sequence[str]
    format: str
    freeze: bool
    gap: str
    header: Sequence[str]
    heads: int
    hidden: int
    horizon: int
    ignore: Sequence[str]
    image: str
    image_size: str
    init_from: str | Path
    inputs: Sequence[str]
    intervals: bool
    kernel: int
    kinds: Mapping[str, str]
    kmer: int
    known_ahead: Sequence[str]
    kv_heads: int
    label_smoothing: float
    layers: int
    letters: bool
    live: bool
    lookback: int
    lr: float
    mask: float
    min_count: int
    minutes: float
    missing: Literal["refuse", "impute"]
    model: str
    more: str
    music: Literal["text", "events", "roll"]
    na_values: Sequence[str]
    normalise: Literal["none", "nfc", "nfd", "nfkc"]
    only: str
    order: str
    patience: int
    plan: Literal["race", "rules", "fixed"]
    pool: Literal["last", "mean", "max"]
    positions: Literal["rotary", "sinusoidal", "learned", "alibi", "none"]
    quantiles: Sequence[float]
    quote: Literal[""", """, "none"]
    refit: Literal["auto", "yes", "no"]
    repeat_inputs: int
    replay: float
    rows_are: Literal["files", "lines"]
    sampled_softmax: int
    scale: Literal["training", "window"]
    scheduled_sampling: float
    season: int
    seed: int
    separator: str
    sets: Mapping[str, str]
    shard_weights: bool
    shared: bool
    sheet: str
    shuffle: Literal["rows", "blocks"]
    skip: str
    spec_augment: bool
    start: str
    steps: int
    target: str | Sequence[str]
    task: str
    test: str | float
    text_encoding: str
    threshold: str
    tied: bool
    tokens: str
    transpose: int
    valid: str | float
    vectors: str | Path
    vocabulary: int
    warmup: float
    weight_decay: float
    window: int
