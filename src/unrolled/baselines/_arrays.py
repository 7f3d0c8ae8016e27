"""Targets of a split as flat arrays, shared by the baselines. A question is one target to predict.

Axes: R rows, N steps of all rows end to end, Q questions, K classes.
"""

from __future__ import annotations

import numpy as np

from unrolled.batch import MISSING, Continuous, Discrete
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.form import AsksValues
from unrolled.data.forms.next import Next

__all__ = [
    "asked_values",
    "classes",
    "is_several_hot",
    "label_sets",
    "target_of",
    "written_rows",
]

_CHUNK = 1 << 20


def target_of(examples: Examples) -> Encoded:
    """The target column of a split."""
    assert examples.target is not None, "baselines need a split with a target"
    return examples.target


def classes(examples: Examples) -> int:
    """K, the number of classes of a discrete target; 0 for a continuous one."""
    spec = examples.target_spec
    return spec.size if isinstance(spec, Discrete) else 0


def label_sets(examples: Examples) -> np.ndarray:
    """(R, K) bool: the labels of each row, for targets that are sets of labels."""
    target = target_of(examples)
    sets = np.zeros((len(target.lengths()), classes(examples)), bool)
    known = target.values != MISSING
    sets[np.repeat(np.arange(len(sets)), target.lengths())[known], target.values[known]] = True
    return sets


def asked_values(examples: Examples) -> np.ndarray:
    """(Q,) int64: the positions of the known targets in the target's values, for forms that predict single values."""
    assert isinstance(examples.form, AsksValues)
    return examples.form.asked(target_of(examples), examples.first, classes(examples) > 0)


def is_several_hot(examples: Examples) -> bool:
    """True for the next step of channels that are all 0 or 1 (or missing), such as the keys of a piano."""
    if not isinstance(examples.form, Next) or not isinstance(examples.target_spec, Continuous):
        return False
    values = target_of(examples).values
    chunks = (values[at : at + _CHUNK] for at in range(0, len(values), _CHUNK))
    return all(bool(((chunk == 0) | (chunk == 1) | np.isnan(chunk)).all()) for chunk in chunks)


def written_rows(examples: Examples) -> list[list[int]]:
    """The target sequence of each row, without ``<begin>`` and ``<end>``."""
    target = target_of(examples)
    assert target.offsets is not None
    framed = 1 if examples.form.writes else 0
    bounds = zip(target.offsets[:-1].tolist(), target.offsets[1:].tolist(), strict=True)
    return [target.values[start + framed : stop - framed].tolist() for start, stop in bounds]
