"""The three verbs of Python use: ``read``, ``fit`` and ``load``; everything else is a method of what they return."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict, Unpack

from unrolled import fitting
from unrolled.config import DataConfig, spread
from unrolled.data.read import read as read_source
from unrolled.data.sequences import Sequences
from unrolled.errors import UsageError
from unrolled.loading import open_run
from unrolled.trained import Trained
from unrolled.training.hooks import Hook

__all__ = ["Options", "Trained", "fit", "load", "read"]


class Options(TypedDict, total=False):
    """What may be said about a run; the parts of ``config.json`` document each (see `unrolled.config`)."""

    task: str
    target: str | list[str]
    inputs: list[str]
    ignore: list[str]
    kinds: dict[str, str]
    by: str
    order: str
    tokens: str
    vocabulary: int
    missing: str
    text_encoding: str
    documents: str
    valid: str | float
    test: str | float
    shared: bool
    horizon: int
    lookback: int
    quantiles: list[float]
    crf: bool
    mask: float
    beam: int
    label_smoothing: float
    model: str
    layers: int
    hidden: int
    dropout: float
    embedding: int
    pool: str
    window: int
    heads: int
    kv_heads: int
    sight: int
    positions: str
    encoder: str
    decoder: str
    attention: str
    coverage: bool
    tied: bool
    start: str | Path
    steps: int
    epochs: float
    minutes: float
    batch: int
    lr: float
    warmup: float
    weight_decay: float
    scheduled_sampling: float
    clip: float
    bptt: int
    bptt_gradient: int
    patience: int
    checkpoint_every: str
    seed: int
    device: str


def read(source: Any, **options: Unpack[Options]) -> Sequences:
    """Read sequences and infer the kind of each column.

    Args:
        source: a file, a folder, or a table in memory (anything with ``__arrow_c_stream__``, dicts, lists).
        options: those of reading: ``by``, ``order``, ``kinds``, ``ignore``, ``text_encoding``, ``documents``.

    Raises:
        DataError: the source cannot be read; names file, row and column.

    Example:
        >>> read({"text": ["abc", "de"]}, kinds={"text": "tokens"}).kinds
        {'text': 'tokens'}
    """
    return read_source(source, DataConfig.check(spread(_listed(options))["data"]))


def fit(
    source: Any,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    tensorboard: bool = False,
    hooks: tuple[Hook, ...] = (),
    say: fitting.Say = lambda _: None,
    **options: Unpack[Options],
) -> Trained:
    """Train a model on sequences; kinds and task are inferred unless they are given.

    Args:
        source: a file, a folder, or a table in memory.
        out: the run directory; by default the next free ``runs/<name>-<n>``.
        resume: go on with the run in ``out``, to the bit as if it had never stopped.
        overwrite: replace the run in ``out``.
        tensorboard: write TensorBoard's files into the run as well.
        hooks: functions that are told of every logged step and validation.
        say: a function that is told, in a line each, what was inferred and done.
        options: see `Options`.

    Returns:
        the trained model; its ``metrics`` stand beside its ``baselines``.

    Raises:
        UsageError, DataError, SpaceError, TrainingError, Interrupted: see `unrolled.errors`.

    Example:
        >>> model = fit("reviews.csv", target="sentiment", minutes=2)  # doctest: +SKIP
        >>> model.predict(["the food was good"])  # doctest: +SKIP
    """
    folder = None if out is None else Path(out)
    if resume:
        if folder is None:
            raise UsageError("resume needs out, the run directory to go on with")
        return fitting.resume(folder, _listed(options), source=source, tensorboard=tensorboard, hooks=hooks, say=say)
    return fitting.fit(
        source, _listed(options), out=folder, overwrite=overwrite, tensorboard=tensorboard, hooks=hooks, say=say
    )


def load(folder: str | Path) -> Trained:
    """Open a run directory. It holds no code, and nothing in it is run.

    Raises:
        ModelError: it is missing, cut short, damaged, from a newer format, or not ours.
    """
    return open_run(Path(folder))


def _listed(options: Options) -> dict[str, Any]:
    values: dict[str, Any] = dict(options)
    if isinstance(values.get("start"), Path):
        values["start"] = str(values["start"])
    return {name: [v] if name == "target" and isinstance(v, str) else v for name, v in values.items()}
