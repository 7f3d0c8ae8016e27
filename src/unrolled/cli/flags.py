"""The flags of ``fit``, made from the options as their owners declare them (see `unrolled.declarations`).

On the command line a list is one text with commas (``--target a,b``), and a mapping is ``name=value``, which may be
repeated; both are parsed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, make_dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from cyclopts import Group, Parameter

from unrolled.cli.settings import numbers, split_list, split_pairs
from unrolled.declarations import Option, Owner, declared, unknown_option
from unrolled.errors import named
from unrolled.runs.choices import kind_names, model_names, task_names

__all__ = ["Flags", "RunFlags", "class_of_flags", "flags_of", "options_of", "settings_of"]

_GROUPS = {  # group in --help -> owners of its options: parts of a run, or kinds of members
    "Data": ("data", "reader", "encoding"),
    "Task": ("task", "metric", "baseline"),
    "Model": ("model", "layer", "cell"),
    "Training": ("training",),
}
_NAMES = {"kinds": kind_names, "task": task_names, "model": model_names}  # options whose values are members


@Parameter(name="*", group=Group("Run", sort_key=5))
@dataclass(frozen=True, kw_only=True)
class RunFlags:
    """Where the run is written, and whether a stopped one is resumed."""

    out: str | None = None
    """The run directory. Default: the next free `runs/<name>-<n>`."""
    resume: bool = False
    """Resume a run that was stopped: unrolled fit --resume runs/x"""
    go_on: bool = False
    """Start the run in --out, or resume it, or say that it is finished: one command for schedulers to repeat."""
    overwrite: bool = False
    """Replace the run in --out."""
    cache: str | None = None
    """A folder to keep the prepared data in, so that the next run does not read the source again. Default: large data
    is kept in the run until it is finished."""
    config: str | None = None
    """A YAML file with any of these options; flags take precedence."""
    tensorboard: bool = False
    """Write TensorBoard files into the run as well."""


def _flags() -> type:
    made: dict[str, Any] = {}
    everyone = declared()  # once: each call lists the folders of members
    for order, (title, kinds) in enumerate(_GROUPS.items(), 1):
        within = {o: one for o, one in everyone.items() if (o.name if o.kind == "part" else o.kind) in kinds}
        for name, flag in flags_of(within, Group(title, sort_key=order), everyone).items():
            made.setdefault(name, flag)
    return class_of_flags("Flags", made, __name__)


def flags_of(
    asked: Mapping[Owner, Sequence[Option]], group: Group, everyone: Mapping[Owner, Sequence[Option]] | None = None
) -> dict[str, Any]:
    """The type of each flag of the options ``asked`` for, by name; ``everyone`` may share them."""
    owners: dict[str, list[Owner]] = {}
    for owner, options in (asked if everyone is None else everyone).items():
        for option in options:
            owners.setdefault(option.name, []).append(owner)
    found: dict[str, Any] = {}
    for options in asked.values():
        for option in options:
            found.setdefault(option.name, _flag(option, owners[option.name], group))
    return found


def class_of_flags(title: str, made: Mapping[str, Any], module: str) -> type:
    """A class with the flags ``made`` for a verb in ``module``; cyclopts would take that of another for a value."""
    flags = make_dataclass(title, [(name, type_, None) for name, type_ in made.items()], frozen=True, kw_only=True)
    flags.__module__ = module
    return flags


def _flag(option: Option, owners: list[Owner], group: Group) -> Any:
    negative = f"--no-{option.name.replace('_', '-')}" if option.type == bool | None or option.default is True else ()
    return Annotated[_written(option.type), Parameter(help=_help(option, owners), group=group, negative=negative)]


def _written(type_: Any) -> Any:
    """The type of a flag that holds a value of ``type_`` or nothing."""
    if get_origin(type_) is dict:
        return tuple[str, ...] | None
    if get_origin(type_) is tuple or str in get_args(type_):
        return str | None
    return type_ | None


def _help(option: Option, owners: list[Owner]) -> str:
    names = f" One of: {', '.join(_NAMES[option.name]())}." if option.name in _NAMES else ""
    default = option.default
    plain = isinstance(default, str | int | float) and not isinstance(default, bool) and "Default:" not in option.help
    shown = (
        f" Default: {default:g}." if plain and isinstance(default, float) else f" Default: {default}." if plain else ""
    )
    whose = "" if any(owner.kind == "part" for owner in owners) else f"({', '.join(owner.name for owner in owners)}) "
    return f"{whose}{option.help}{names}{shown}"


if TYPE_CHECKING:
    Flags = Any
else:
    Flags = Parameter(name="*")(_flags())


def options_of(flags: Flags) -> dict[str, Any]:
    """The options that were given, as `unrolled.api.fit` takes them.

    Raises:
        UsageError: a list or a mapping cannot be parsed.
    """
    given = {field.name: getattr(flags, field.name) for field in fields(flags)}
    return {name: _parsed(name, value) for name, value in given.items() if value is not None}


def settings_of(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options in a file: those of `RunFlags`, and the others as `options_of` has them.

    Raises:
        UsageError: an option is unknown, or a list or a mapping cannot be parsed.
    """
    run = {field.name for field in fields(RunFlags)} - {"config"}
    known = {field.name for field in fields(Flags)}
    for name in values:
        if name not in run | known:
            raise unknown_option(name, run)
    own = {name: value for name, value in values.items() if name in run}
    return own, {name: _parsed(name, value) for name, value in values.items() if name not in run}


def _parsed(name: str, value: Any) -> Any:
    type_ = next(option.type for options in declared().values() for option in options if option.name == name)
    if get_origin(type_) is tuple and isinstance(value, str):
        return numbers(value, named(name)) if float in get_args(type_) else split_list(value)
    if get_origin(type_) is dict and not isinstance(value, dict):
        return split_pairs((value,) if isinstance(value, str) else tuple(value), named(name))
    return value
