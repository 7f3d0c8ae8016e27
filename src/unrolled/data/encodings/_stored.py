"""What an encoding reads back from a file, checked before it is believed."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from unrolled.errors import ModelError

__all__ = ["Stored", "load"]


class Stored(BaseModel):
    """The base of each encoding's JSON: no unknown keys, no conversions, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


S = TypeVar("S", bound=Stored)


def load(model: type[S], config: dict[str, Any], kind: str) -> S:
    """The values of ``config``.

    Raises:
        ModelError: they are not what an encoding of ``kind`` writes.
    """
    try:
        return model.model_validate(config)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "its top"
        raise ModelError(f"the {kind} encoding of this model cannot be read at {name!r}: {first['msg']}") from None
