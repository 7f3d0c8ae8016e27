"""Side sequences: the columns of a row whose steps are not those of its main sequence, such as a title beside a body.

The steps of the main sequence are those that are answered: the target's, or the past of what is continued. Where a row
has one answer, the main sequence is the longest one. A list with one value for each of its steps, in every training
row, is read along with it. Every other list, and every other text, is a side sequence. So a text is never aligned with
another column because both happen to have the same number of words.

Axes: R rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.batch import Side
from unrolled.data.encodings._cells import plain
from unrolled.data.encodings.encoding import Encoding, has_time
from unrolled.data.examples.known_future import steps_of
from unrolled.data.tables.agreement import meant_to_agree
from unrolled.data.tables.sequences import Sequences

__all__ = ["side_sequences"]

_WORD = 6  # letters, with the blank
_FEW = 256  # rows that are looked at first; most columns that do not agree differ among these already


def side_sequences(
    train: Sequences,
    inputs: Mapping[str, Encoding],
    answered: tuple[str, Encoding] | None = None,
    joined: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Side]:
    """The side sequence of each input column that belongs to one.

    Args:
        train: the training split.
        inputs: the input columns that have steps, with their encodings.
        answered: the column whose steps are answered, which may be an input; ``None`` where a row has one answer.
        joined: a column that several were joined into -> one of these, which has its steps.

    Example:
        >>> import pyarrow as pa
        >>> from unrolled.data.encodings.tokens import Tokens
        >>> from unrolled.data.encodings.encoding import Role
        >>> table = {"title": ["so", "no"], "body": ["so it goes", "it does not"]}
        >>> train = Sequences(pa.table(table), dict.fromkeys(table, "tokens"))
        >>> words = {n: Tokens.fit(train.column(n), Tokens.Options(), Role(), train.where(n)) for n in table}
        >>> side_sequences(train, words)
        {'title': Side(axis='title', ordered=True)}
    """
    if len(inputs) < 2 and (answered is None or answered[0] in inputs):
        return {}
    steps = _Steps(train, {**inputs, **dict([answered] if answered else [])}, joined)
    groups = [] if answered is None else [[answered[0]]]
    for name in inputs:
        if answered and name == answered[0]:
            continue
        fitting = (
            group for group in groups if steps.agree(group[0], name, answered is not None and group is groups[0])
        )
        group = next(fitting, None)
        if group is None:
            groups.append([name])
        else:
            group.append(name)
    sets = [group for group in groups[answered is not None :] if len(group) == 1 and steps.is_set(group[0])]
    if answered:
        main = groups[0]
        if not inputs.keys() & {*main}:  # nothing is read step by step: the check of the lengths says so
            return {}
    else:
        main = max([group for group in groups if group not in sets] or groups, key=lambda group: steps.total(group[0]))
    return {name: Side(group[0], ordered=group not in sets) for group in groups if group is not main for name in group}


class _Steps:
    """The steps of each row of a training split, for each column with steps."""

    def __init__(self, train: Sequences, encodings: Mapping[str, Encoding], joined: Mapping[str, str]) -> None:
        self._train, self._encodings, self._joined = train, encodings, joined
        self._known: dict[tuple[str, bool], np.ndarray] = {}

    def agree(self, one: str, other: str, answered: bool) -> bool:
        """Whether ``other`` has a value for each step of ``one``; a text only where these steps are ``answered``."""
        if not (self._is_text(one) or self._is_text(other)):
            return meant_to_agree(self._all(one), self._all(other))
        if not answered or (self._few(one) != self._few(other)).any():
            return False
        return bool((self._all(one) == self._all(other)).all())

    def is_set(self, name: str) -> bool:
        """Whether a column holds lists of labels, without any label twice in a row."""
        encoding = self._encodings[name]
        if not encoding.traits.labels:
            return False
        encoded = encoding.encode(self._column(name), self._train.where(name))
        return bool((encoded.sets().lengths() == encoded.lengths()).all())

    def total(self, name: str) -> float:
        """The steps of the first rows together; of texts about the words, so that a code is shorter than a name."""
        if not self._is_text(name):
            return float(self._few(name).sum())
        letters = pc.sum(pc.utf8_length(plain(self._column(name).slice(0, _FEW)))).as_py() or 0
        return float(letters / _WORD)

    def _is_text(self, name: str) -> bool:
        return self._encodings[name].traits.verbatim and not has_time(self._column(name).type)

    def _column(self, name: str) -> pa.ChunkedArray:
        return self._train.column(self._joined.get(name, name))

    def _few(self, name: str) -> np.ndarray:
        return self._lengths(name, True)

    def _all(self, name: str) -> np.ndarray:
        return self._lengths(name, False)

    def _lengths(self, name: str, few: bool) -> np.ndarray:
        """(R,) int64: the steps of each row, or of the first few."""
        if (name, few) not in self._known:
            array, encoding = self._column(name), self._encodings[name]
            array = array.slice(0, _FEW) if few else array
            if has_time(array.type) and not encoding.traits.whole:
                steps = steps_of(array)
            else:
                steps = encoding.encode(array, self._train.where(name)).lengths()
            self._known[name, few] = steps
        return self._known[name, few]
