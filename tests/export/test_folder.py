"""The folder around a graph: its programs give the model's own answers, without this package."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from export_cases import CASES, PLAIN, TEXTS
from hypothesis import given, settings
from hypothesis import strategies as st

import unrolled
from unrolled.data.encodings._words import split_words
from unrolled.data.encodings._written_words import split_written
from unrolled.data.encodings.category import Category
from unrolled.data.encodings.encoding import Role, Where
from unrolled.data.encodings.tokens import Tokens
from unrolled.decoding.beam import Beam, beam_search
from unrolled.decoding.ctc import CtcBeam, ctc_beam, ctc_greedy
from unrolled.errors import DataError

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

PROGRAMS = Path(unrolled.__file__).parent / "export" / "folder"


@contextlib.contextmanager
def programs(folder: Path) -> Iterator[ModuleType]:
    """The module ``run`` of a folder, whose other modules are forgotten afterwards."""
    names = ("run", "read_columns", "read_symbols", "split_words", "write_answers", "search_paths")
    sys.path.insert(0, str(folder))
    try:
        import run  # type: ignore[import-not-found]

        yield run
    finally:
        sys.path.remove(str(folder))
        for name in names:
            sys.modules.pop(name, None)


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


ODD = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        [
            "@anna",
            "x@b.c",
            "http://a.b/c?d=1.",
            "www.x.de",
            "<URL>",
            "<unknown>",
            "👍🏽",
            "👨‍👩‍👧",
            "1️⃣",
            "🇩🇪",
            "İ",
            "Σ",
            "ﬁ",
            "\v",
            "é",
        ]
    ),
)
ASSIGNED = (
    st.lists(ODD, max_size=8)
    .map("".join)
    .filter(lambda text: not any(unicodedata.category(one) in ("Cs", "Cn", "Co") for one in text))
)


@pytest.fixture(scope="module")
def sources() -> Iterator[None]:
    """The modules of the programs, to be imported by tests."""
    with programs(PROGRAMS):
        yield


@settings(max_examples=150)
@given(text=ASSIGNED)
def test_texts_are_split_as_in_training(sources: None, text: str) -> None:
    import split_words as split  # type: ignore[import-not-found]

    assert split.words(text) == split_words(pa.array([text]))[0].to_pylist()
    assert split.written_words(text) == split_written(pa.array([text]))[0].to_pylist()
    assert split.write_words(split.written_words(text)) == text


WORDS = Tokens.fit(
    pa.chunked_array([TEXTS]), Tokens.Options(tokens="words", letters=True), Role(read=True), Where("a", "x")
)
CATEGORY = Category.fit(pa.chunked_array([["1", "a", None]]), Category.Options(), Role(), Where("a", "x"))
VALUES = st.one_of(st.none(), st.just(math.nan), st.booleans(), st.integers(-2, 2), st.floats(), ASSIGNED, st.just([1]))


@pytest.mark.parametrize("encoding", [WORDS, CATEGORY], ids=["words", "labels"])
@settings(max_examples=150)
@given(value=VALUES)
def test_live_values_are_encoded_as_in_the_package(sources: None, encoding: Any, value: Any) -> None:
    described = {"column": "x", "kind": encoding.kind, "time": False, "rule": "", "graph": ["x"]}
    from read_columns import column_of  # type: ignore[import-not-found]
    from read_symbols import Refused  # type: ignore[import-not-found]

    column = column_of({**described, "config": encoding.to_config()}, PROGRAMS)
    try:
        wanted = encoding.encode_live(value, (), Where("stream", "x"))[0].tolist()
    except DataError:
        wanted = None
    try:
        found = [int(step[0]) for step in column.step(value, None)[0]]
    except Refused:
        found = None
    assert found == (wanted or None)
    if found and isinstance(value, str) and isinstance(encoding, Tokens):
        letters = [step[1] for step in column.step(value, None)[0]]
        np.testing.assert_array_equal(letters, encoding.spell_live(value))
