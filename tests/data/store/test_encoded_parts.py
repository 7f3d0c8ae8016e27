from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from samples import SAMPLES

from unrolled.data.encodings.encoding import Encoded
from unrolled.data.store import encoded_parts
from unrolled.data.store.encoded_parts import encoded_in_parts


def same(one: Encoded | None, other: Encoded | None) -> bool:
    """Whether two columns hold the same; nothing missing may be said in two ways."""
    if one is None or other is None:
        return one is other
    missing = [np.zeros(len(each.values), bool) if each.missing is None else each.missing for each in (one, other)]
    pairs = [(one.values, other.values), (one.offsets, other.offsets)]
    if one.missing is not None or other.missing is not None:
        pairs.append((missing[0].reshape(len(missing[0]), -1).any(1), missing[1].reshape(len(missing[1]), -1).any(1)))
    return all((a is None) == (b is None) and (a is None or a.tobytes() == b.tobytes()) for a, b in pairs)


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_encoded_in_parts_is_what_is_encoded_at_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = SAMPLES[name]
    coder = sample.ask().coder
    whole = encoded_in_parts(coder, sample.data, tmp_path / "whole")
    monkeypatch.setattr(encoded_parts, "LARGE", 0)
    monkeypatch.setattr(encoded_parts, "_PART", max(1, sample.data.table.nbytes // 3))
    parts = encoded_in_parts(coder, sample.data, tmp_path / "parts")
    assert parts.inputs.keys() == whole.inputs.keys()
    assert all(same(parts.inputs[name], column) for name, column in whole.inputs.items())
    assert same(parts.target, whole.target)
    assert (parts.naive is None) == (whole.naive is None)
    assert parts.own == whole.own
