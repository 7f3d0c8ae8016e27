"""Every message that the server reads or writes, and nothing else: this file says what is accepted."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from unrolled.serving.refusals import Refused

__all__ = ["Step", "decoded", "encoded", "read_step", "read_steps"]

Number = Annotated[int, Meta(ge=1)]


class Step(Struct, forbid_unknown_fields=True):
    """Steps of one session.

    Attributes:
        n: the number of the first of them, from 1; ``None``: the next one.
        x: the value of a step, as `Session.push` takes it.
        xs: the values of several steps, in place of ``x``.
    """

    n: Number | None = None
    x: Any = UNSET
    xs: Annotated[list[Any], Meta(min_length=1)] | UnsetType = UNSET

    @property
    def several(self) -> bool:
        """Whether they came as a list."""
        return self.xs is not UNSET

    @property
    def values(self) -> list[Any]:
        """The values, one a step."""
        return [self.x] if self.xs is UNSET else self.xs


_one = msgspec.json.Decoder(Step)
_many = msgspec.json.Decoder(list[tuple[str, Number | None, Any]])
_encoder = msgspec.json.Encoder(enc_hook=str)  # such as a date


def read_step(text: str | bytes, *, steps: int, depth: int) -> Step:
    """A message of one session.

    Args:
        text: JSON.
        steps: the most steps that it may hold.
        depth: the most brackets within brackets in a value.

    Raises:
        Refused: it is not such a message.

    Example:
        >>> read_step('{"n": 1, "x": 2.5}', steps=256, depth=16).values
        [2.5]
    """
    step: Step = decoded(_one, text)
    if (step.x is UNSET) == (step.xs is UNSET):
        raise Refused("BadRequest", 'a message has either "x", the value of a step, or "xs", a list of them')
    if len(step.values) > steps:
        raise Refused("TooLarge", f"a message has at most {steps} steps, this one {len(step.values)}")
    if any(_deep(value, depth) for value in step.values):
        raise _too_deep(depth)
    return step


def read_steps(text: str | bytes, *, steps: int, depth: int) -> list[tuple[str, int | None, Any]]:
    """A message of many sessions: for each step the session, the number of the step (or null) and its value.

    Args:
        text: JSON, such as ``[["id", 1, 2.5], ["other", null, 3]]``.
        steps, depth: as for `read_step`.

    Raises:
        Refused: it is not such a message.
    """
    found: list[tuple[str, int | None, Any]] = decoded(_many, text)
    if len(found) > steps:
        raise Refused("TooLarge", f"a message has at most {steps} steps, this one {len(found)}")
    if any(_deep(value, depth) for _, _, value in found):
        raise _too_deep(depth)
    return found


def encoded(answer: Any) -> bytes:
    """An answer as JSON; numbers that JSON does not have are null."""
    return _encoder.encode(answer)


def decoded(decoder: msgspec.json.Decoder[Any], text: str | bytes | memoryview) -> Any:
    """A message, by the decoder of its form.

    Raises:
        Refused: it has another form, or is not JSON.
    """
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise Refused("BadRequest", f"the message cannot be read: {str(error)[:200]}") from None


def _too_deep(depth: int) -> Refused:
    return Refused("BadRequest", f"a value has more than {depth} brackets within brackets")


def _deep(value: Any, left: int) -> bool:
    """Whether a value has more than ``left`` levels of brackets."""
    if type(value) is dict:
        value = value.values()
    elif type(value) is not list:
        return False
    if not left:
        return True
    for inner in value:  # noqa: SIM110 - a generator would take twice as long, and every message comes through here
        if type(inner) in (dict, list) and _deep(inner, left - 1):
            return True
    return False
