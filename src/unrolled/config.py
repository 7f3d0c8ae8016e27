"""One frozen model per part of a run. Together they are ``config.json``: names and numbers only, never code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unrolled.errors import ModelError, UsageError, did_you_mean
from unrolled.registry import check_members

__all__ = [
    "FORMAT",
    "DataConfig",
    "ModelConfig",
    "Part",
    "RunConfig",
    "TaskConfig",
    "TrainingConfig",
    "option",
    "spread",
]

FORMAT = 1
_LARGEST_SIZE = 65_536  # no layer of ours is wider; a larger number in a file is an attack or an accident


def option(
    default: Any,
    text: str,
    *,
    also: Sequence[str] = (),
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
    pattern: str | None = None,
    examples: Sequence[str] | None = None,
) -> Any:
    """One option of a `Part`. It is declared in literals, so that the command line can read it without its module.

    Args:
        default: the value where the user gives none; ``None`` where it is chosen later.
        text: what it does, in one sentence; a second one tells a default that is chosen later.
        also: the names by which users of other libraries know it, for "did you mean".
        gt, ge, lt, le: the range of a number.
        pattern: what a text must match.
        examples: texts that match, for the error message.

    Example:
        >>> class Options(Part):
        ...     dropout: float = option(0.0, "Share of the units that a training step drops.", ge=0, lt=1)
        >>> Options.check({"dropout": 0.5}).dropout
        0.5
    """
    return Field(
        default,
        description=text,
        gt=gt,
        ge=ge,
        lt=lt,
        le=le,
        pattern=pattern,
        examples=None if examples is None else list(examples),
        json_schema_extra={"also": list(also)} if also else None,
    )


class Part(BaseModel):
    """The base of every part: frozen, no unknown keys, and errors in our words."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def check(cls, values: dict[str, Any]) -> Self:
        """Build from a user's values.

        Raises:
            UsageError: an unknown key (with the nearest known one) or a value out of range.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            if first["type"] == "extra_forbidden":
                raise UsageError(f"unknown option {name!r}.{did_you_mean(name, cls.model_fields)}") from None
            wanted = first["msg"].removeprefix("Value error, ")  # what a check of ours says
            if first["type"] == "string_pattern_mismatch":  # a pattern tells a user nothing
                wanted = f"write it like {' or '.join(cls.model_fields[name].examples or ())}"
            raise UsageError(f"option {name!r} = {first['input']!r}: {wanted}") from None


class DataConfig(Part):
    """Where the sequences come from and how they are read, split and encoded."""

    source: str = "memory"
    by: str | None = None
    order: str | None = None
    gap: str | None = Field(None, pattern=r"^\d+(\.\d+)?[smhd]?$", examples=["30m", "2h"])
    header: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    kinds: dict[str, str] = {}
    tokens: Literal["characters", "words", "bpe", "bytes"] | None = None
    normalise: Literal["none", "nfc", "nfkc"] = "nfc"
    vocabulary: int = Field(20_000, ge=8, le=1_000_000)
    least: int | None = Field(None, ge=1)
    missing: Literal["refuse", "impute"] = "refuse"
    text_encoding: str = "utf-8"
    documents: Literal["file", "line"] = "file"
    valid: str | float | None = None
    test: str | float | None = None
    shared: bool = False
    strands: Literal["one", "both"] = "one"
    kmer: int = Field(1, ge=1, le=8)
    scale: Literal["training", "window"] = "training"
    audio: str = Field(
        "logmel",
        pattern=r"^(logmel(:[1-9]\d{0,2})?|mfcc(:([1-9]|[123]\d|40))?)$",
        examples=["logmel:40 (of 1-999 bands)", "mfcc:13 (of 1-40 cepstra)"],
    )
    audio_rate: int | None = Field(None, ge=1000, le=768_000)
    audio_deltas: int = Field(0, ge=0, le=2)
    audio_scale: Literal["training", "clip", "running"] = "training"
    music: Literal["text", "events", "roll"] | None = None
    image: str = Field(
        "rows",
        pattern=r"^(pixels|rows|patches:[1-9]\d{0,2})$",
        examples=["pixels", "rows", "patches:4 (of 1-999 pixels)"],
    )
    image_size: str | None = Field(
        None, pattern=r"^[1-9]\d{0,2}(x[1-9]\d{0,2})?$", examples=["32", "48x32 (of 1-999 pixels)"]
    )


class ModelConfig(Part):
    """The network. ``hidden`` is each direction's size, ``window`` the steps that the `window` model sees.

    ``heads`` to ``positions`` are of models that attend; ``encoder`` to ``coverage`` of those that read one sequence
    and write another, whose two parts are otherwise both called ``name``; ``tied`` also of those that choose an item.
    """

    name: str = "lstm"
    layers: int = Field(1, ge=1, le=64)
    hidden: int = Field(128, ge=1, le=_LARGEST_SIZE)
    dropout: float = Field(0.0, ge=0, lt=1)
    embedding: int | None = Field(None, ge=0, le=_LARGEST_SIZE)  # None: chosen by size; 0: one-hot
    pool: Literal["last", "mean", "max"] | None = None
    window: int = Field(16, ge=1, le=_LARGEST_SIZE)
    heads: int | None = Field(None, ge=1, le=_LARGEST_SIZE)  # None: as many as divide hidden, of 32 units at least
    kv_heads: int | None = Field(None, ge=1, le=_LARGEST_SIZE)  # None: as many as heads
    sight: int | None = Field(None, ge=1, le=_LARGEST_SIZE)  # steps that attention looks back; None: all
    positions: Literal["rotary", "sinusoidal", "learned", "alibi", "none"] | None = (
        None  # None: rotary; of a pair sinusoidal
    )
    encoder: str | None = None
    decoder: str | None = None
    attention: Literal["additive", "dot", "scaled_dot", "cosine", "none"] = "scaled_dot"
    coverage: bool = False
    tied: bool = False


class TaskConfig(Part):
    """What is asked of the sequences. ``lookback`` is the steps of history that a forecast is trained on.

    ``quantiles`` and ``distribution`` are of `forecast`, ``crf`` of `tag`, ``mask`` of `fill`, ``beam`` and
    ``label_smoothing`` of those that write.
    """

    name: str
    horizon: int | None = Field(None, ge=1, le=100_000)
    lookback: int | None = Field(None, ge=1, le=1_000_000)
    quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    distribution: Literal["gaussian"] | None = None
    crf: bool = False
    mask: float = Field(0.15, gt=0, lt=1)
    beam: int = Field(4, ge=1, le=1_000)
    label_smoothing: float = Field(0.0, ge=0, lt=1)


class TrainingConfig(Part):
    """The loop. At most one of ``steps``, ``epochs`` and ``minutes``; none means: until validation stops improving.

    ``start`` is the directory of a run to go on from, with a new head; ``vectors`` a file of word vectors to begin
    with, or the folder of a pretrained encoder, and what they hold is not trained if ``freeze``.
    """

    start: str | None = None
    vectors: str | None = None
    freeze: bool | None = None  # None: a pretrained encoder is, vectors of words are not
    steps: int | None = Field(None, ge=1)
    epochs: float | None = Field(None, gt=0)
    minutes: float | None = Field(None, gt=0)
    batch: int = Field(32, ge=1)
    lr: float = Field(2e-3, gt=0)
    warmup: float = Field(0.02, ge=0, le=1)
    weight_decay: float = Field(0.01, ge=0)
    scheduled_sampling: float = Field(0.0, ge=0, le=1)
    spec_augment: bool = False
    transpose: int = Field(0, ge=0, le=24)
    softmax: str | None = Field(
        None, pattern=r"^(full|sampled:[1-9]\d{0,6})$", examples=["full", "sampled:4096 (of 1-9999999 items)"]
    )
    clip: float | None = Field(1.0, gt=0)
    bptt: int | None = Field(None, ge=1)
    bptt_gradient: int | None = Field(None, ge=1)
    patience: int | None = Field(None, ge=1)
    checkpoint_every: str | None = None
    seed: int = Field(0, ge=0, lt=2**63)
    device: str = "auto"


class RunConfig(Part):
    """The whole of ``config.json``."""

    format: int = FORMAT
    task: TaskConfig
    data: DataConfig
    model: ModelConfig
    training: TrainingConfig
    columns: tuple[str, ...] = ()  # of the training data as it stands in its file: the order of a stream without header
    members: dict[str, str] = {}  # kind.name -> the package of each member that is not our own, see `outside_members`
    files: dict[str, dict[str, str | int]] = {}  # role -> path, size, sha256 of the data when the run began

    @classmethod
    def parse(cls, text: str | bytes, place: str) -> RunConfig:
        """Read ``config.json``.

        Raises:
            ModelError: it is not ours, is newer than we are, holds what we do not know, or needs a member of a package
                that is not installed.
        """
        import json

        try:
            values = json.loads(text)
            version = values["format"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ModelError(f"{place} is not a run of ours: its config.json cannot be read") from None
        if isinstance(version, int) and version > FORMAT:
            raise ModelError(
                f"{place} has format {version}, newer than {FORMAT}, which this version reads: upgrade unrolled"
            )
        check_members(values.get("members"), place)
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise ModelError(f"{place}: config.json is not one of ours at {name!r}: {first['msg']}") from None


_PARTS: dict[str, type[Part]] = {
    "data": DataConfig,
    "model": ModelConfig,
    "task": TaskConfig,
    "training": TrainingConfig,
}
_ALIASES = {"task": ("task", "name"), "model": ("model", "name")}


def spread(options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A user's flat options by part; ``None`` means not given.

    Raises:
        UsageError: an unknown option, with the nearest known one.

    Example:
        >>> spread({"model": "gru", "lr": 1e-3})["model"]
        {'name': 'gru'}
    """
    homes = {field: (part, field) for part, model in _PARTS.items() for field in model.model_fields if field != "name"}
    homes |= _ALIASES
    del homes["source"]
    parts: dict[str, dict[str, Any]] = {part: {} for part in _PARTS}
    for name, value in options.items():
        if name not in homes:
            raise UsageError(f"unknown option {name!r}.{did_you_mean(name, homes)}")
        if value is not None:
            part, field = homes[name]
            parts[part][field] = value
    return parts
