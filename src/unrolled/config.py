"""Declaring the options of a part of a run, or of a member: a frozen pydantic model, one line per option."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unrolled.errors import UsageError, named
from unrolled.registry import Registry

__all__ = ["Part", "PartOfRun", "default_options", "made", "option", "options_of"]

_REQUIRED = "Input should be "
_WORDING = {  # pydantic's words -> those of a user; longer ones first
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "above",
    "less than": "below",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
    "a valid string": "a text",
}


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
    """Declare an option of a `Part`, with literals only, so that the command line can read it without an import.

    Args:
        default: the default value; ``None`` if it is chosen later.
        text: what the option does, in one sentence; a second one describes a default that is chosen later.
        also: its names in other libraries, for "did you mean".
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
    """The base class of every set of options: frozen, without unknown keys, and with readable errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def check(cls, values: Mapping[str, Any]) -> Self:
        """Build the options from a user's values.

        Raises:
            UsageError: a name is unknown, or a value is out of range or of a wrong type.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name, *inside = (str(part) for part in first["loc"]) if first["loc"] else ("",)
            if first["type"] == "extra_forbidden":
                near = difflib.get_close_matches(name, cls.model_fields, n=1)
                guess = f". Did you mean {named(near[0])}?" if near else f"; known options: {_listed(cls)}"
                raise UsageError(f"unknown option {named(name)}{guess}") from None
            wanted = first["msg"].removeprefix("Value error, ")  # a validator of this package raised it
            if not name:  # a validator of the whole set, which names the options itself
                raise UsageError(wanted) from None
            if first["type"] == "string_pattern_mismatch":  # a regular expression does not help a user
                wanted = f"write it like {' or '.join(cls.model_fields[name].examples or ())}"
            place = f"{named(name)}[{inside[0]}]" if inside else named(name)
            if wanted.startswith(_REQUIRED):
                raise UsageError(f"{place} must be {_plain(wanted)}, got {first['input']!r}") from None
            raise UsageError(f"{place} = {first['input']!r}: {wanted}") from None


class PartOfRun(Part):
    """A part of a run: the options that every run has, and those of the members that this run has in that part.

    Attributes:
        own: key of a member, such as ``task.tag`` -> its options; a missing member has its defaults.
    """

    own: dict[str, dict[str, Any]] = {}

    def of(self, kind: str, name: str) -> Any:
        """The options of a member: an instance of the class ``Options`` that it declares.

        Raises:
            UsageError: there is no such member, or ``own`` has options that it does not declare.
        """
        return options_of(self.own, kind, name)


def options_of(own: Mapping[str, Mapping[str, Any]], kind: str, name: str) -> Any:
    """The options of a member, from ``own``, those of all members of a part; an empty `Part` if it declares none.

    Raises:
        UsageError: there is no such member, or ``own`` has options that it does not declare.
    """
    declared: type[Part] = getattr(Registry(kind).get(name), "Options", Part)
    return declared.check(own.get(f"{kind}.{name}", {}))


def default_options(member: Any) -> Part:
    """The default options of a member."""
    declared: type[Part] = getattr(member, "Options", Part)
    return declared()


def made(member: Any, *arguments: Any, options: Part) -> Any:
    """Call the class or function of a member with ``arguments``, and with its options if it declares any."""
    return member(*arguments, options) if type(options).model_fields else member(*arguments)


def _plain(requirement: str) -> str:
    """What pydantic requires of a value, in the words of other messages.

    >>> _plain("Input should be greater than or equal to 1")
    'at least 1'
    """
    plain = requirement.removeprefix(_REQUIRED).partition(", unable to ")[0].partition(", got ")[0]
    for theirs, ours in _WORDING.items():
        plain = plain.replace(theirs, ours)
    return plain


def _listed(part: type[Part]) -> str:
    return ", ".join(named(name) for name in sorted(part.model_fields)) or "none"
