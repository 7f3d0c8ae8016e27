"""The flags of ``fit``, each once: its name, its meaning, its unit and what it is where it is not given.

They are the options of `unrolled.api.fit` under the same names; four are written as one text on a command line
(``--target a,b``) and are taken apart here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter

from unrolled.cli.settings import numbers, split_list, split_pairs
from unrolled.errors import UsageError, did_you_mean
from unrolled.names import kind_names, model_names, task_names

__all__ = ["DataFlags", "ModelFlags", "RunFlags", "TaskFlags", "TrainingFlags", "options_of", "settings_of"]


@Parameter(name="*", group=Group("Data", sort_key=1))
@dataclass(frozen=True, kw_only=True)
class DataFlags:
    """What the file holds, and how it is read, split and encoded."""

    target: str | None = None
    """The column to answer, or several with commas. Without one: a folder's folders as labels, else what comes next."""
    inputs: str | None = None
    """Columns to read, with commas. Default: all that are neither target nor ignored."""
    ahead: str | None = None
    """Columns to read whose values are known --horizon steps ahead (a plan, a calendar), with commas. Default: none."""
    ignore: str | None = None
    """Columns to leave out, with commas."""
    fields: str | None = None
    """Columns that become the steps of one sequence, name=value each, with commas: a record to write a text of."""
    kind: Annotated[
        tuple[str, ...] | None,
        Parameter(help=f"column=kind, over what is inferred; may be repeated. Kinds: {', '.join(kind_names())}."),
    ] = None
    by: str | None = None
    """Column that names the sequence, where a row is a single step."""
    order: str | None = None
    """Column that orders the steps of a sequence. Default: as they stand. Among --inputs: time since the last step."""
    gap: str | None = None
    """A sequence ends where the next step by --order lies further away: 30m, 12h, 1d, a number. Default: nowhere."""
    header: str | None = None
    """Names of the columns, with commas, of a table (also .txt) whose first line does not give them."""
    tokens: Literal["characters", "words", "bpe", "bytes"] | None = None
    """What a token of a text is. Default: characters for next_step, else words; bpe where words are very many."""
    normalise: Literal["none", "nfc", "nfkc"] | None = None
    """The normal form of Unicode that texts are brought to. Default: nfc."""
    vocabulary: int | None = None
    """The most tokens that words and bpe keep. Default: 20000."""
    least: int | None = None
    """How often a word or item must stand in training to be known. Default: 1, and 2 of 10000 or more."""
    missing: Literal["refuse", "impute"] | None = None
    """What to do with NaN; empty cells are always filled and flagged. Default: refuse."""
    text_encoding: str | None = None
    """How the file's text is written, such as latin-1. Default: utf-8."""
    documents: Literal["file", "line"] | None = None
    """What a row of a text file is. Default: file."""
    valid: str | None = None
    """A file, a share, or last: the last step of each; 0: none, the last weights. Default: 0.1, of long data less."""
    test: str | None = None
    """A file to test on once at the end, a share, or last: the last step of each sequence. Default: none."""
    shared: bool | None = None
    """One vocabulary for both sides of a translation."""
    strands: Literal["one", "both"] | None = None
    """Read DNA or RNA from either strand in training, and answer by the mean of both. Default: one."""
    kmer: int | None = None
    """Neighbouring letters of DNA, RNA or protein that are one step. Default: 1."""
    scale: Literal["training", "window"] | None = None
    """Whose mean and deviation scale what is forecast: of training, or of each window its own. Default: training."""
    audio: str | None = None
    """What a frame of a sound holds: logmel:40, that many bands, or mfcc:13, that many cepstra. Default: logmel:40."""
    audio_rate: int | None = None
    """Samples a second that sounds are brought to. Default: those of most of them."""
    audio_deltas: int | None = None
    """1: a frame of a sound also holds how its numbers change; 2: and how that does. Default: 0."""
    audio_scale: Literal["training", "clip", "running"] | None = None
    """Whose mean and deviation scale a frame: of training, its clip, or its clip so far. Default: training."""
    music: Literal["text", "events", "roll"] | None = None
    """How tunes are read: as text (ABC), events (words like p60 d12) or a piano roll. Default: text; MIDI: events."""
    image: str | None = None
    """What a step of a picture is: pixels, rows, or patches:4 for squares of 4 x 4 pixels. Default: rows."""
    image_size: str | None = None
    """What pictures are brought to: 32, or 48x32 for width x height. Default: their median size, 64 at most."""


