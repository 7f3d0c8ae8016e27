"""``embed`` learns, converts and asks; ``fit`` begins with what it wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli.support import SMALL, Done, Runs

Unrolled = Callable[..., Done]


def test_learn_ask_convert_and_begin_with_them(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    out, other = tmp_path / "v.safetensors", tmp_path / "v.vec"
    done = unrolled("embed", runs.file("cats.txt"), "--out", out, "--size", 6, "--model", "cbow", "--epochs", 1)
    assert (done.code, done.out) == (0, f"{out}: 7 words, 6 numbers each\n")
    assert "epoch 1 of 1: " in done.err and f"unrolled embed {out} --similar WORD" in done.err
    asked = unrolled("embed", out, "--similar", "cat", "--most", 3)
    assert asked.out.splitlines()[0].strip() == "cosine"
    assert len(asked.out.splitlines()) == 4
    told = unrolled("embed", out, "--similar", "cat", "--most", 3, "--json").json
    assert [line.split()[0] for line in asked.out.splitlines()[1:]] == [one["word"] for one in told["nearest"]]
    assert unrolled("embed", out, "--convert", "--out", other, "--json").json["words"] == 7
    assert other.read_text("utf-8").startswith("7 6\n")
    fitted = unrolled(
        "fit", runs.file("cats.txt"), "--vectors", other, "--freeze", *SMALL[:-1], "--out", tmp_path / "r"
    )
    assert fitted.code == 0
    assert "vectors: 88 % of 8 words, 100 % of their occurrences" in fitted.err  # all but the blank


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ((), 2, "embed needs either --out FILE, to learn vectors, or --similar WORD"),
        (("--convert", "--similar", "x"), 2, "--convert needs --out FILE"),
        (("--out", "v.npy"), 2, "v.npy: the name of a vectors file must end in"),
        (("--out", "v.txt", "--model", "glove"), 2, "--model"),
        (("--similar", "cat"), 3, "line 1: 'cat' is not a number"),
    ],
)
def test_what_it_cannot_do(unrolled: Unrolled, runs: Runs, words: tuple[str, ...], code: int, text: str) -> None:
    done = unrolled("embed", runs.file("cats.txt"), *words)
    assert (done.code, done.out) == (code, "")
    assert text in done.err
