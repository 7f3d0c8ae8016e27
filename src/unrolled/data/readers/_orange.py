"""The two rows below the header with which Orange says what the columns of its tables are, and what they are for."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["says_kinds_and_roles"]

_KIND = re.compile(r"c|d|s|t|continuous|discrete|string|time")
_ROLE = re.compile(r"|(?:class|meta|m|i|ignore|weight)?(?: ?type=\S+)?")


def says_kinds_and_roles(rows: Sequence[Sequence[str]]) -> list[str]:
    """The role of each column if the second and the third of ``rows`` are such rows, else nothing.

    A kind may also be a list of labels, or empty.

    Example:
        >>> says_kinds_and_roles([["age", "who"], ["c", "d"], ["", "class"], ["3", "a"]])
        ['', 'class']
        >>> says_kinds_and_roles([["age", "who"], ["3", "d"], ["4", "a"], ["3", "a"]])
        []
    """
    if len(rows) < 4:
        return []
    kinds, roles = rows[1], [role.strip() for role in rows[2]]
    known = [_KIND.fullmatch(kind) is not None for kind in kinds]
    fits = all(one or not kind or " " in kind for one, kind in zip(known, kinds, strict=True))
    return roles if any(known) and fits and len(roles) == len(kinds) and all(map(_ROLE.fullmatch, roles)) else []
