"""Distributes a user's flat options to the parts of a run and its members; refuses those without effect."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from unrolled.config import Part, PartOfRun
from unrolled.declarations import Owner, declared, owners_of, unknown_option
from unrolled.errors import UsageError, named
from unrolled.registry import Registry
from unrolled.runs.config import RunConfig

__all__ = [
    "declared_of",
    "field_names",
    "given",
    "listed",
    "of_networks",
    "of_part",
    "options_in",
    "own_options",
    "reader_options",
    "refuse_idle",
]

_WORKS_WITH = {  # kind of member -> what an option works with, and what this run has instead
    "task": ("the task {}", "this run's task is {}"),
    "encoding": ("columns of kind {}", "this run has columns of kind {}"),
    "reader": ("files that are read as {}", "this run's data is read as {}"),
    "layer": ("the model {}", "this run's model is {}"),
    "cell": ("the model {}", "this run's model is {}"),
    "model": ("a model of type {}", "this run's model is of type {}"),
    "baseline": ("the baseline {}", "this run has the baselines {}"),
    "metric": ("the metric {}", "this run has the metrics {}"),
}


def listed(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a caller, with paths as text and one target as a list of one."""
    values: dict[str, Any] = dict(options)
    values |= {
        name: str(values[name]) for name in ("init_from", "more", "vectors") if isinstance(values.get(name), Path)
    }
    return {name: [v] if name in ("target", "blend") and isinstance(v, str) else v for name, v in values.items()}


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given: ``None`` means not given.

    Raises:
        UsageError: an option is unknown; the message suggests the one that was probably meant.
    """
    for name in options:
        if not owners_of(name):
            raise unknown_option(name)
    return {name: value for name, value in options.items() if value is not None}


_WITHOUT_NETWORK = {  # options of parts that say something about a model that has none
    "model": ("blend", "live", "only"),
    "training": ("batch", "bptt", "device", "plan", "refit", "seed"),
}


def of_networks(name: str) -> bool:
    """Whether an option is about a network or its training, so that it has no effect where there is none.

    >>> of_networks("hidden"), of_networks("lr"), of_networks("target"), of_networks("seed")
    (True, True, False, False)
    """
    return all(
        owner.kind in ("cell", "layer", "model")
        or (owner.kind == "part" and owner.name in _WITHOUT_NETWORK and name not in _WITHOUT_NETWORK[owner.name])
        for owner in owners_of(name)
    )


def of_part(options: Mapping[str, Any], part: str) -> dict[str, Any]:
    """Those of ``options`` that belong to a part of the run: ``data``, ``task``, ``model`` or ``training``.

    >>> of_part({"model": "gru", "hidden": 8, "lr": 0.1}, "model")
    {'name': 'gru', 'hidden': 8}
    """
    names = field_names(part)
    return {names[name]: value for name, value in options.items() if name in names}


def field_names(part: str) -> dict[str, str]:
    """The option of a part of the run, as the user knows it -> the field of the part's configuration."""
    return {option.name: option.field for option in declared()[Owner("part", part)]}


def options_in(config: RunConfig, names: Iterable[str]) -> dict[str, Any]:
    """The values that the options ``names`` have in ``config``; those that it does not hold are left out."""
    found: dict[str, Any] = {}
    for part in ("data", "task", "model", "training"):
        values: PartOfRun = getattr(config, part)
        known = {option: getattr(values, field) for option, field in field_names(part).items()}
        for key, own in values.own.items():
            known = declared_of(key, own) | known
        found |= {name: known[name] for name in names if name in known}
    return found


def declared_of(key: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``values`` that a user may set, without the sizes that the training data decided.

    Args:
        key: of a member, such as ``task.tag``.
        values: its part of ``config.json``.

    >>> declared_of("solved.linear_window", {"steps": 64, "method": "windows"})
    {}
    """
    names = {option.name for option in declared().get(Owner(*key.split(".", 1)), ())}
    return {name: value for name, value in values.items() if name in names}


def own_options(options: Mapping[str, Any], members: Iterable[Owner]) -> dict[str, dict[str, Any]]:
    """The options of each of ``members`` that declares any, with defaults for those that were not given.

    Args:
        options: the user's.
        members: the members of this run.

    Returns:
        the key of a member, such as ``task.tag`` -> its options.

    Raises:
        UsageError: a value is out of range or of another type.
    """
    found = {}
    for owner in members:
        names = {option.name for option in declared().get(owner, ())}
        if names:
            part: type[Part] = Registry(owner.kind).get(owner.name).Options
            values = {name: value for name, value in options.items() if name in names}
            found[owner.key] = part.check(values).model_dump(mode="json")
    return found


def reader_options(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The options of every reader for which the user gave any: later data may come in another format."""
    owners = {owner for name in options for owner in owners_of(name) if owner.kind == "reader"}
    return own_options(options, sorted(owners))


def refuse_idle(options: Mapping[str, Any], members: Collection[Owner], models: Collection[str] = ()) -> None:
    """Refuse an option that belongs only to members that this run does not have.

    Args:
        options: the user's.
        members: the members of this run.
        models: the names of its models, for the message: ``bigru`` has the member ``gru``.

    Raises:
        UsageError: such an option was given; the message says what it works with and what this run has.
    """
    for name in options:
        owners = owners_of(name)
        if not any(owner.kind == "part" or owner in members for owner in owners):
            works, has = _WORKS_WITH[owners[0].kind]
            kinds = {"layer", "cell"} if owners[0].kind in ("layer", "cell") else {owners[0].kind}
            here = sorted({member.name for member in members if member.kind in kinds})
            here = sorted(set(models)) or here if "layer" in kinds else here
            only = f"{named(name)} only works with {works.format(_quoted(owner.name for owner in owners))}"
            raise UsageError(f"{only}; {has.format(_quoted(here))}." if here else f"{only}.")


def _quoted(names: Iterable[str]) -> str:
    return " or ".join(repr(name) for name in names)
