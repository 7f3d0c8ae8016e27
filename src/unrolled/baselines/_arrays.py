"""What a split asks, as flat arrays. Shared by the baselines.

Axes: R rows, N steps of all rows end to end, Q questions, K classes.
"""

from __future__ import annotations

import numpy as np

from unrolled.batch import MISSING, Continuous, Discrete
from unrolled.data.encodings.base import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.base import AsksValues
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
    """The target, which every baseline needs."""
    assert examples.target is not None, "baselines are scored on splits that have a target"
    return examples.target


def classes(examples: Examples) -> int:
    """K, the classes of a discrete target; 0 of a continuous one."""
    spec = examples.target_spec
    return spec.size if isinstance(spec, Discrete) else 0


def label_sets(examples: Examples) -> np.ndarray:
    """(R, K) bool: the labels of each row that asks for a set of them."""
    target = target_of(examples)
    sets = np.zeros((len(target.lengths()), classes(examples)), bool)
    known = target.values != MISSING
    sets[np.repeat(np.arange(len(sets)), target.lengths())[known], target.values[known]] = True
    return sets


def asked_values(examples: Examples) -> np.ndarray:
    """(Q,) int64: where in the target's values the known answers lie, of a form that asks for values one by one."""
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
    """The sequence that each row asks for, without ``<begin>`` and ``<end>``."""
    target = target_of(examples)
    assert target.offsets is not None
    framed = 1 if examples.form.writes else 0
    bounds = zip(target.offsets[:-1].tolist(), target.offsets[1:].tolist(), strict=True)
    return [target.values[start + framed : stop - framed].tolist() for start, stop in bounds]
