"""How a part of a run, or a member, declares its options: a frozen model with one line for each."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unrolled.errors import UsageError, named
from unrolled.registry import Registry

__all__ = ["Part", "PartOfRun", "default_options", "made", "option", "options_of"]


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
    """The base of every set of options: frozen, without unknown keys, and with errors that a user understands."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def check(cls, values: Mapping[str, Any]) -> Self:
        """Build from a user's values.

        Raises:
            UsageError: an unknown name, or a value that is out of range or of another type.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name, *inside = (str(part) for part in first["loc"]) if first["loc"] else ("",)
            if first["type"] == "extra_forbidden":
                near = difflib.get_close_matches(name, cls.model_fields, n=1)
                guess = f". Did you mean {named(near[0])}?" if near else f"; known are {_listed(cls)}"
                raise UsageError(f"unknown option {named(name)}{guess}") from None
            wanted = first["msg"].removeprefix("Value error, ")  # the message of a validator of this package
            if not name:  # a validator of the whole set, which names the options itself
                raise UsageError(wanted) from None
            if first["type"] == "string_pattern_mismatch":  # a pattern tells a user nothing
                wanted = f"write it like {' or '.join(cls.model_fields[name].examples or ())}"
            place = f"{named(name)}[{inside[0]}]" if inside else named(name)
            raise UsageError(f"{place} = {first['input']!r}: {wanted}") from None


class PartOfRun(Part):
    """A part of a run: the options that every run has, and those of the members that this run has in that part.

    Attributes:
        own: key of a member, such as ``task.tag`` -> its own options; a member that is missing has its defaults.
    """

    own: dict[str, dict[str, Any]] = {}

    def of(self, kind: str, name: str) -> Any:
        """The options of a member: an instance of the class ``Options`` that it declares.

        Raises:
            UsageError: there is no such member, or ``own`` holds what it does not declare.
        """
        return options_of(self.own, kind, name)


def options_of(own: Mapping[str, Mapping[str, Any]], kind: str, name: str) -> Any:
    """The options of a member, from those of all members of a part; a member that declares none has a plain `Part`.

    Raises:
        UsageError: there is no such member, or ``own`` holds what it does not declare.
    """
    declared: type[Part] = getattr(Registry(kind).get(name), "Options", Part)
    return declared.check(own.get(f"{kind}.{name}", {}))


def default_options(member: Any) -> Part:
    """The options of a member where the user gives none."""
    declared: type[Part] = getattr(member, "Options", Part)
    return declared()


def made(member: Any, *arguments: Any, options: Part) -> Any:
    """What a member's class or function makes of ``arguments``, and of its options if it declares any."""
    return member(*arguments, options) if type(options).model_fields else member(*arguments)


def _listed(part: type[Part]) -> str:
    return ", ".join(named(name) for name in sorted(part.model_fields)) or "none"
