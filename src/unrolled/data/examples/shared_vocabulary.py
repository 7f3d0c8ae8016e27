"""One vocabulary for the texts that are read and those that are written (``--shared``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa

from unrolled.data.encodings.base import ENCODINGS, Encoding, Role, has_time, traits_of
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.roles import Roles
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError

__all__ = ["one_vocabulary"]


def one_vocabulary(
    train: Sequences, roles: Roles, kinds: Mapping[str, str], preparation: Preparation, role: Role
) -> tuple[str, Encoding, Encoding]:
    """The column that is read, its encoding and the target's, which were learned from both of them together.

    Args:
        train: the training split.
        roles: who is who among its columns.
        kinds: column name -> kind.
        preparation: how they are encoded.
        role: the target's.

    Raises:
        DataError: not one column of texts is read, or the two are of different forms.
    """
    names = [name for name in roles.inputs if traits_of(kinds[name]).verbatim]
    lists = {has_time(train.column(name).type) for name in (*names, roles.target)}
    if len(names) != 1 or not traits_of(kinds[roles.target]).verbatim or len(lists) > 1:
        raise DataError(
            "a shared vocabulary needs one column of texts to read beside those to write, both texts or both lists",
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
