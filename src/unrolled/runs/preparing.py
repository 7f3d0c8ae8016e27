"""How a run prepares its columns: from the user's options, the task, and what the rules may choose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.roles import Roles
from unrolled.data.tables.sequences import JOINED
from unrolled.planning.choice import FIXED
from unrolled.runs.config import RunConfig
from unrolled.runs.splits import LastStep, parse
from unrolled.runs.word_vectors import encoder_of
from unrolled.tasks.task import TASKS, Task

__all__ = ["preparation_of"]


def preparation_of(config: RunConfig, roles: Roles, kinds: Mapping[str, str], *, started: bool) -> Preparation:
    """How the columns are encoded.

    Args:
        config: of the run.
        roles: which column plays which part.
        kinds: column -> kind.
        started: whether the run takes its encodings from another one.
    """
    kinds = {**kinds, **roles.kinds, **({"": JOINED} if roles.joined else {})}
    task: type[Task] = TASKS.get(config.task.name)
    options = {kind: config.data.of("encoding", kind) for kind in set(kinds.values())}
    if config.training.vectors is not None and (texts := options.get("tokens")) is not None:
        options["tokens"] = texts.model_copy(update={"tokens": texts.tokens or "words"})  # vectors are of words
    if (texts := options.get("tokens")) is not None and _spells(config, texts, started=started):
        options["tokens"] = texts.model_copy(update={"letters": True})
    return Preparation(
        options,
        tokens=task.tokens,
        encoder=encoder_of(config.training),
        cut=any(isinstance(parse(how), LastStep) for how in (config.data.valid, config.data.test)),
        shared=roles.shared,
        by_window=roles.by_window,
    )


def _spells(config: RunConfig, texts: Any, *, started: bool) -> bool:
    """Whether the letters of words are to be read though the user did not ask for them."""
    open_to_rules = config.training.plan != FIXED and not started
    task: type[Task] = TASKS.get(config.task.name)
    return task.spells and open_to_rules and texts.letters is None and texts.tokens in (None, "words")
