"""One vocabulary for the input texts and the target texts (option ``shared``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa

from unrolled.data.encodings.encoding import ENCODINGS, Encoding, Role, has_time, traits_of
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.roles import Roles
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError

__all__ = ["one_vocabulary"]


def one_vocabulary(
    train: Sequences, roles: Roles, kinds: Mapping[str, str], preparation: Preparation, role: Role
) -> tuple[str, Encoding, Encoding]:
    """Learn one vocabulary from a text input and the target: the input's name, its encoding and the target's.

    Args:
        train: the training split.
        roles: which column plays which part.
        kinds: column name -> kind.
        preparation: how the columns are encoded.
        role: the role of the target.

    Raises:
        DataError: there is not exactly one text input, or one of the two columns holds texts and the other lists.
    """
    names = [name for name in roles.inputs if traits_of(kinds[name]).verbatim]
    lists = {has_time(train.column(name).type) for name in (*names, roles.target)}
    if len(names) != 1 or not traits_of(kinds[roles.target]).verbatim or len(lists) > 1:
        raise DataError(
            "a shared vocabulary needs one text input and a text target, both of them texts or both lists",
            file=train.origin,
            column=roles.target,
        )
    both = [
        array.cast(pa.large_list(pa.large_string()) if lists == {True} else pa.large_string())
        for array in map(train.column, (names[0], roles.target))
    ]
    column = pa.chunked_array([chunk for array in both for chunk in array.chunks])
    kind = kinds[roles.target]
    options, where = preparation.of(kind), train.where(names[0])
    read = ENCODINGS.get(kind).fit(column, options, replace(role, framed=False), where)
    return names[0], read, read.reused(options, role)
