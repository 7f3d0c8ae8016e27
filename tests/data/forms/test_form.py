"""A form of another package: everything that a new form needs is in its one class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from samples import sequences, training

from unrolled import registry
from unrolled.batch import MISSING, Discrete, Spec
from unrolled.data.batches.loader import Loader
from unrolled.data.encodings.encoding import Encoded, Encoding, Where
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms._division import by_row
from unrolled.data.forms._steps import StepPlans
from unrolled.data.forms.form import Division, Plans, form_of, known_form
from unrolled.data.plans.gather import gather_target
from unrolled.data.plans.segments import Segments
from unrolled.data.tables.sequences import Sequences
from unrolled.registry import register
from unrolled.tasks.task import Batching
from unrolled.training.plans import evaluation_plan


@dataclass(frozen=True, slots=True)
class Every:
    """One value for every ``stride``-th step; the values between them are not asked for."""

    name: ClassVar[str] = "every"
    continues: ClassVar[bool] = False
    predicts_next: ClassVar[bool] = False
    whole: ClassVar[bool] = False
    own_length: ClassVar[bool] = False
    writes: ClassVar[bool] = False
    horizon: ClassVar[int] = 0
    asks: ClassVar[str] = ""
    plans: ClassVar[Plans] = StepPlans(later=0)

    stride: int

    def prepare(self, target: Encoded, answer: Encoding, steps: np.ndarray, where: Where) -> Encoded:
        assert target.offsets is not None
        place = np.arange(len(target.values)) - np.repeat(target.offsets[:-1], target.lengths())
        return Encoded(np.where(place % self.stride == 0, target.values.astype(np.int64), MISSING), target.offsets)

    def gather(self, target: Encoded, segments: Segments, real: np.ndarray, spec: Spec) -> np.ndarray:
        return gather_target(target, segments, np.arange(real.shape[1]), real, isinstance(spec, Discrete))

    def hold_out(self, sequences: Sequences, share: float, seed: int, target: str) -> Division:
        return by_row(sequences, share, seed, target)


@pytest.fixture(autouse=True)
def another_form(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_registered", {})
    register("form", "every", Every)
    yield


def test_a_form_of_another_package_is_encoded_batched_and_kept() -> None:
    data = sequences({"x": [[1.0, 2.0, 3.0], [4.0]], "y": [list("aba"), ["b"]]}, {"x": "number", "y": "category"})
    coder = Preprocessor.fit(data, Roles(("x",), "y", Every(2)), Preparation())
    examples = coder.encode(data)
    (batch,) = Loader(examples, evaluation_plan(examples, Batching(), training({})))
    assert batch.target is not None
    by_length = dict(zip(batch.lengths.tolist(), batch.target.tolist(), strict=True))
    assert by_length == {1: [1, MISSING, MISSING], 3: [0, MISSING, 0]}
    assert Preprocessor.from_files(coder.to_files()).form == Every(2)


def test_a_name_that_is_no_form_is_refused() -> None:
    assert known_form("every") == "every"
    with pytest.raises(ValueError, match="unknown form 'evry'"):
        known_form("evry")


def test_a_form_without_its_number_is_refused() -> None:
    with pytest.raises(KeyError, match="stride"):
        form_of("every", {"horizon": 3})
