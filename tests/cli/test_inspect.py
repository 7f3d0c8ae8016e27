"""``inspect`` on runs that are there: verdicts first, then the worst steps, and what cannot be inspected."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.support import SMALL, Done, Runs

import unrolled as ur

Unrolled = Callable[..., Done]
ABOUT = ["reach", "context", "gates", "units", "dynamics", "worst steps", "answer", "proof"]


def test_verdicts_come_first_then_the_worst_steps(unrolled: Unrolled, runs: Runs) -> None:
    done = unrolled("inspect", runs.text, runs.file("cats.txt"), "--quiet")
    assert (done.code, done.err) == (0, "")
    head, *verdicts = done.out.partition("\n\n")[0].splitlines()
    assert head.split()[0] == "on" and head.endswith("cats.txt")
    assert [line[:13].strip() for line in verdicts if line[:13].strip()] == ABOUT
    table = done.out.partition("\n\n")[2].splitlines()
    assert table[0].split() == ["step", "loss", "came", "expected", "p", "after"]
    assert len(table) == 6


def test_a_text_is_piped_in_as_it_is_and_a_table_as_one(unrolled: Unrolled, runs: Runs) -> None:
    text = b"the cat sat, a dog ran.\na dog sat; the cat ran.\n"
    piped = unrolled("inspect", runs.text, "-", "--json", stdin=text).json
    assert (piped["data"], piped["steps"]) == ("standard input", [0, len(text) + 1])
    for table in (b"text,n\na dog ran,1\n", b'{"text": "a dog ran"}\n'):
        assert unrolled("inspect", runs.text, "-", "--json", stdin=table).json["steps"] == [0, len("a dog ran") + 1]
    assert unrolled("predict", runs.text, "-", stdin=b"the cat").code == 0


def test_as_json(unrolled: Unrolled, runs: Runs) -> None:
    told = unrolled("inspect", runs.text, runs.file("cats.txt"), "--steps", "3:40", "--units", 2, "--json").json
    assert (told["schema"], told["run"], told["row"], told["steps"]) == (1, str(runs.text), 0, [3, 40])
    assert list(dict.fromkeys(one["about"] for one in told["verdicts"])) == ABOUT
    assert told["difference"] <= 1e-5
    (layer,) = told["units"]["layers"].values()
    assert len(layer["units"]) == len(layer["features"]) == len(layer["r"]) == 2
    assert {"feature", "r", "chance", "named", "read"} <= told["units"]["found"][0].keys()
    assert len(told["dynamics"]["exponents"]) > 1 and told["against"] is None
    assert told["reach"]["verdict"] in ("healthy", "vanishing", "exploding")
    assert told["context"]["given"][0] == 1 and told["context"]["answers"] == 256
    losses = [one["loss"] for one in told["worst"]]
    assert losses == sorted(losses, reverse=True) and len(losses) == 5
    text = runs.file("cats.txt").read_text()
    for one in told["worst"]:
        assert 3 <= one["step"] < 40
        assert one["after"] + one["came"] in text


def test_without_a_file_it_takes_its_own_validation_split(unrolled: Unrolled, runs: Runs) -> None:
    done = unrolled("inspect", runs.text)
    assert done.code == 0
    assert done.out.splitlines()[0].split(maxsplit=1) == ["on", "its own valid split"]
    answers = unrolled("inspect", runs.reviews)  # one answer a row
    assert answers.code == 0
    assert "none: a row has one loss here; unrolled evaluate --worst 5 lists the worst rows" in " ".join(
        answers.out.split()
    )
    assert unrolled("inspect", runs.load).code == 0  # a forecast


def test_a_model_that_reads_both_ways_has_no_context_curve_but_the_rest(unrolled: Unrolled, runs: Runs) -> None:
    told = unrolled("inspect", runs.both, runs.file("reviews.csv"), "--json").json
    says = {one["about"]: one["says"] for one in told["verdicts"]}
    assert told["context"] is None
    assert says["context"] == (
        "not measured: this model reads every sequence in both directions, so there is no last step"
    )
    assert told["reach"]["answers"] == 40
    assert "layer 1, backward, update gate" in told["gates"]["gates"]


def test_data_without_the_target_and_tables_in_memory(tmp_path: Path, runs: Runs) -> None:
    model = ur.load(runs.both)
    found = ur.inspect(model, {"text": ["the film was great", "dull plot"], "stars": [4, 1]})
    assert isinstance(found.reach, str) and "sentiment" in found.reach
    assert (found.loss, found.worst) == (None, ())
    assert found.gates.gates
    data = {"text": ["ab ab ab"] * 20}
    trained = ur.fit(data, out=tmp_path / "run", steps=2, hidden=4, start="none", quiet=True)
    with pytest.raises(ur.errors.UsageError, match="trained on data in memory.*: give the data to inspect it on"):
        ur.inspect(trained)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--row", 7), "error: there is no row 7: the data has 1 row, and the first is row 0\n"),
        (("--steps", "5"), "error: --steps takes two numbers of steps, such as 0:200, not '5'\n"),
        (("--steps", "9:9"), "error: --steps names no steps of row 0, which has the steps 0 to "),
        (("--steps", "99999:"), "error: --steps names no steps of row 0, which has the steps 0 to "),
        (("--steps", "0:9", "--why", 9), "error: --why 9 is none of the steps that were looked at, 0 to 8\n"),
        (("--text", "the cat"), "error: give either data or --text, not both\n"),
    ],
)
def test_what_is_not_there_is_said(unrolled: Unrolled, runs: Runs, words: tuple[object, ...], text: str) -> None:
    done = unrolled("inspect", runs.text, runs.file("cats.txt"), *words)
    assert (done.code, done.out) == (2, "")
    assert text in done.err


def test_one_answer_is_explained_the_worst_or_the_one_asked_for(unrolled: Unrolled, runs: Runs) -> None:
    told = unrolled("inspect", runs.text, "--text", "the cat sat. a dog", "--json").json
    assert told["data"] == "the given text"
    assert told["answer"]["step"] == told["worst"][0]["step"]
    assert told["heads"] is None
    chosen = unrolled("inspect", runs.text, "--text", "the cat sat. a dog", "--why", 5, "--json").json["answer"]
    assert (chosen["step"], chosen["first"], chosen["method"]) == (5, 0, "occlusion")
    assert chosen["read"] == ["<begin>", "t", "h", "e", " ", "c"]
    assert len(chosen["values"]) == 6
    says = unrolled("inspect", runs.text, "--text", "the cat sat. a dog", "--why", 5).out
    assert "answer       the answer at step 5 (logit " in says and "rests most on the steps" in says
    whole = unrolled("inspect", runs.reviews, "--text", "the film was great", "--json").json
    assert whole["answer"]["step"] is None and whole["answer"]["read"][-1] == "great"
    done = unrolled("inspect", runs.reviews, "--text", "the film was great", "--why", 1)
    assert (done.code, done.err) == (2, "error: there is no step 1: this model has one answer for the row\n")


def test_a_text_that_the_model_cannot_read_is_refused(unrolled: Unrolled, runs: Runs) -> None:
    done = unrolled("inspect", runs.text, "--text", "the cat§")
    assert (done.code, done.err) == (
        3,
        "error: the text: the model never saw '§' in training (leave it out of the text)\n",
    )
    done = unrolled("inspect", runs.load, "--text", "the cat")
    assert done.code == 2
    assert "--text only works with a model that reads one text; this one reads load" in done.err


def test_heads_of_attention_are_tested(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    out, file = tmp_path / "run", runs.file("cats.txt")
    fitted = unrolled("fit", file, "--blend", "none", "--only", "none", "--model", "transformer", *SMALL, "--out", out)
    assert fitted.code == 0, fitted.err
    told = unrolled("inspect", out, file, "--json").json
    assert [one["about"] for one in told["verdicts"]].count("heads") >= 1
    (head,) = told["heads"]["heads"]
    assert head["path"] == "layer.blocks.0.own.attention" and head["number"] == 0
    assert set(head["worth"]) == {"harm", "error"}
    assert told["heads"]["answers"] > 500


def test_steps_of_one_answer_a_row_and_missing_files(unrolled: Unrolled, runs: Runs) -> None:
    done = unrolled("inspect", runs.reviews, runs.file("reviews.csv"), "--steps", "0:2")
    assert (done.code, done.err.splitlines()[-1]) == (
        2,
        "error: --steps only works with an answer for each step; this model has none",
    )
    assert unrolled("inspect", runs.text, "nowhere.txt").code == 3
    assert unrolled("inspect", runs.folder, runs.file("cats.txt")).code == 4


def test_tags_an_encoder_decoder_and_a_solved_model(unrolled: Unrolled, tmp_path: Path) -> None:
    rows = [f'{{"x": ["a", "b", "c"], "y": ["p", "n", "{"pn"[k % 2]}"]}}' for k in range(40)]
    (tmp_path / "tags.jsonl").write_text("\n".join(rows))
    tags = tmp_path / "tags"
    fitted = unrolled("fit", tmp_path / "tags.jsonl", "--target", "y", "--task", "tag", *SMALL, "--out", tags)
    assert fitted.code == 0, fitted.err
    told = unrolled("inspect", tags, tmp_path / "tags.jsonl", "--json").json
    assert {one["came"] for one in told["worst"]} <= {"p", "n"}
    assert told["steps"] == [0, 3]
    (tmp_path / "pairs.csv").write_text("x,y\n" + "a b c,c b a\nb a c,c a b\n" * 20)
    pair = tmp_path / "pair"
    words = ("--target", "y", "--task", "translate", "--only", "none", *SMALL, "--out", pair)
    fitted = unrolled("fit", tmp_path / "pairs.csv", *words)
    assert fitted.code == 0, fitted.err
    says = unrolled("inspect", pair, tmp_path / "pairs.csv")
    assert says.code == 0
    assert "can only be measured for a single network; this model is an encoder–decoder" in " ".join(says.out.split())
    assert "the answer is a written sequence, which has no loss" in " ".join(says.out.split())
    (tmp_path / "text.txt").write_text("the cat sat. " * 60)
    solved = tmp_path / "solved"
    assert unrolled("fit", tmp_path / "text.txt", "--only", "ngram", "--quiet", "--out", solved).code == 0
    done = unrolled("inspect", solved, tmp_path / "text.txt")
    assert done.code == 0
    assert "this model has no recurrent cell" in done.out


def test_another_run_is_set_beside_it(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    other = tmp_path / "other"
    words = ("--model", "gru", "--tokens", "bpe", "--vocabulary", 40, "--blend", "none", "--start", "none")
    fitted = unrolled("fit", runs.file("cats.txt"), *words, *SMALL, "--out", other)
    assert fitted.code == 0, fitted.err
    told = unrolled("inspect", runs.text, runs.file("cats.txt"), "--against", other, "--json").json["against"]
    differences = sum(one["ours"] - one["theirs"] for one in told["places"])
    assert told["run"] == str(other) and told["unit"] == "character"
    assert told["total"] == pytest.approx(differences, abs=1e-6)
    done = unrolled("inspect", runs.text, "--against", other)  # on its own validation split
    says = " ".join(done.out.split())
    assert done.code == 0 and "against" in done.out
    assert f"{other} is " in says or "neither is surely better" in says
    assert "its reach: " in says and "its context: " in says
    assert not told["disagreements"] or "the other expected" in says


def test_a_run_of_another_kind_is_not_set_beside_it(unrolled: Unrolled, runs: Runs) -> None:
    done = unrolled("inspect", runs.text, runs.file("cats.txt"), "--against", runs.reviews)
    assert (done.code, done.out) == (2, "")
    assert (
        "error: --against needs a model that is asked the same: the task of this one is next_step of 'text'" in done.err
    )
    assert unrolled("inspect", runs.text, runs.file("cats.txt"), "--against", runs.folder).code == 4


def test_a_page_says_the_same_verdicts_and_only_what_it_may(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    words = ("inspect", runs.text, runs.file("cats.txt"), "--steps", "0:60", "--json")
    page, hidden = tmp_path / "inside.html", tmp_path / "hidden.html"
    done = unrolled(*words, "--out", page)
    assert done.code == 0 and "the page holds it" in done.err
    shown = page.read_text()
    for verdict in done.json["verdicts"]:
        assert html.escape(verdict["says"]) in shown
    assert unrolled(*words, "--out", hidden, "--no-text", "--units", "2").code == 0
    text = "".join(json.loads(re.findall(r'"tokens":(\[.*?\])', shown)[0]))
    assert text.removeprefix("<begin>")[:20] in runs.file("cats.txt").read_text()
    drawn = hidden.read_text().partition('id="page"')[2].partition("<script>")[0]
    assert not [word for word in {*re.findall(r"[a-z]{4,}", text)} if f'"{word}' in drawn]
    seen = "".join(json.loads(re.findall(r'"tokens":(\[.*?\])', drawn)[0])).replace("<begin>", "").replace("<end>", "")
    assert {*seen} & {*"abcdefghijklmnopqrstuvwyz123456789"} == set()
    assert len(hidden.read_bytes()) < len(page.read_bytes())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--out", "inside.txt"), "inside.txt"),
        (("--units", "-1"), "--units takes a number of units"),
        (("--live", "--no-text"), "so it does not go with --no-text"),
        (("--no-text",), "--no-text only works with --out"),
        (("--no-open",), "--no-open only works with --live"),
        (("--port", "8000"), "--port only works with --live"),
        (("--live", "--port", "70000"), "--port takes a number up to 65535"),
    ],
)
def test_pages_that_cannot_be_written(unrolled: Unrolled, runs: Runs, words: tuple[str, ...], says: str) -> None:
    done = unrolled("inspect", runs.text, runs.file("cats.txt"), *words)
    assert (done.code, done.out) == (2, "") and says in done.err
    both = unrolled("inspect", runs.text, runs.file("cats.txt"), "--live", "--json")
    assert both.code == 2 and "so it does not go with --json" in both.out + both.err


def test_an_empty_name_is_not_the_current_folder(unrolled: Unrolled, runs: Runs) -> None:
    for words in (("inspect", runs.text, ""), ("inspect", ""), ("watch", ""), ("predict", runs.text, "")):
        done = unrolled(*words)
        assert done.code == 2 and "named by an empty word" in done.err


def test_it_says_that_the_other_strand_is_not_read(tmp_path: Path) -> None:
    rows = {"dna": ["ACGTTGCA", "TTGACCAT"] * 6, "label": ["a", "b"] * 6}
    own = {"hidden": 4, "layers": 1, "steps": 2, "only": "none", "blend": "none"}
    kinds = {"dna": "symbols"}
    model = ur.fit(
        rows, target="label", kinds=kinds, both_strands=True, model="gru", quiet=True, out=tmp_path / "run", **own
    )
    assert any("and not its other strand" in note for note in ur.inspect(model, rows).notes)
