"""Going on from another run: what is taken over, that it is enough to be stopped anywhere, and what is refused."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from configs import model_config
from contracts.runs import same_run

import unrolled as ur
from unrolled.cli.main import main
from unrolled.errors import ModelError, UsageError
from unrolled.models.network import Network
from unrolled.runs.start import open_start
from unrolled.training.trainer import Trainer

_dice = random.Random(0)
TEXTS = [
    " ".join(_dice.choices(["the", "a", "cat", "dog", "sat", "ran", "on", "mat"], k=_dice.randint(2, 7)))
    for _ in range(40)
]
LABELS = ["cat" if "cat" in text else "none" for text in TEXTS]
WORDS = [text.split() for text in TEXTS]
LABELLED: dict[str, Any] = {"review": TEXTS[:30], "label": LABELS[:30]}
SMALL: dict[str, Any] = {"steps": 6, "batch": 4, "device": "cpu", "checkpoint_every": "1", "plan": "fixed"}
TUNE: dict[str, Any] = {**SMALL, "target": "label", "kinds": {"label": "category"}}


def learned(place: Path, model: str = "bigru", **options: Any) -> Path:
    given = {"task": "fill", "model": model, "hidden": 6, "layers": 2, **SMALL, **options}
    ur.fit(given.pop("data", {"text": TEXTS}), out=place, **given)
    return place


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of `fill`."""
    return learned(tmp_path_factory.mktemp("pretrained") / "run")


@pytest.fixture
def mine(source: Path, tmp_path: Path) -> Path:
    """The same run at a place that a test may spoil."""
    return Path(shutil.copytree(source, tmp_path / "source"))


class Stop(Exception):
    """As sudden as a kill: nothing of ours catches it."""


def stop_before(monkeypatch: pytest.MonkeyPatch, step: int) -> list[dict[str, torch.Tensor]]:
    """Whichever run comes next ends before it takes ``step``; the weights that it had then."""
    take, weights = Trainer._step, []

    def until(self: Trainer, *arguments: Any) -> None:
        if self.progress.step == step:
            weights.append({name: tensor.clone() for name, tensor in self.network.state_dict().items()})
            raise Stop
        take(self, *arguments)

    monkeypatch.setattr(Trainer, "_step", until)
    return weights


def test_what_stands_beside_a_network_is_not_taken_over(tmp_path: Path) -> None:
    """Its n-grams predict the next word, not a label; another solved model may start the new run."""
    place = learned(tmp_path / "pretrained", "gru", task="next_step", tokens="words", blend=["ngram"])
    theirs = ur.load(place)
    assert theirs.network.title == "gru and 5-gram"
    tuned = ur.fit(LABELLED, init_from=place, out=tmp_path / "run", **TUNE)
    assert (tuned.network.title, tuned.config.model.blend) == ("gru", ())
    assert tuned.network.trunk().keys() == theirs.network.trunk().keys()
    with pytest.raises(UsageError, match="'ngram' cannot answer the task 'classify'"):
        ur.fit(LABELLED, init_from=place, out=tmp_path / "other", start="ngram", **TUNE)


