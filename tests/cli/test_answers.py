"""``evaluate``, ``predict``, ``generate`` and ``describe`` on runs that are there."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli.support import SMALL, Done, Runs

from unrolled.cli.tables import write_tables
from unrolled.runs.layouts import by_step_ahead

Unrolled = Callable[..., Done]


def test_evaluate_measures_and_shows_the_validation_beside_it(unrolled: Unrolled, runs: Runs) -> None:
    done = unrolled("evaluate", runs.reviews, runs.file("reviews.csv"))
    assert done.code == 0
    assert done.out.splitlines()[1].startswith("this file")
    assert "valid split, after training" in done.out
    told = unrolled("evaluate", runs.reviews, runs.file("reviews.csv"), "--json").json
    assert set(told["metrics"]) == {"loss_nats_per_label", "accuracy", "macro_f1"}


@pytest.mark.parametrize("verb", ["predict", "evaluate", "evaluate --origins 2", "stream"])
def test_where_it_runs_can_be_chosen(verb: str, unrolled: Unrolled, runs: Runs) -> None:
    name, *options = verb.split()
    words = [name, runs.load, *([] if name == "stream" else [runs.file("load.csv")]), *options]
    line = b"1,10.5,5.5\n"
    assert unrolled(*words, "--device", "cpu", stdin=line).code == 0
    done = unrolled(*words, "--device", "tpu", stdin=line)
    assert (done.code, done.err) == (2, "error: --device must be auto, cpu or cuda, not 'tpu'\n")


def test_words_that_were_never_seen_are_counted(unrolled: Unrolled, runs: Runs) -> None:
    done = unrolled("predict", runs.reviews, "-", stdin=b"text\nthe zebra was great\nthe zebra\n")
    assert done.code == 0
    assert "warning: standard input, text: 33.33% of the words are rare, or were not seen in training" in done.err
    assert unrolled("predict", runs.reviews, "-", "--quiet", stdin=b"text\nzebra\n").err == ""


def test_csv_in_csv_out_with_every_column_kept(unrolled: Unrolled, runs: Runs) -> None:
    done = unrolled("predict", runs.reviews, runs.file("reviews.csv"))
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert len(rows) == 40
    assert list(rows[0]) == ["text", "stars", "sentiment", "sentiment_predicted", "sentiment_p_bad", "sentiment_p_good"]
    assert abs(float(rows[0]["sentiment_p_bad"]) + float(rows[0]["sentiment_p_good"]) - 1) < 1e-3


def test_json_lines_in_json_lines_out(unrolled: Unrolled, runs: Runs) -> None:
    done = unrolled("predict", runs.reviews, "-", stdin=b'{"text": "the film was great"}\n{"text": "dull"}\n')
    assert [line["text"] for line in done.lines] == ["the film was great", "dull"]
    assert done.lines[0]["sentiment_predicted"] in ("good", "bad")


def test_a_forecast_is_a_row_for_each_series_and_step_ahead(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    done = unrolled("predict", runs.load, runs.file("load.csv"))
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [list(row) for row in rows] == [["step_ahead", "load_last", "load_predicted", "load_q10", "load_q90"]] * 2
    (whole,) = unrolled("predict", runs.load, runs.file("load.csv"), "--json").json["rows"]
    assert [float(row["load_predicted"]) for row in rows] == pytest.approx(whole["load_predicted"], rel=1e-3)
    assert [row["step_ahead"] for row in rows] == ["1", "2"]
    assert len(whole["load"]) == 90  # JSON has lists, and keeps what was read
    assert unrolled("predict", runs.load, runs.file("load.csv"), "--out", tmp_path / "a.tsv").code == 0
    assert (tmp_path / "a.tsv").read_text().splitlines()[0].replace('"', "").split("\t") == list(rows[0])


def test_the_forecast_of_each_series_stands_beside_its_name() -> None:
    table = pa.table({"shop": ["a", "b"], "sold": [[1.0], [2.0]], "sold_predicted": [[1.5, 2.5], [3.5, 4.5]]})
    none = pa.table({"shop": ["c"], "sold": [[]], "sold_predicted": [None]}, table.schema)
    assert by_step_ahead(pa.concat_tables([table, none]).combine_chunks(), ["shop", "sold"]).to_pylist() == [
        {"shop": shop, "step_ahead": step, "sold_predicted": value}
        for shop, step, value in [("a", 1, 1.5), ("a", 2, 2.5), ("b", 1, 3.5), ("b", 2, 4.5)]
    ]


def test_the_file_is_named_and_numbers_have_the_digits_that_are_asked_for(
    unrolled: Unrolled, runs: Runs, tmp_path: Path
) -> None:
    out = tmp_path / "a.csv"
    done = unrolled("predict", runs.reviews, runs.file("reviews.csv"), "--out", out)
    assert f"40 rows written to {out}" in done.err
    assert (
        "rows written" not in unrolled("predict", runs.reviews, runs.file("reviews.csv"), "--out", out, "--quiet").err
    )
    for digits in (2, 17):
        unrolled("predict", runs.reviews, runs.file("reviews.csv"), "--out", out, "--digits", digits)
        chances = [row["sentiment_p_good"] for row in csv.DictReader(io.StringIO(out.read_text()))]
        longest = max(len(chance.split("e")[0].replace(".", "").lstrip("0")) for chance in chances)
        assert longest <= digits and (digits == 2 or longest > 6)
    assert unrolled("predict", runs.reviews, runs.file("reviews.csv"), "--digits", 18).err.startswith(
        "error: --digits must be from 1 to 17, got 18"
    )


def test_tags_come_back_as_they_came(unrolled: Unrolled, tmp_path: Path) -> None:
    (tmp_path / "t.conll").write_text("Ann B\nsat O\n\nBo B\nran O\n\n" * 8)
    run = tmp_path / "run"
    flags = ("--target", "tags", "--steps", 2, "--hidden", 4, "--out", run)
    assert unrolled("fit", tmp_path / "t.conll", *flags).code == 0
    lines = unrolled("predict", run, tmp_path / "t.conll").out.split("\n")
    assert lines[0].split("\t")[:2] == ["Ann", "B"] and lines[0].split("\t")[2] in ("B", "O") and lines[2] == ""
    assert unrolled("predict", run, tmp_path / "t.conll", "--out", tmp_path / "a.csv").code == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text())))
    assert [*rows[0]] == ["row", "step", "words", "tags", "tags_predicted", "tags_p"] and len(rows) == 32


def test_what_was_read_for_each_step_has_no_place_in_a_line_for_all(unrolled: Unrolled, tmp_path: Path) -> None:
    lines = [f"{machine},{t},{t + machine % 2},{'ab'[machine % 2]}" for machine in range(20) for t in range(3)]
    (tmp_path / "m.csv").write_text("machine,t,x,state\n" + "\n".join(lines) + "\n")
    flags = ("--target", "state", "--by", "machine", "--order", "t", "--steps", 2, "--hidden", 4)
    assert unrolled("fit", tmp_path / "m.csv", *flags, "--out", tmp_path / "run").code == 0
    rows = list(csv.DictReader(io.StringIO(unrolled("predict", tmp_path / "run", tmp_path / "m.csv").out)))
    assert len(rows) == 20
    assert [*rows[0]] == ["machine", "state", "state_predicted", "state_p_a", "state_p_b"]


def test_only_tags_are_written_as_sentences(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    done = unrolled("predict", runs.reviews, runs.file("reviews.csv"), "--out", tmp_path / "a.conll")
    assert done.code == 2 and "is for tags; this model's task is 'classify': write a .csv" in done.err


def test_a_list_is_json_text_in_its_cell(tmp_path: Path) -> None:
    table = pa.table({"words": [["a", "b"], None]})
    write_tables([table], "csv", tmp_path / "a.csv")
    assert list(csv.reader(io.StringIO((tmp_path / "a.csv").read_text()))) == [["words"], ['["a", "b"]'], []]


def test_out_writes_the_format_of_its_name(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    for name in ("a.csv", "a.jsonl", "a.parquet", "a.tsv"):
        assert unrolled("predict", runs.reviews, runs.file("reviews.csv"), "--out", tmp_path / name).code == 0
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 40
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 40
    assert "\t" in (tmp_path / "a.tsv").read_text()
    binary = unrolled("predict", runs.reviews, tmp_path / "a.parquet")
    assert binary.code == 2
    assert "give --out FILE" in binary.err
    odd = unrolled("predict", runs.reviews, runs.file("reviews.csv"), "--out", tmp_path / "a.xls")
    assert odd.code == 2
    assert "--out must end in .csv" in odd.err


def test_a_folder_has_a_part_for_each_file(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("a", "b", "c"):
        shutil.copy(runs.file("reviews.csv"), source / f"{name}.csv")
    for index in range(2):
        done = unrolled("predict", runs.reviews, source, "--out", out, "--shard", f"{index}/2")
    assert (done.code, done.err) == (0, f"40 rows in 1 part written to {out}\n")
    assert sorted(path.name for path in out.iterdir()) == [f"part-{name}.csv.parquet" for name in "abc"]
    again = unrolled("predict", runs.reviews, source, "--out", out, "--json").json
    assert (again["rows"], again["written"], again["kept"]) == (0, 0, 3)
    for words, wrong in (
        (("predict", runs.reviews, source, "--shard", "0/2"), "give a folder as --out, not None"),
        (("predict", runs.reviews, "-", "--out", out), "give a file or a folder, not -"),
        (("predict", runs.reviews, source, "--out", out, "--shard", "2/2"), "--shard must be i/n with 0 ≤ i < n"),
    ):
        done = unrolled(*words, stdin=b"text\nx\n")
        assert done.code == 2 and wrong in done.err


def test_sums_of_shards_are_merged(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("a", "b", "c"):
        shutil.copy(runs.file("reviews.csv"), source / f"{name}.csv")
    for index in range(2):
        assert unrolled("evaluate", runs.reviews, source, "--out", out, "--shard", f"{index}/2").code == 0
    merged = unrolled("evaluate", runs.reviews, "--merge", out, "--json").json["metrics"]
    whole = unrolled("evaluate", runs.reviews, source, "--json").json["metrics"]
    assert merged == pytest.approx(whole, rel=1e-9)
    assert "all files" in unrolled("evaluate", runs.reviews, "--merge", out).out
    assert unrolled("evaluate", runs.reviews).code == 2
    assert "only work together" in unrolled("evaluate", runs.reviews, source, "--shard", "0/2").err


def test_predict_as_one_json_object(unrolled: Unrolled, runs: Runs) -> None:
    told = unrolled("predict", runs.reviews, runs.file("reviews.csv"), "--json").json
    assert told["schema"] == 1
    assert len(told["rows"]) == 40


def test_a_column_that_the_model_needs_must_be_there(unrolled: Unrolled, runs: Runs) -> None:
    done = unrolled("predict", runs.reviews, "-", stdin=b"review,stars\ngood,1\nbad,2\n")
    assert done.code == 3
    message = "the model reads the column 'text', which standard input lacks; it has: review, stars"
    assert done.err == f"error: {message}\n"


def test_an_empty_stdin_is_bad_data(unrolled: Unrolled, runs: Runs) -> None:
    done = unrolled("predict", runs.reviews, "-")
    assert (done.code, done.out) == (3, "")
    assert "standard input" in done.err


def test_the_same_seed_generates_the_same_text(unrolled: Unrolled, runs: Runs) -> None:
    words = ("generate", runs.text, "--prompt", "the ", "--length", 20, "--temperature", 0.5)
    once, again, other = unrolled(*words), unrolled(*words), unrolled(*words, "--seed", 1)
    assert once.code == 0
    assert once.out.startswith("the ")
    assert once.out == again.out != other.out
    assert len(once.out) == len("the ") + 20 + 1


def test_several_texts_have_seeds_in_a_row(unrolled: Unrolled, runs: Runs) -> None:
    words = ("generate", runs.text, "--length", 8, "--json")
    both = unrolled(*words, "--count", 2).json["texts"]
    assert both == [unrolled(*words, "--seed", seed).json["texts"][0] for seed in (0, 1)]


def test_generation_ends_before_the_stop_text(unrolled: Unrolled, runs: Runs) -> None:
    free = unrolled("generate", runs.text, "--length", 40, "--json").json["texts"][0]
    stop = free[10:12]
    cut = unrolled("generate", runs.text, "--length", 40, "--stop", stop, "--json").json["texts"][0]
    assert cut == free[: free.index(stop)]


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--prompt", "thé"], 3, "the prompt: the model never saw 'é' in training (leave it out of the prompt)"),
        (["--temperature", "-1"], 2, "--temperature must be at least 0, got -1.0"),
        (["--top-p", "2"], 2, "--top-p must be at most 1, got 2.0"),
        (["--top-k", "0"], 2, "--top-k must be at least 1, got 0"),
        (["--count", "0"], 2, "--count must be at least 1, got 0"),
        (["--length", "-1"], 2, "--length must be at least 0, got -1"),
        (["--promt", "a"], 2, "Did you mean --prompt?"),
    ],
)
def test_generate_refuses_in_one_sentence(
    unrolled: Unrolled, runs: Runs, words: list[str], code: int, text: str
) -> None:
    done = unrolled("generate", runs.text, *words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("error: ")
    assert text in done.err
    assert done.err.count("\n") == 1


def test_only_a_model_of_texts_generates(unrolled: Unrolled, runs: Runs) -> None:
    done = unrolled("generate", runs.reviews, "--prompt", "the")
    assert done.code == 2
    assert (
        "generate only works with the task 'next_step' on texts or piano rolls; this model's task is 'classify'"
        in done.err
    )


def test_a_word_that_was_never_seen_is_named_and_read_as_unknown(
    unrolled: Unrolled, runs: Runs, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ("fit", runs.file("cats.txt"), "--tokens", "words", "--steps", 2, "--hidden", 4, "--out", run, "--quiet")
    assert unrolled(*words).code == 0
    done = unrolled("generate", run, "--prompt", "the zebra sat.", "--length", 3)
    assert done.code == 0
    assert done.err == "warning: the model never saw 'zebra' in training, and reads it as <unknown>\n"
    assert unrolled("generate", run, "--prompt", "zebra").code == 3


def test_describe_draws_the_network_and_counts(unrolled: Unrolled, runs: Runs) -> None:
    done = unrolled("describe", runs.load)
    assert done.code == 0
    assert "h_0 → [ lstm ] → [ lstm ] → ⋯ → [ lstm ] → h_T" in done.out
    assert "x_T+1 … x_T+2" in done.out
    told = unrolled("describe", runs.load, "--json").json
    # 2 inputs, 4 units: 4 gates × 4 × (2 + 4) and the head 2 × 4
    assert told["multiply_adds_per_step"] == 4 * 4 * (2 + 4) + 2 * 4
    assert told["parameters"] == told["multiply_adds_per_step"] + 2 * 16 + 2
    assert "[ bigru ]" not in unrolled("describe", runs.both).out
    assert "cannot stream" in unrolled("describe", runs.both).out


@pytest.fixture
def broken(runs: Runs, tmp_path: Path) -> Callable[[str], Path]:
    def make(how: str) -> Path:
        run = tmp_path / "broken"
        shutil.rmtree(run, ignore_errors=True)
        if how == "a file":
            run.write_text("x")
            return run
        shutil.copytree(runs.text, run)
        weights, config = run / "model.safetensors", run / "config.json"
        if how == "truncated":
            weights.write_bytes(weights.read_bytes()[:-9])
        elif how == "flipped":
            data = bytearray(weights.read_bytes())
            data[-1] ^= 1
            weights.write_bytes(data)
        elif how == "without weights":
            weights.unlink()
        elif how == "newer":
            values = json.loads(config.read_text())
            (run / "manifest.json").unlink()
            config.write_text(json.dumps({**values, "format": 99}))
        elif how == "not ours":
            config.unlink()
        elif how == "stopped early":
            (run / "manifest.json").unlink()
            shutil.rmtree(run / "checkpoints")
        return run

    return make


@pytest.mark.parametrize("verb", ["describe", "generate", "evaluate", "predict", "stream"])
@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("truncated", "is damaged: it has"),
        ("flipped", "is damaged: its SHA-256"),
        ("without weights", "'model.safetensors' cannot be read"),
        ("newer", "has format 99, but this version reads formats up to 2: upgrade unrolled"),
        ("not ours", "is not a run: it has no config.json"),
        (
            "stopped early",
            "has no weights yet, because its training was stopped early: resume it with unrolled fit --resume",
        ),
        ("a file", "no such run directory"),
    ],
)
def test_a_run_that_cannot_be_used(
    unrolled: Unrolled, runs: Runs, broken: Callable[[str], Path], verb: str, how: str, text: str
) -> None:
    words = [runs.file("cats.txt")] if verb in ("evaluate", "predict") else []
    done = unrolled(verb, broken(how), *words)
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("error: ")
    assert text in done.err
    assert done.err.count("\n") == 1


def test_cells_that_the_model_does_not_read_go_out_as_they_came(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    file = tmp_path / "new.csv"
    file.write_text('id,text,share\n00123,"so, good",0.50\n12345678901234567890,a film,NA\n')
    done = unrolled("predict", runs.reviews, file, "--quiet")
    assert done.code == 0, done.err
    header, *rows = csv.reader(done.out.splitlines())
    assert header[:4] == ["id", "text", "share", "sentiment_predicted"]
    assert [row[:3] for row in rows] == [["00123", "so, good", "0.50"], ["12345678901234567890", "a film", "NA"]]


def test_nothing_to_score_is_an_error(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "short.csv").write_text("day,load,temp\n1,2.0,3.0\n2,2.0,3.0\n")
    done = unrolled("evaluate", runs.load, tmp_path / "short.csv", "--quiet")
    assert done.code == 3
    assert "holds nothing that could be scored: a forecast needs more than 2 steps" in done.err


def test_measuring_on_the_training_file_is_said(unrolled: Unrolled, runs: Runs) -> None:
    assert (
        "note: the model was trained on this file" in unrolled("evaluate", runs.reviews, runs.file("reviews.csv")).err
    )


def test_a_generated_tune_is_written_in_the_form_that_is_asked_for(
    unrolled: Unrolled, runs: Runs, tmp_path: Path
) -> None:
    tune = "X:1\nT:Air\nM:3/4\nL:1/4\nK:C\nCDE | E2D | C3 |]\n"
    (tmp_path / "tunes.abc").write_text(tune + "\n" + tune.replace("E2D", "EDC"))
    run = tmp_path / "run"
    assert unrolled("fit", tmp_path / "tunes.abc", "--valid", 0, *SMALL, "--out", run).code == 0
    for name, begin in {"t.abc": b"X:1\nT:Air", "t.mid": b"MThd", "t.WAV": b"RIFF", "t.svg": b"<svg"}.items():
        done = unrolled("generate", run, "--prompt", tune, "--length", 0, "--out", tmp_path / name)
        assert done.code == 0, done.err
        assert done.out.startswith(tune)
        assert (tmp_path / name).read_bytes().startswith(begin)
    done = unrolled("generate", run, "--prompt", "X:1\n", "--length", 0, "--out", tmp_path / "no.mid")
    assert done.code == 3
    assert (
        "the model did not write a valid tune: the text: line 2: the header has no K: field (try another --seed"
        in done.err
    )
    assert not (tmp_path / "no.mid").exists()
    told = unrolled("evaluate", run, tmp_path / "tunes.abc", "--tunes", 1, "--json").json["metrics"]
    assert 0 <= told["tunes_in_metre"] <= told["tunes_parsed"] <= 1
    assert "bits_per_character" in told
    for words in (("--out", tmp_path / "t.mp3"), ("--count", 2, "--out", tmp_path / "t.wav")):
        assert unrolled("generate", run, *words).code == 2
    assert unrolled("generate", run, "--prompt", tmp_path / "tunes.abc", "--length", 0).out == tune + "\n"


@pytest.mark.parametrize(
    ("music", "begins", "length"), [("events", "p60 d24 t24 p62 d24", 0), ("roll", "60\n60\n60\n60\n62\n", 3)]
)
def test_a_model_of_notes_goes_on_from_a_file_in_every_form(
    music: str, begins: str, length: int, unrolled: Unrolled, tmp_path: Path
) -> None:
    pytest.importorskip("symusic", reason="symusic reads what was written")
    (tmp_path / "tunes.abc").write_text("X:1\nL:1/4\nK:C\nCDE\n\n" * 3)
    run = tmp_path / "run"
    words = ("fit", tmp_path / "tunes.abc", "--music", music, "--valid", 0, *SMALL, "--out", run)
    assert unrolled(*words).code == 0
    prompt = tmp_path / "tunes.abc"
    for name in ("t.mid", "t.abc", "t.wav", "t.svg"):
        done = unrolled("generate", run, "--prompt", prompt, "--length", length, "--out", tmp_path / name)
        assert done.code == 0, done.err
        assert done.out.startswith(begins)
        assert (tmp_path / name).stat().st_size > 20
        prompt = tmp_path / "t.mid"  # what was written goes on
