"""``--config file.yaml``: the options of a run in a file, read as data only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unrolled.errors import UsageError

__all__ = ["numbers", "read_settings", "split_list", "split_pairs"]

_LARGEST = 1 << 20  # bytes; a file of options has a few hundred
_DEEPEST = 16  # levels; parsing time grows with the square of the depth


def read_settings(path: str) -> dict[str, Any]:
    """The options in a YAML file, by name; a dash in a name is an underscore.

    Raises:
        UsageError: the file is missing, too large, or not a YAML mapping; or it holds an alias, with which a few lines
            could expand to gigabytes.
    """
    import yaml

    try:
        with Path(path).open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"--config {path}: cannot be read: {error.strerror}") from None
    if len(data) > _LARGEST:
        raise UsageError(f"--config {path}: is larger than the limit of {_LARGEST} bytes")
    try:
        depth = 0
        for event in yaml.parse(data, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise UsageError(f"--config {path}: has an alias (*name), which is not allowed: write the value out")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise UsageError(f"--config {path}: is nested deeper than {_DEEPEST} levels, which is the limit")
        values = yaml.safe_load(data)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or "cannot be read"
        raise UsageError(f"--config {path}{line}: is not YAML: {reason}") from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise UsageError(f"--config {path}: expected lines such as 'hidden: 256'")
    return {name.replace("-", "_"): value for name, value in values.items()}


def split_list(text: str) -> list[str]:
    """``a,b`` as a list; blanks around a name are dropped.

    >>> split_list("load, price")
    ['load', 'price']
    """
    return [part.strip() for part in text.split(",") if part.strip()]


def split_pairs(pairs: tuple[str, ...], flag: str, form: str = "column=kind, such as age=number") -> dict[str, str]:
    """``("a=b", "c=d")`` as a dict; a name may hold ``=``, a value may not.

    Raises:
        UsageError: one has no ``=``.
    """
    for pair in pairs:
        if "=" not in pair[1:]:
            raise UsageError(f"{flag} {pair}: expected {form}")
    return {name: value for name, _, value in (pair.rpartition("=") for pair in pairs)}


def numbers(text: str, flag: str) -> list[float]:
    """``0.1,0.5`` as numbers.

    Raises:
        UsageError: one is not a number.
    """
    try:
        return [float(part) for part in split_list(text)]
    except ValueError:
        raise UsageError(f"{flag} {text}: expected numbers with commas between them, such as 0.1,0.5,0.9") from None
