"""Words read by their letters: against the sum written out, and what padding is worth."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch

import unrolled as ur
from unrolled.batch import Spelled, letters_of
from unrolled.errors import ShapeError, UsageError
from unrolled.layers.embed import embed
from unrolled.layers.letters import WordLetters
from unrolled.runs.trained import Trained


def letters(width: int = 5, size: int = 9, gain: float = 1.0) -> WordLetters:
    torch.manual_seed(3)
    found = embed(Spelled(size, width, "text"), gain=gain)
    assert isinstance(found, WordLetters)
    return found


def test_a_word_is_the_largest_answer_of_each_filter() -> None:
    module, word = letters(), [4, 2, 7]
    table, zero = module.letters.weight, torch.zeros(25)
    places = [zero, *(table[id_] for id_ in word), zero]
    seen = [torch.cat(places[at : at + 3]) for at in range(3)]
    wanted = torch.stack([module.filters.weight @ one + module.filters.bias for one in seen]).amax(0)
    torch.testing.assert_close(module(torch.tensor([[*word, 0, 0]]))[0], wanted)
    torch.testing.assert_close(letters(gain=3.0)(torch.tensor([[*word, 0, 0]]))[0], 3 * wanted)


def test_padding_is_never_counted() -> None:
    torch.testing.assert_close(letters(5)(torch.tensor([[3, 4, 0, 0, 0]])), letters(2)(torch.tensor([[3, 4]])))
    assert not letters()(torch.zeros(2, 3, 5, dtype=torch.int64)).any()


def test_padding_learns_nothing() -> None:
    module = letters()
    module(torch.tensor([[[3, 4, 0, 0, 0], [0, 0, 0, 0, 0]]])).sum().backward()
    gradient = module.letters.weight.grad
    assert gradient is not None and not gradient[0].any() and gradient[3].any()
    assert torch.isfinite(gradient).all()


def test_a_step_is_read_as_in_a_row() -> None:
    ids = torch.randint(9, (2, 4, 5), generator=torch.Generator().manual_seed(1))
    module = letters()
    torch.testing.assert_close(module(ids)[:, 2], module(ids[:, 2]))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.zeros(2, 3, 4, dtype=torch.int64), r"x has shape \(2, 3, 4\), expected \(B, T, 5\) or \(B, 5\)"),
        (torch.zeros(5, dtype=torch.int64), r"x has shape \(5,\)"),
        (torch.full((1, 5), 9), "is 9, expected 0 … 8"),
        (torch.zeros(1, 5), "expected integers"),
    ],
)
def test_what_are_no_letters_is_refused(ids: torch.Tensor, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        letters()(ids)


# --- in models ----------------------------------------------------------------------------------------------------


def new_words(count: int, seed: int) -> dict[str, list[str]]:
    """Each text has one word that ends in -ing or -ed, which decides the label; no word is ever seen twice."""
    draw = random.Random(seed)

    def stem() -> str:
        return "".join(draw.choices("abcdfghklmnoprstuvw", k=draw.randint(4, 6)))

    labels = [draw.choice(["ing", "ed"]) for _ in range(count)]
    return {"text": [f"{stem()} {stem()}{label} {stem()}" for label in labels], "label": labels}


def fit(out: Path, table: Any = None, **asked: Any) -> Trained:
    plain: dict[str, Any] = {"model": "gru", "hidden": 16, "steps": 60, "lr": 1e-2, "seed": 1, "quiet": True}
    kinds = {"text": "tokens"}
    return ur.fit(table or new_words(200, 1), out=out, kinds=kinds, **{**plain, "tokens": "words", **asked})


def test_words_that_were_never_seen_are_read_by_their_letters(tmp_path: Path) -> None:
    asked = {"target": "label", "task": "classify", "valid": 0.2}
    found = {letters: fit(tmp_path / str(letters), letters=letters, **asked) for letters in (True, False)}
    test = new_words(50, 2)
    right = {}
    for letters, trained in found.items():
        answers = trained.predict({"text": test["text"]}).column("label_predicted").to_pylist()
        right[letters] = sum(map(str.__eq__, answers, test["label"]))
    assert right[True] >= 49 and right[False] < 38
    trained = ur.load(tmp_path / "True")
    live = trained.stream()
    for word in test["text"][0].split():
        answer = live.push(word)
    whole = trained.predict({"text": test["text"][:1]})
    assert answer["label_p_ed"] == pytest.approx(whole.column("label_p_ed")[0].as_py(), abs=1e-6)


def test_pretrained_on_hidden_words_and_with_vectors(tmp_path: Path) -> None:
    table = new_words(60, 3)
    fit(tmp_path / "fill", {"text": table["text"]}, task="fill", letters=True, model="bigru", steps=4, valid=0)
    again = fit(tmp_path / "tuned", table, target="label", init_from=str(tmp_path / "fill"), model=None, steps=4)
    assert letters_of("text") in again.task.coder.specs
    (tmp_path / "words.txt").write_text("".join(f"{word} 1 2 3\n" for word in table["text"][0].split()), "utf-8")
    vectors = str(tmp_path / "words.txt")
    own = fit(
        tmp_path / "vectors", table, target="label", letters=True, vectors=vectors, steps=1, lr=1e-9, plan="fixed"
    )
    (word, *_), weights = table["text"][0].split(), own.network.state_dict()["columns.embeddings.0.weight"]
    known = list(own.task.coder.inputs["text"].words)  # type: ignore[attr-defined]
    assert weights[3 + known.index(word)].tolist() == pytest.approx([1, 2, 3], abs=1e-3)


def test_what_is_translated_is_read_by_letters_too(tmp_path: Path) -> None:
    table = {"text": new_words(60, 4)["text"], "to": ["x y"] * 60}
    trained = fit(tmp_path / "run", table, target="to", task="translate", letters=True, steps=5, beam=1)
    assert letters_of("text") in trained.network.columns.specs and letters_of("to") not in trained.task.coder.specs
    assert len(trained.predict({"text": ["new words"]}).column("to_predicted")) == 1


def test_a_text_that_is_continued_has_no_letters(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="letters only works with words that are read, and this task writes them"):
        fit(tmp_path / "run", {"text": ["a b c d"] * 20}, task="next_step", letters=True)
