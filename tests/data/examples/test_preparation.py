from __future__ import annotations

from unrolled.data.config import DataConfig
from unrolled.data.encodings.encoding import ENCODINGS
from unrolled.data.encodings.number import Number
from unrolled.data.examples.preparation import Preparation
from unrolled.declarations import Owner
from unrolled.runs.options import own_options


def test_a_kind_that_the_user_said_nothing_of_has_its_defaults() -> None:
    said = Number.Options(missing="impute")
    preparation = Preparation({"number": said})
    assert preparation.of("number") is said
    for kind in ENCODINGS.names():
        assert Preparation().of(kind) == ENCODINGS.get(kind).Options()


def test_each_kind_takes_its_own_options_from_those_of_the_data() -> None:
    asked = {"min_count": 3, "both_strands": True, "kmer": 4, "missing": "impute", "image_size": "32"}
    data = DataConfig(own=own_options(asked, [Owner("encoding", kind) for kind in ENCODINGS.names()]))
    found = {kind: data.of("encoding", kind) for kind in ENCODINGS.names()}
    assert found["tokens"].model_dump(exclude_defaults=True) == {"min_count": 3}
    assert found["symbols"].model_dump(exclude_defaults=True) == {"kmer": 4, "both_strands": True}
    assert found["series"].model_dump(exclude_defaults=True) == {"missing": "impute"}
    assert found["video"].model_dump(exclude_defaults=True) == {"image_size": "32"}
