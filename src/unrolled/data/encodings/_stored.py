"""The JSON of encodings, validated on loading."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from unrolled.errors import ModelError

__all__ = ["Stored", "load"]


class Stored(BaseModel):
    """The base class of each encoding's JSON: unknown keys, type conversions and NaN are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


S = TypeVar("S", bound=Stored)


def load(model: type[S], config: dict[str, Any], kind: str) -> S:
    """Validate ``config`` as the JSON of an encoding of ``kind``.

    Raises:
        ModelError: a key is missing, unknown or has a wrong value.
    """
    try:
        return model.model_validate(config)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "top level"
        raise ModelError(f"the {kind} encoding of this model cannot be read at {name!r}: {first['msg']}") from None