@Parameter(name="*", group=Group("Task", sort_key=2))
@dataclass(frozen=True, kw_only=True)
class TaskFlags:
    """What is asked of a sequence."""

    task: Annotated[str | None, Parameter(help=f"One of {', '.join(task_names())}. Default: inferred, and said.")] = (
        None
    )
    horizon: int | None = None
    """Steps ahead to forecast."""
    lookback: int | None = None
    """Steps of history that a forecast is trained on. Default: three horizons, at least 64."""
    quantiles: str | None = None
    """Quantiles to forecast, such as 0.1,0.5,0.9. Default: a point."""
    distribution: Literal["gaussian"] | None = None
    """Forecast a mean and a deviation of each value. Default: a point."""
    crf: bool | None = None
    """Tag whole sequences at once, by what may follow what (a linear-chain CRF)."""
    mask: float | None = None
    """Share of the steps that fill hides. Default: 0.15."""
    beam: int | None = None
    """Answers that are kept open while a sequence is written; 1 is greedy. Default: 4."""
    label_smoothing: float | None = None
    """Share of each token of a translation that is spread over all others. Default: 0."""


@Parameter(name="*", group=Group("Model", sort_key=3))
@dataclass(frozen=True, kw_only=True)
class ModelFlags:
    """The network."""

    model: Annotated[
        str | None, Parameter(help=f"One of {', '.join(model_names())}. Default: lstm; those with 'bi' cannot stream.")
    ] = None
    layers: int | None = None
    """Layers, one over the other. Default: 1."""
    hidden: int | None = None
    """Units of each layer and direction. Default: 128."""
    embedding: int | None = None
    """Width of a token's vector; 0 is one-hot. Default: chosen by the vocabulary."""
    pool: Literal["last", "mean", "max"] | None = None
    """How many steps become one answer. Default: max for classify and regress, last for forecast; an encoder that
    sees all steps at once has mean."""
    window: int | None = None
    """Steps that the window model sees. Default: 16."""
    dropout: float | None = None
    """Share of units that a training step drops, 0 to 1. Default: 0."""
    heads: int | None = None
    """Heads of attention. Default: one for each 32 units, if they divide them."""
    kv_heads: int | None = None
    """Heads that keys and values have, a divisor of --heads. Default: as many."""
    sight: int | None = None
    """Steps that attention looks back. Default: all."""
    positions: Literal["rotary", "sinusoidal", "learned", "alibi", "none"] | None = None
    """How attention knows the order of steps. Default: rotary; where one sequence becomes another, sinusoidal."""
    encoder: str | None = None
    """What reads, where one sequence becomes another. Default: --model, in both directions."""
    decoder: str | None = None
    """What writes, where one sequence becomes another. Default: --model."""
    attention: Literal["additive", "dot", "scaled_dot", "cosine", "none"] | None = None
    """How the decoder looks back at what was read. Default: scaled_dot."""
    coverage: bool | None = None
    """Tell attention where it has looked already."""
    tied: bool | None = None
    """The vectors of tokens that are read or written are the output weights too."""


