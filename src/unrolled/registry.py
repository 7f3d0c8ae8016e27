"""A member's name is its file's name.

A folder is a registry: each file in it that has a line ``MEMBER = …`` is a member. Names are found by reading the
folder, without importing anything; a member is imported when it is asked for. Nothing else is edited to add one, and
no configuration can name a class.
"""

from __future__ import annotations

import functools
import importlib
import re
from pathlib import Path
from typing import Any

from unrolled.errors import UsageError, did_you_mean

__all__ = ["Registry"]

_PACKAGE_ROOT = Path(__file__).parent
_MEMBER_LINE = re.compile(r"^MEMBER\b.*=", re.MULTILINE)


class Registry:
    """The members of one folder of the package.

    Args:
        folder: path below the package, such as ``"cells"`` or ``"data/readers"``.
        noun: what to call a member in messages, such as ``"cell"``.

    Example:
        >>> "lstm" in Registry("cells", "cell").names()
        True
    """

    def __init__(self, folder: str, noun: str) -> None:
        self.folder, self.noun = folder, noun

    def names(self) -> list[str]:
        """The members' names in alphabetical order; imports nothing."""
        return list(_names(self.folder))

    def __contains__(self, name: object) -> bool:
        return name in _names(self.folder)

    def get(self, name: str) -> Any:
        """The member called ``name``.

        Raises:
            UsageError: there is none; the message suggests the nearest name.
        """
        if name not in self:
            raise UsageError(f"there is no {self.noun} {name!r}.{did_you_mean(name, self.names())}")
        module = importlib.import_module(f"unrolled.{self.folder.replace('/', '.')}.{name}")
        return module.MEMBER

    def members(self) -> dict[str, Any]:
        """Every member by name; imports them all."""
        return {name: self.get(name) for name in self.names()}


@functools.cache
def _names(folder: str) -> tuple[str, ...]:
    files = sorted((_PACKAGE_ROOT / folder).glob("[a-z]*.py"))
    return tuple(file.stem for file in files if _MEMBER_LINE.search(file.read_text("utf-8")))
