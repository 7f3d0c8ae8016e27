"""What was asked: which task it is, what goes together, and what is taken where nothing was said."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Literal

import numpy as np

from unrolled.config import DataConfig, ModelConfig, RunConfig
from unrolled.data.coder import Preprocessor
from unrolled.data.examples import Examples
from unrolled.data.facets import Reusable
from unrolled.data.roles import Roles
from unrolled.data.sequences import Sequences
from unrolled.errors import DataError, UsageError
from unrolled.layers.build import model_names, owners
from unrolled.models.model import Model
from unrolled.tasks.task import TASKS, Question, Task
from unrolled.training.plans import lookback, window

__all__ = [
    "advice",
    "as_read",
    "check_items",
    "check_kmer",
    "check_model",
    "check_owned",
    "check_pieces",
    "check_positions",
    "check_read",
    "default_target",
    "default_tokens",
    "drawn_items",
    "task_name",
    "told_tokens",
    "told_unread",
]

Level = Literal["characters", "words", "words or bpe"]

_WRITES = ("encoder", "decoder", "attention", "coverage", "tied", "shared", "scheduled_sampling", "label_smoothing")
# An option -> the tasks that alone have it.
_OF_SOME_TASKS = {"crf": ("tag",), "mask": ("fill",), "beam": ("transcribe", "translate")}
_OF_SOME_TASKS |= {
    "softmax": ("next_step",),
    **dict.fromkeys(("distribution", "scale", "ahead", "lookback"), ("forecast",)),
}
_OF_SOME_TASKS |= {"strands": ("classify", "regress"), "pool": ("classify", "regress", "forecast", "translate")}
_OF_SOME_TASKS |= {**dict.fromkeys(_WRITES, ("translate",)), "tied": ("next_step", "translate")}
# An option -> the kinds of columns that alone have it.
_OF_SOME_KINDS: dict[str, tuple[str, ...]] = {"kmer": ("symbols",), "tokens": ("tokens",), "normalise": ("tokens",)}
_OF_SOME_KINDS |= dict.fromkeys(("audio", "audio_rate", "audio_deltas", "audio_scale"), ("audio",))
_OF_SOME_KINDS |= {"image": ("image",), "image_size": ("image", "video")}
_MANY, _DRAWN = 50_000, 4_096  # items from which on training compares with some of them, and how many
_IN_PARTS = ("classify", "translate")  # they may read parts of words
_LETTERS = ("next_step", "transcribe")  # a text that comes with its sounds is spelt
_CONTINUING = ("next_step", "fill", "forecast")  # they answer with what they read
_WRITTEN = ("transcribe", "translate")  # their target is a text of its own
_WHOLE = ("classify", "tag")  # what comes later in a sequence helps with these


def task_name(question: Question, asked: str | None) -> tuple[str, str]:
    """The task that answers the question, and why it is that one.

    Raises:
        UsageError: none does, or ``asked`` is none.
    """
    if asked is not None:
        TASKS.get(asked)
        return asked, "as you asked"
    for name in TASKS.names():
        reason = TASKS.get(name).recognises(question)
        if reason:
            return name, reason
    target = ", ".join(question.target)
    kind = question.sequences.kinds[question.target[0]]
    if (traits := question.sequences.traits(question.target[0])).measured and not traits.whole:
        raise UsageError(
            f"{target} has a number for each step: give --horizon, the number of steps to forecast, or name a --task"
        )
    raise UsageError(
        f"no task answers a target of kind {kind} ({target}): name one with --task, or its kind with "
        f"--kind {target}=category"
    )


def as_read(data: DataConfig, task: str | None) -> DataConfig:
    """``data``, where a target that is written is a text unless told otherwise: digits are no numbers then."""
    texts = dict.fromkeys(data.target, "tokens") if task in _WRITTEN else {}
    return data.model_copy(update={"kinds": {**texts, **data.kinds}})


def check_owned(options: dict[str, Any], name: str) -> None:
    """An option that other tasks alone have is refused.

    Raises:
        UsageError: it was given.
    """
    for option, owned_by in _OF_SOME_TASKS.items():
        if options.get(option) and name not in owned_by:
            flag, owner = option.replace("_", "-"), " and ".join(owned_by)
            raise UsageError(f"--{flag} is of the task {owner} alone, and this one is {name}")
    if options.get("quantiles") and options.get("distribution"):
        raise UsageError("--quantiles and --distribution are two answers to one question: give one of them")


def check_model(options: dict[str, Any], names: Collection[str]) -> None:
    """An option that other models alone have than those of these ``names`` is refused.

    Raises:
        UsageError: it was given.
    """
    for option in ModelConfig.model_fields:
        owned_by = owners(option) if options.get(option) is not None else []
        if owned_by and not set(names) & set(owned_by):
            flag, owner = option.replace("_", "-"), ", ".join(owned_by)
            raise UsageError(f"--{flag} is of the model {owner} alone, and this one is {' and '.join(names)}")


def check_read(options: dict[str, Any], kinds: Collection[str]) -> None:
    """An option that other kinds of columns alone have than those of these ``kinds`` is refused.

    Raises:
        UsageError: it was given.
    """
    for option, owned_by in _OF_SOME_KINDS.items():
        if options.get(option) and not set(kinds) & set(owned_by):
            flag, owner = option.replace("_", "-"), " or ".join(owned_by)
            raise UsageError(
                f"--{flag} is of columns of kind {owner} alone, and here are {' and '.join(sorted(kinds))}"
            )


def check_kmer(size: int, name: str) -> None:
    """Refuse k-mers of ``size`` letters to a task that asks for what stands beside them.

    Raises:
        UsageError: they are more than a letter.
    """
    if size > 1 and name in ("next_step", "fill"):
        raise UsageError(
            f"--kmer {size}: neighbouring k-mers overlap, so each tells all but one letter of the next, and {name} "
            "goes letter by letter: leave it out"
        )


def advice(name: str, model: ModelConfig) -> Iterator[str]:
    """What a user may want to know of the model beside the task ``name``."""
    both = f"bi{model.name}"
    if both not in model_names():
        return
    if name in _WHOLE:
        yield f"model: {model.name} can answer live, step by step; for whole sequences, try --model {both}"
    if name == "fill":
        yield f"model: {model.name} reads what is before a hidden step alone; with --model {both}, what follows too"


def drawn_items(softmax: str | None, items: int) -> int:
    """How many of the ``items`` a step of training compares with; 0: all of them."""
    if softmax is None:
        return _DRAWN if items > _MANY else 0
    return 0 if softmax == "full" else int(softmax.removeprefix("sampled:"))


def check_items(coder: Preprocessor, config: RunConfig) -> None:
    """What is of a choice among items is refused where the next step is none.

    Raises:
        UsageError: it was asked for.
    """
    if coder.form.predicts_next and coder.first_item is None and (config.model.tied or config.training.softmax):
        flag = "--tied" if config.model.tied else "--softmax"
        raise UsageError(
            f"{flag} is of a choice among items, lists of texts or labels, and {coder.target} is no such list"
        )


def default_tokens(config: RunConfig) -> Level:
    """What a token of a text is where the user does not say."""
    if config.training.vectors is not None:  # they are of words
        return "words"
    if config.task.name in _LETTERS:
        return "characters"
    return "words or bpe" if config.task.name in _IN_PARTS else "words"


def told_tokens(config: RunConfig, coder: Preprocessor) -> Iterator[str]:
    """What a user may want to know of tokens that were chosen by how many words there are."""
    encodings = {**coder.inputs, coder.target: coder.answer}
    chosen = config.data.tokens is None and config.training.start is None
    names = [n for n, e in encodings.items() if chosen and isinstance(e, Reusable) and e.settled.get("tokens") == "bpe"]
    if names:
        yield (
            f"tokens: parts of words (bpe) for {', '.join(names)}, which has more words than a vocabulary should hold; "
            "--tokens words overrules it"
        )


def default_target(sequences: Sequences, data: DataConfig, task: str | None) -> tuple[str, ...]:
    """The target that was named; else the labels that folders give their files, if the ``task`` asks for one."""
    label = sequences.labelled
    if data.target or label is None or label in data.inputs or task in _CONTINUING:
        return data.target
    return (label,)


def told_unread(question: Question, roles: Roles) -> Iterator[str]:
    """Which columns are neither read nor answered, where what is continued was all that was asked for."""
    used = {*roles.inputs, *roles.joined, roles.target}
    unread = [name for name in question.sequences.kinds if name not in used]
    if unread and not question.inputs:
        yield f"not read: {', '.join(unread)}; --inputs adds columns"


def check_pieces(network: Model, train: Examples, config: RunConfig) -> None:
    """What cannot be trained in pieces of a sequence, or cannot be asked for what comes next.

    Raises:
        UsageError: a model of both directions is asked for what it has read already; or it, a CRF, or a transformer
            that sees every step is to be trained in pieces.
    """
    if config.task.crf and (steps := window(train, config.training)):
        raise UsageError(
            f"--crf chooses the labels of a sequence together, and these are trained in pieces of {steps} steps (by "
            "--bptt, or because they are long): leave --crf out"
        )
    if network.layer.keeps_every_step and (steps := window(train, config.training)):
        raise UsageError(
            f"a {config.model.name} keeps every step that it has read, and these sequences are trained in pieces of "
            f"{steps} steps, one after the other (by --bptt, or because they are long): give --sight, such as "
            f"{2 * steps}"
        )
    if network.causal:
        return
    if train.form.predicts_next and not network.columns.causal:
        raise UsageError(
            "a pretrained encoder reads each text from its end as well, so it has seen every next step that it is "
            "asked for: give --vectors a file of words' vectors, or leave it out"
        )
    if train.form.predicts_next:
        raise UsageError(
            f"{config.model.name} reads each sequence from its end as well, so it has seen every next step that it is "
            "asked for: choose a model without 'bi'"
        )
    if steps := window(train, config.training):
        raise UsageError(
            f"{config.model.name} reads each sequence from its end as well, so it needs whole sequences, and these are "
            f"trained in pieces of {steps} steps (by --bptt, or because they are long): choose a model without 'bi'"
        )


def check_positions(network: Model, task: Task, examples: Examples, part: Sequences) -> None:
    """A row that has more steps than a model has learned positions for is refused.

    Raises:
        DataError: ``part``, of which ``examples`` were made, holds one.
    """
    timed = [name for name, spec in examples.specs.items() if spec.time]
    if timed:
        read = examples.form.plans.read(examples.steps(), lookback(task.config))
        _check_longest(network.longest_read, read, part, timed[0])
    if network.writes and examples.target is not None:
        written = examples.target.lengths() - 1  # all but ``<end>`` is read again
        _check_longest(network.longest_written, written, part, task.coder.target)


def _check_longest(longest: int | None, steps: np.ndarray, part: Sequences, column: str) -> None:
    if longest is not None and (long := np.flatnonzero(steps > longest)).size:
        place = part.where(column)
        raise DataError(
            f"has {steps[long[0]]:,} steps, but this model has learned positions for at most {longest:,}",
            file=place.file,
            row=place.row(int(long[0])),
            column=column,
            hint="cut the row, or train with other --positions, such as rotary, which have no longest row",
        )
