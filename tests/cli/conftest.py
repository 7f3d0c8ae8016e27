"""One command line in this process, and one tiny trained run of each sort, made once."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from cli.support import SMALL, Done, Runs, write_load, write_reviews

from unrolled.cli.main import main

NETWORK = ["--only", "none"]  # tests look into the network, though its three steps better nothing


@pytest.fixture
def unrolled(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """``unrolled("predict", run, file)`` runs the command line in this process; ``stdin=`` is what it may read."""

    def run(*words: object, stdin: bytes = b"") -> Done:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin))))
        capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return run


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("cli")
    reviews, load = write_reviews(folder / "reviews.csv"), write_load(folder / "load.csv")
    (folder / "cats.txt").write_text("the cat sat. a dog ran. " * 30)
    made = Runs(folder, *(folder / "runs" / name for name in ("reviews", "load", "text", "both")))
    commands = {
        made.reviews: ["fit", reviews, "--target", "sentiment", "--ignore", "stars", *NETWORK],
        made.both: ["fit", reviews, "--target", "sentiment", "--model", "bigru"],
        made.load: ["fit", load, "--target", "load", "--ignore", "day", "--horizon", "2", *NETWORK],
        made.text: ["fit", folder / "cats.txt", "--blend", "none"],  # n-grams would know it by heart
    }
    for out, words in commands.items():
        assert main([*map(str, words), *SMALL, "--out", str(out)]) == 0
    return made