# --- what is taken over --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "pretrained", "data", "options"),
    [
        ("bigru", {}, LABELLED, {"target": "label"}),
        ("bilstm", {}, {"text": TEXTS, "size": [float(len(text)) for text in TEXTS]}, {"target": "size"}),
        ("bitransformer", {}, LABELLED, {"target": "label"}),
        (
            "bigru",
            {"data": {"words": WORDS}},
            {"letters": WORDS, "tags": [[w == "cat" for w in row] for row in WORDS]},
            {"target": "tags", "crf": True},
        ),
        ("gru", {"task": "next_step", "tokens": "words"}, LABELLED, {"target": "label"}),
        ("gru", {}, {"text": TEXTS}, {"task": "next_step"}),
        (
            "gru",
            {"data": {"x": [[[1.0, n], [2.0, 0.5]] for n in range(12)]}, "task": "next_step"},
            {"x": [[[3.0, n]] for n in range(12)], "big": [n > 5 for n in range(12)]},
            {"target": "big"},
        ),
    ],
)
def test_columns_layer_and_encodings_are_those_of_the_other_run(
    model: str,
    pretrained: dict[str, Any],
    data: dict[str, Any],
    options: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, out, lines = learned(tmp_path / "pretrained", model, **pretrained), tmp_path / "run", list[str]()
    theirs = ur.load(place)
    with monkeypatch.context() as patch, pytest.raises(Stop):
        first = stop_before(patch, 0)
        ur.fit(data, init_from=place, out=out, say=lines.append, **SMALL, **options)
    shared = {name: t for name, t in theirs.network.state_dict().items() if name.startswith(("columns.", "layer."))}
    assert shared
    assert {name for name in first[0] if not name.startswith("head.")} == shared.keys()
    for name, tensor in shared.items():
        assert torch.equal(first[0][name], tensor), name
    assert f"initialised from {place}: {model}, its encodings, and all its weights but those of the head" in lines
    tuned = ur.fit(data, init_from=place, out=out, overwrite=True, **SMALL, **options)
    (ours,), (other,) = tuned.task.coder.inputs.values(), theirs.task.coder.inputs.values()
    framed = {"framed": options.get("task") == "next_step"} if ours.kind == "tokens" else {}
    assert ours.to_config() == {**other.to_config(), **framed}
    assert tuned.config.model == theirs.config.model
    assert not torch.equal(tuned.network.state_dict()[next(iter(shared))], shared[next(iter(shared))])  # it learns
    shutil.rmtree(place)
    again = ur.load(out)
    question = {name: column[:3] for name, column in data.items()}
    assert again.predict(question).equals(tuned.predict(question))
    assert again.predict(question).num_rows == 3


def test_several_columns_are_read_in_the_order_in_which_they_were_learned(tmp_path: Path) -> None:
    ages = [float(n % 7) for n in range(30)]
    place = learned(tmp_path / "a", "gru", data={"age": ages, **LABELLED}, task="classify", target="label")
    data = {"long": [len(text) > 12 for text in TEXTS[:30]], "comment": TEXTS[:30], "age": ages}
    tuned = ur.fit(data, target="long", init_from=place, out=tmp_path / "b", **SMALL)
    assert list(tuned.task.coder.inputs) == ["age", "comment"]


def test_how_it_is_trained_and_pooled_may_differ(source: Path, tmp_path: Path) -> None:
    more = {"dropout": 0.1, "pool": "mean", "model": "bigru", "hidden": 6, "tokens": "words", "vocabulary": 20_000}
    tuned = ur.fit(LABELLED, init_from=source, out=tmp_path / "run", **TUNE, **more)
    expected = model_config(name="bigru", hidden=6, layers=2, dropout=0.1, pool="mean")
    assert tuned.config.model.model_copy(update={"own": {}}) == expected.model_copy(update={"own": {}})
    assert tuned.config.model.of("model", "network") == expected.of("model", "network")


def test_the_run_tells_where_it_came_from(source: Path, tmp_path: Path) -> None:
    tuned = ur.fit(LABELLED, init_from=source, out=tmp_path / "run", **TUNE)
    assert tuned.config.training.init_from == str(source)
    digest = open_start(str(source), None).fingerprint["sha256"]
    card = (tmp_path / "run" / "README.md").read_text()
    assert f"It was initialised from the run `{source}`: its encodings, and all its weights except the head's." in card
    assert f"- start: `{source}`, " in card
    assert f"sha256 `{digest}`" in card
    assert "It began" not in (source / "README.md").read_text()


def test_what_was_framed_for_writing_is_not_for_reading(tmp_path: Path) -> None:
    """A live model must be asked what it was trained on: no <begin>, no <end>."""
    place = learned(tmp_path / "a", "gru", task="next_step", tokens="words")
    tuned = ur.fit(LABELLED, init_from=place, out=tmp_path / "b", **TUNE)
    live = tuned.stream()
    for word in ["the", "cat", "sat"]:
        answer = live.push(word)
    assert answer["label_p_cat"] == pytest.approx(
        tuned.predict(["the cat sat"]).column("label_p_cat")[0].as_py(), abs=1e-6
    )


def test_of_a_run_that_was_stopped_the_best_weights_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(Stop):
        stop_before(patch, 4)
        learned(tmp_path / "a")
    best = ur.load(tmp_path / "a").network.state_dict()
    with monkeypatch.context() as patch, pytest.raises(Stop):
        first = stop_before(patch, 0)
        ur.fit(LABELLED, init_from=tmp_path / "a", out=tmp_path / "b", **TUNE)
    name = "columns.embeddings.0.weight"
    assert torch.equal(first[0][name], best[name])


# --- C9: it was stopped, and what it went on from is gone ------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 4])
def test_it_goes_on_to_the_bit_without_the_other_run(
    step: int, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    ur.fit(LABELLED, init_from=mine, out=straight, **TUNE)
    with monkeypatch.context() as patch, pytest.raises(Stop):
        stop_before(patch, step)
        ur.fit(LABELLED, init_from=mine, out=stopped, **TUNE)
    shutil.rmtree(mine)
    ur.fit(LABELLED, out=stopped, resume=True, init_from=mine)
    same_run(stopped, straight)


def test_before_its_first_checkpoint_it_needs_the_other_run(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, stopped, away = tmp_path / "straight", tmp_path / "stopped", tmp_path / "away"
    ur.fit(LABELLED, init_from=mine, out=straight, **TUNE)
    with monkeypatch.context() as patch, pytest.raises(Stop):
        stop_before(patch, 0)
        ur.fit(LABELLED, init_from=mine, out=stopped, **TUNE)
    mine.rename(away)
    with pytest.raises(ModelError) as gone:
        ur.fit(LABELLED, out=stopped, resume=True)
    assert str(gone.value) == (
        f"{stopped} has no checkpoint yet, and cannot start again without {mine}: {mine}: no such run directory"
    )
    learned(mine, seed=5)
    with pytest.raises(ModelError) as changed:
        ur.fit(LABELLED, out=stopped, resume=True)
    assert (
        str(changed.value)
        == f"{stopped} has no checkpoint yet, and the weights of {mine} have changed since it was started"
    )
    shutil.rmtree(mine)
    away.rename(mine)
    ur.fit(LABELLED, out=stopped, resume=True)
    same_run(stopped, straight)


def test_a_resumed_run_keeps_what_it_began_from(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(Stop):
        stop_before(patch, 2)
        ur.fit(LABELLED, init_from=source, out=tmp_path / "run", **TUNE)
    with pytest.raises(
        UsageError, match="was started with init_from = .*, not 'elsewhere': a resumed run keeps its options"
    ):
        ur.fit(LABELLED, init_from="elsewhere", out=tmp_path / "run", resume=True)


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (LABELLED, {"model": "bilstm"}, "has model = 'bigru', not 'bilstm': leave model out, or init_from"),
        (LABELLED, {"hidden": 7}, "has hidden = 6, not 7: leave hidden out, or init_from"),
        (LABELLED, {"layers": 1}, "has layers = 2, not 1: leave layers out, or init_from"),
        (
            LABELLED,
            {"kv_heads": 1},
            "kv_heads only works with the model 'bitransformer' or 'transformer'; this run's model is 'bigru'.",
        ),
        (LABELLED, {"tokens": "characters"}, "has tokens = 'words', not 'characters': leave tokens out, or init_from"),
        (LABELLED, {"vocabulary": 9}, "has vocabulary = 20000, not 9: leave vocabulary out, or init_from"),
        (
            {**LABELLED, "age": [n % 7 for n in range(30)]},
            {},
            "reads text (tokens), but this run reads review (tokens), age (number): choose the same columns with inputs",
        ),
        (
            {"one": TEXTS[:30], "two": TEXTS[:30], "label": LABELS[:30]},
            {},
            "reads text (tokens), but this run reads one (tokens), two (tokens): choose the same columns with inputs",
        ),
        (
            {"wave": [[0.5, 1.0]] * 30, "label": LABELS[:30]},
            {},
            "reads text (tokens), but this run reads wave (number): choose the same columns with inputs",
        ),
        (
            {"text": [[0.5, 1.0]] * 30, "label": LABELS[:30]},
            {},
            "reads 'text' as texts, but here 'text' is of kind number and type list<item: double>",
        ),
        (
            {"review": WORDS[:30], "label": LABELS[:30]},
            {},
            "reads 'text' as texts, but here 'review' is of kind category and type list<item: string>",
        ),
        (
            LABELLED,
            {"kinds": {"label": "category", "review": "category"}},
            "reads 'text' as texts, but here 'review' is of kind category and type string",
        ),
        (
            {"wave": [[0.5, 1.0] * 9] * 4},
            {"target": "wave", "horizon": 1, "kinds": {}},
            "init_from does not work where columns are joined",
        ),
    ],
)
def test_another_model_or_other_columns_are_refused(
    data: dict[str, Any], options: dict[str, Any], message: str, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        ur.fit(data, init_from=source, out=tmp_path / "run", **{**TUNE, **options})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_column_of_another_kind_is_refused(tmp_path: Path) -> None:
    place = learned(tmp_path / "a", "gru", data={"x": [[1.0, n, 3.0] for n in range(12)]}, task="next_step")
    with pytest.raises(UsageError, match=r"a reads 'x' as series, but here 'x' is of kind tokens and type string"):
        ur.fit({"x": TEXTS[:30], "label": LABELS[:30]}, init_from=place, out=tmp_path / "run", **TUNE)


def test_what_is_no_run_is_refused(mine: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for place, message in (
        (tmp_path / "nowhere", "nowhere: no such run directory"),
        (empty, "empty is not a run: it has no config.json"),
    ):
        with pytest.raises(ModelError, match=message):
            ur.fit(LABELLED, init_from=place, out=tmp_path / "run", **TUNE)
    weights = mine / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ModelError, match="model.safetensors"):
        ur.fit(LABELLED, init_from=mine, out=tmp_path / "run", **TUNE)
    assert not (tmp_path / "run").exists()


def test_a_model_that_writes_neither_begins_from_another_nor_is_begun_from(source: Path, tmp_path: Path) -> None:
    pairs: dict[str, Any] = {"text": TEXTS[:12], "back": [text[::-1] for text in TEXTS[:12]]}
    write: dict[str, Any] = {**SMALL, "task": "translate", "target": "back", "hidden": 4, "valid": 0}
    with pytest.raises(
        UsageError, match="init_from does not work with a task that writes sequences: leave init_from out"
    ):
        ur.fit(pairs, init_from=source, out=tmp_path / "run", **{**write, "hidden": 6})
    ur.fit(pairs, out=tmp_path / "writer", **write)
    with pytest.raises(
        UsageError, match="init_from only works with single networks; the model in .*writer is an encoder–decoder"
    ):
        ur.fit(LABELLED, init_from=tmp_path / "writer", out=tmp_path / "run", **TUNE)


def test_a_run_does_not_go_on_from_itself(mine: Path) -> None:
    before = (mine / "model.safetensors").read_bytes()
    with pytest.raises(UsageError, match="init_from and out are both .*source: choose another out"):
        ur.fit(LABELLED, init_from=mine, out=mine, overwrite=True, **TUNE)
    assert (mine / "model.safetensors").read_bytes() == before


def test_a_network_of_other_parts_is_refused(source: Path) -> None:
    start = open_start(str(source), None)
    specs = {name: encoding.spec for name, encoding in start.inputs.items()}
    other = Network(specs, model_config(name="bigru", hidden=6, layers=1), outputs=2, pooled=True)
    with pytest.raises(UsageError, match="has weights that do not fit this network: they differ at 'layer.layers.1.0"):
        start.give(other)


# --- the command line ------------------------------------------------------------------------------------------------


def test_init_from_is_a_flag_and_a_line_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain, labelled, out = tmp_path / "plain.csv", tmp_path / "labelled.csv", str(tmp_path / "tuned")
    plain.write_text("text\n" + "\n".join(TEXTS) + "\n")
    labelled.write_text("text,label\n" + "\n".join(map(",".join, zip(TEXTS, LABELS, strict=True))) + "\n")
    small = ["--steps", "2", "--hidden", "4", "--quiet"]
    words = ["fit", str(plain), "--task", "fill", "--kinds", "text=tokens", "--out", str(tmp_path / "learned")]
    assert main([*words, *small[:-1]]) == 0
    assert f"unrolled fit FILE --target COLUMN --init-from {tmp_path / 'learned'}" in capsys.readouterr().err
    tune = ["fit", str(labelled), "--target", "label", "--steps", "2", "--out", out, "--quiet"]
    assert main([*tune, "--init-from", str(tmp_path / "learned")]) == 0
    assert ur.load(out).config.training.init_from == str(tmp_path / "learned")
    (tmp_path / "tune.yaml").write_text(f"init-from: {tmp_path / 'learned'}\n")
    assert main([*tune, "--overwrite", "--config", str(tmp_path / "tune.yaml")]) == 0
    assert ur.load(out).config.model.hidden == 4
    assert main([*tune, "--overwrite", "--init-from", "nowhere"]) == 4
    assert capsys.readouterr().err == "error: nowhere: no such run directory\n"
