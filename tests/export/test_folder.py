"""The folder around a graph: its programs give the model's own answers, without this package."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from export_cases import CASES, PLAIN
from exported_programs import PROGRAMS, programs

import unrolled
from unrolled.decoding.beam import Beam, beam_search
from unrolled.decoding.ctc import CtcBeam, ctc_beam, ctc_greedy

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exported")


def exported(folders: Path, name: str) -> Path:
    rows, options = CASES[name]
    out = folders / name
    if not out.exists():
        unrolled.fit(rows, out=folders / f"{name}, run", **{**PLAIN, **options}).export(out)
    return out


@pytest.mark.parametrize("name", CASES)
def test_its_programs_answer_as_the_model_does(folders: Path, name: str) -> None:
    folder = exported(folders, name)
    example = json.loads((folder / "example.json").read_text("utf-8"))
    assert len(example["answers"]) == len(example["rows"]) == 3
    with programs(folder) as run:
        assert run.check(folder) <= 1e-5


def test_the_check_finds_what_differs(folders: Path) -> None:
    with programs(exported(folders, "labels")):
        from write_answers import same  # type: ignore[import-not-found]
    assert same({"a": [1.0, "x"]}, {"a": [1.0, "x"]}) == 0
    assert same({"a": [1.5]}, {"a": [2.0]}) == 0.25
    for found, wanted in (({"a": 1}, {"b": 1}), ([1], [1, 2]), ("x", "y"), (None, 1.0)):
        assert same(found, wanted) == math.inf


@pytest.fixture(scope="module")
def sources() -> Iterator[None]:
    """The modules of the programs, to be imported by tests."""
    with programs(PROGRAMS):
        yield


def test_its_searches_find_what_those_of_the_package_find(sources: None) -> None:
    import search_paths as search  # type: ignore[import-not-found]

    for seed, width in enumerate((1, 2, 3, 8) * 5):
        chances = torch.randn(6, 7, generator=torch.Generator().manual_seed(seed)).mul(2).log_softmax(-1)
        rule = {"beam": width, "longest": 5, "end": 2, "never": [0, 1], "begin": 1}

        def follow(ids: torch.Tensor, state: Any, chances: torch.Tensor = chances) -> tuple[torch.Tensor, Any]:
            return chances[ids % 6] + 0.1 * state, (3 * state + ids[:, None]) % 5  # depends on all ids so far

        state = torch.zeros(1, 1)

        def step(ids: list[int], rows: list[int], follow: Any = follow) -> np.ndarray:
            nonlocal state
            scores, state = follow(torch.tensor(ids), state[rows])
            return scores.log_softmax(-1).numpy()

        first, after = follow(torch.tensor([1]), torch.zeros(1, 1))
        settings = Beam(width=width, max_length=5)
        (found,) = beam_search(follow, after, first, end=2, settings=settings, banned=[0, 1])
        assert search.beam_search(step, rule) == found[0].ids
        frames = torch.randn(1, 9, 5, generator=torch.Generator().manual_seed(seed)).mul(3).log_softmax(-1)
        if width == 1:
            wanted = ctc_greedy(frames, torch.tensor([9]))[0]
        else:
            wanted = ctc_beam(frames, torch.tensor([9]), CtcBeam(width=width))[0][0].ids
        assert search.merged_search(frames[0].numpy(), width, 0) == wanted


def test_it_needs_only_numpy_and_onnxruntime(folders: Path) -> None:
    program = (
        "import sys, runpy; sys.path.insert(0, sys.argv[1]); import run; from pathlib import Path; "
        "print(run.check(Path(sys.argv[1]))); "
        "print([name for name in ('torch', 'unrolled', 'pyarrow', 'onnx') if name in sys.modules])"
    )
    folder = exported(folders, "a forecast with gaps")
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(folder)], capture_output=True, text=True, check=True
    )
    difference, foreign = done.stdout.splitlines()
    assert float(difference) <= 1e-5 and foreign == "[]"


def test_it_generates_what_the_model_would(folders: Path) -> None:
    folder = exported(folders, "characters")
    model = unrolled.load(folders / "characters, run")
    with programs(folder) as run:
        written = "".join(run.Model(folder).generate("The d", 12))
    assert written == "".join(model.generate("The d", length=12, temperature=0))


def test_bad_rows_are_refused_in_a_sentence(folders: Path) -> None:
    with programs(exported(folders, "labels")) as run:
        model = run.Model(exported(folders, "labels"))
        for row, message in (
            ({"x": [1.0]}, "column 'c' is missing; the row has x"),
            ({"x": ["one"], "c": "u"}, "column 'x': 'one' is not a number"),
            ({"x": [], "c": "u"}, "no row has a step"),
            ({"x": [1.0], "c": ["u"]}, "column 'c': expected one label"),
        ):
            with pytest.raises(run.Refused, match=message):
                list(model.predict([row]))
        assert list(model.predict([])) == []
