"""C8, C10 and C11 over every registered encoding: what it fits, gives back, stores, answers and refuses.

A new encoding is met here unasked. If it recognises none of the columns below, add one that it does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from samples import ours
from sounds import samples, wav

from unrolled.data.encodings.encoding import ENCODINGS
from unrolled.data.media.pictures import to_png
from unrolled.errors import ModelError
from unrolled.testing.encodings import CONTRACTS
from unrolled.testing.sample_columns import SAMPLES, Sample


def picture(seed: int, height: int, width: int, channels: int) -> bytes:
    shape = (height, width, channels)
    return to_png(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


COLUMNS: dict[str, Sample] = {
    **SAMPLES,
    "sounds": Sample(
        pa.array([wav(samples(seed, count)) for seed, count in enumerate((2000, 900, 700))]),
        pa.array([wav(samples(3, 1500)), wav(samples(4, 2205, 11025), 11025)]),
    ),
    "grey pictures": Sample(
        pa.array([picture(n, 4, 6, 1) for n in range(3)]),
        pa.array([picture(3, 9, 5, 3)]),
    ),
    "pictures": Sample(
        pa.array([picture(n, 5, 3, 3) for n in range(3)]),
        pa.array([picture(3, 5, 3, 1)]),
    ),
    "clips": Sample(
        pa.array([[picture(0, 2, 3, 1), picture(1, 2, 3, 1)], [], [picture(2, 2, 3, 1)]]),
        pa.array([[picture(3, 5, 5, 3)], []]),
    ),
}
PAIRS = [
    pytest.param(ENCODINGS.get(kind), sample, id=f"{kind}-{name}")
    for kind in ENCODINGS.names()
    for name, sample in COLUMNS.items()
    if ENCODINGS.get(kind).recognises(pa.chunked_array([sample.train])) >= 50
]


def test_every_encoding_has_a_column_here() -> None:
    met = {pair.values[0].kind for pair in PAIRS}
    assert met >= ours("encoding"), "an encoding recognises no column of COLUMNS: add one for it"


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize(("kind", "sample"), PAIRS)
def test_an_encoding(kind: Any, sample: Sample, contract: Any) -> None:
    contract(kind, sample)


@pytest.mark.parametrize("kind", ENCODINGS.names())
def test_a_config_that_is_not_its_own_is_refused_by_name(kind: str) -> None:
    with pytest.raises(ModelError, match=f"the {kind} encoding of this model cannot be read"):
        ENCODINGS.get(kind).from_config({"class_path": "os.system"})