@Parameter(name="*", group=Group("Training", sort_key=4))
@dataclass(frozen=True, kw_only=True)
class TrainingFlags:
    """The loop. Without --steps, --epochs or --minutes: until validation stops improving, ten minutes at most."""

    start: Annotated[str | None, Parameter(name="--from")] = None
    """A run to go on from: its encodings, model and weights, all but the head's. Default: none, fresh weights."""
    vectors: str | None = None
    """What words begin with: a file of vectors (word2vec, GloVe, of unrolled embed), or a folder of Hugging Face."""
    freeze: Annotated[bool | None, Parameter(negative="--no-freeze")] = None
    """Keep what --vectors gives as it is; other words are trained. Default: a folder is kept, a file's are trained."""
    steps: int | None = None
    """Budget in steps."""
    epochs: float | None = None
    """Budget in passes over the data."""
    minutes: float | None = None
    """Budget in minutes."""
    batch: int | None = None
    """Rows in a step. Default: 32."""
    lr: float | None = None
    """Highest learning rate. Default: 0.002."""
    warmup: float | None = None
    """Share of the budget in which the learning rate rises. Default: 0.02."""
    weight_decay: float | None = None
    """AdamW's, of all weights but biases. Default: 0.01."""
    scheduled_sampling: float | None = None
    """Share of its own tokens that a decoder reads instead of the right ones, at the end. Default: 0."""
    spec_augment: bool | None = None
    """Hide stretches of time and bands of frames in training, others in every epoch (SpecAugment)."""
    transpose: int | None = None
    """Read a piece in another key in every epoch of training, so many semitones away at most. Default: 0."""
    softmax: str | None = None
    """full, or sampled:4096: compare with so many items drawn by lot. Default: full, over 50000 items sampled:4096."""
    clip: float | None = None
    """Largest norm of the gradient. Default: 1."""
    bptt: int | None = None
    """k1: steps of a window of truncated backpropagation. Default: 128 where sequences are longer than 2048."""
    bptt_gradient: int | None = None
    """k2: steps that a gradient reaches back, a multiple of --bptt. Default: as --bptt."""
    patience: int | None = None
    """Validations without a new best before it stops. Default: 5 where there is no budget, else never."""
    checkpoint_every: str | None = None
    """Steps, such as 50, or seconds, such as 30s. Default: 60s."""
    seed: int | None = None
    """The seed of everything random. Default: 0."""
    device: str | None = None
    """Where it trains: cpu, cuda, or auto, a GPU if there is one. Default: auto."""


@Parameter(name="*", group=Group("Run", sort_key=5))
@dataclass(frozen=True, kw_only=True)
class RunFlags:
    """Where it goes, and whether it goes on."""

    out: str | None = None
    """The run directory. Default: the next free `runs/<name>-<n>`."""
    resume: bool = False
    """Go on with a run that was stopped: unrolled fit --resume runs/x"""
    overwrite: bool = False
    """Replace the run in --out."""
    config: str | None = None
    """A YAML file with any of these options; flags stand over it."""
    tensorboard: bool = False
    """Write TensorBoard's files into the run as well."""


def options_of(*flags: DataFlags | TaskFlags | ModelFlags | TrainingFlags) -> dict[str, Any]:
    """The options that were given, as `unrolled.api.fit` takes them.

    Raises:
        UsageError: one that is a list cannot be taken apart.
    """
    given = {field.name: getattr(part, field.name) for part in flags for field in fields(part)}
    options = {name: value for name, value in given.items() if value is not None}
    return {"kinds" if name == "kind" else name: _taken_apart(name, value) for name, value in options.items()}


def settings_of(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options in a file, by the names of their flags: those of `RunFlags`, and the others as `options_of` has them.

    Raises:
        UsageError: there is no such flag, or a list cannot be taken apart.
    """
    values = {"start" if name == "from" else name: value for name, value in values.items()}
    run = {field.name for field in fields(RunFlags)} - {"config"}
    parts = (DataFlags, TaskFlags, ModelFlags, TrainingFlags)
    known = {"kinds", *run, *(field.name for part in parts for field in fields(part))}
    for name in values:
        if name not in known:
            raise UsageError(f"unknown option {name!r}.{did_you_mean(name, known)}")
    own = {name: value for name, value in values.items() if name in run}
    rest = {name: value for name, value in values.items() if name not in run}
    return own, {"kinds" if name == "kind" else name: _taken_apart(name, value) for name, value in rest.items()}


def _taken_apart(name: str, value: Any) -> Any:
    if name in ("target", "inputs", "ahead", "ignore", "fields", "header") and isinstance(value, str):
        return split_list(value)
    if name == "quantiles" and isinstance(value, str):
        return numbers(value, "--quantiles")
    if name == "kind" and not isinstance(value, dict):
        return split_pairs((value,) if isinstance(value, str) else tuple(value), "--kind")
    return value
