"""A pretrained encoder in a folder as the embedding of a text: a tiny BERT of random weights, made here."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from contracts.runs import same_run

import unrolled as ur
from unrolled.data.encodings._level import SPECIALS
from unrolled.data.encodings._pretrained import Pretrained
from unrolled.errors import DataError, MissingExtra, UsageError
from unrolled.layers.pretrained import PretrainedEncoder
from unrolled.storage.tensors import load_tensors, save_tensors
from unrolled.training.trainer import Trainer

if importlib.util.find_spec("transformers") is None:
    pytest.skip("transformers is not installed", allow_module_level=True)

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "a", "cat", "dog", "sat", "ran", "on", "mat"]
_dice = random.Random(0)
TEXTS = [" ".join(_dice.choices(WORDS[4:], k=_dice.randint(2, 7))) for _ in range(24)]
DATA: dict[str, Any] = {"review": TEXTS, "label": ["cat" if "cat" in text else "none" for text in TEXTS]}
GIVEN: dict[str, Any] = {
    "steps": 4,
    "batch": 4,
    "hidden": 3,
    "device": "cpu",
    "checkpoint_every": "2",
    "model": "gru",
    "target": "label",
    "kinds": {"label": "category", "review": "tokens"},
}
CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "architectures": ["BertForMaskedLM"],
    "vocab_size": len(WORDS),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "max_position_embeddings": 12,
    "auto_map": {"AutoModel": "evil.Model"},
}


def write_folder(folder: Path) -> Path:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    folder.mkdir()
    tokenizer = Tokenizer(models.WordPiece({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    torch.manual_seed(1)
    made = PretrainedEncoder(json.dumps({k: v for k, v in CONFIG.items() if k != "auto_map"})).model
    tensors = {f"bert.{name}": tensor for name, tensor in made.state_dict().items() if "pooler" not in name}
    old = {name.replace("LayerNorm.weight", "LayerNorm.gamma"): tensor for name, tensor in tensors.items()}
    (folder / "model.safetensors").write_bytes(save_tensors({**old, "cls.predictions.bias": torch.zeros(3)}))
    return folder


class Stop(Exception):
    """As sudden as a kill: nothing of ours catches it."""


def stopped_before(step: int) -> Callable[..., None]:
    take = Trainer._step

    def until(self: Trainer, *arguments: Any) -> None:
        if self.progress.step == step:
            raise Stop
        take(self, *arguments)

    return until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "bert")


def saved(folder: Path) -> dict[str, torch.Tensor]:
    found = load_tensors(folder / "model.safetensors")
    return {name.removeprefix("bert.").replace("gamma", "weight"): one for name, one in found.items()}


def encoder_of(trained: ur.Trained) -> PretrainedEncoder:
    (found,) = (part for part in trained.network.modules() if isinstance(part, PretrainedEncoder))
    return found


def test_what_it_makes_of_a_text_is_what_transformers_makes_of_it(folder: Path, tmp_path: Path) -> None:
    import transformers

    trained = ur.fit(DATA, out=tmp_path / "run", vectors=folder, **GIVEN)
    tokens, encoder = trained.task.coder.inputs["review"], encoder_of(trained)
    ids = torch.from_numpy(tokens.encode_text("The cat, RAN").astype("int64"))[None]
    assert (ids - SPECIALS).tolist() == [[2, 4, 6, 1, 9, 3]]
    theirs = transformers.BertModel.from_pretrained(folder, local_files_only=True, add_pooling_layer=False).eval()
    with torch.no_grad():
        wanted = theirs(input_ids=ids - SPECIALS).last_hidden_state
        found, _ = trained.network.columns({"review": ids}, torch.tensor([6]))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)
    assert encoder.output_size == 16 and not trained.network.causal


@pytest.mark.parametrize("freeze", [None, True, False])
def test_it_is_kept_unless_it_is_to_be_tuned_and_is_needed_no_more(
    freeze: bool | None, folder: Path, tmp_path: Path
) -> None:
    lines: list[str] = []
    given = {**GIVEN, "vectors": folder, "freeze": freeze, "valid": 0}
    trained = ur.fit(DATA, out=tmp_path / "run", say=lines.append, **given)
    weights, found = saved(folder), encoder_of(trained).model.state_dict()
    same = {name: torch.equal(weights[name], tensor) for name, tensor in found.items() if "pooler" not in name}
    assert all(same.values()) if freeze is not False else not any(same.values())
    (told,) = [line for line in lines if line.startswith("vectors: ")]
    assert told.startswith("vectors: those of a pretrained encoder, 16 numbers for each token, ")
    assert ("frozen (see freeze)" in told) == (freeze is not False)
    card = (tmp_path / "run" / "README.md").read_text("utf-8")
    assert f"vectors come from `{folder}`{' and were not trained' * (freeze is not False)}." in card
    assert "- input `review`: 12 tokens of a pretrained bert" in card
    shutil.rmtree(folder)
    again = ur.load(tmp_path / "run")
    assert again.predict(DATA).equals(trained.predict(DATA))
    assert encoder_of(again).model.config.hidden_size == 16
    assert not hasattr(encoder_of(again).model.config, "auto_map")


@pytest.mark.parametrize("freeze", [True, False])
def test_stopped_and_resumed_without_the_folder_it_ends_the_same(
    freeze: bool, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    given = {**GIVEN, "vectors": folder, "freeze": freeze}
    ur.fit(DATA, out=straight, **given)
    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(Trainer, "_step", stopped_before(3))
        ur.fit(DATA, out=stopped, **given)
    shutil.rmtree(folder)
    ur.fit(DATA, out=stopped, resume=True)
    same_run(stopped, straight)


def test_padding_and_company_change_nothing(folder: Path) -> None:
    level = Pretrained.open(folder)
    torch.manual_seed(0)
    encoder = PretrainedEncoder(level.config).eval()
    encoder.load(folder)
    ids = torch.tensor([[5, 7, 9, 6, 0, 0], [5, 8, 9, 10, 11, 6], [0] * 6])
    lengths = torch.tensor([[4], [6], [0]])
    real = torch.arange(6) < lengths
    y = encoder(ids, real)
    other = encoder(torch.where(real, ids, 3), real)
    assert torch.equal(y, other)
    assert not y[0, 4:].any() and not y[2].any()
    torch.testing.assert_close(y[:1, :4], encoder(ids[:1, :4], None), rtol=0, atol=1e-6)
    y.sum().backward()
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in encoder.parameters())


def test_a_text_that_is_too_long_is_cut_and_said(folder: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    long = {**DATA, "review": [*TEXTS[:-1], "cat " * 30]}
    trained = ur.fit(long, out=tmp_path / "run", vectors=folder, valid=0, say=lines.append, **GIVEN)
    tokens = trained.task.coder.inputs["review"]
    assert len(tokens.encode_text("cat " * 30)) == 12
    part = trained.read({"review": ["cat " * 30, "a cat"]})
    assert trained.task.coder.notes(part, trained.encode(part, target=False)) == [
        "review: 1 of 2 texts may be cut off at 12 tokens"
    ]


def spoil(folder: Path, how: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    match how:
        case "a pickle":
            (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        case "no weights":
            (folder / "model.safetensors").unlink()
        case "no tokenizer":
            (folder / "tokenizer.json").unlink()
        case "a tokenizer that is none":
            (folder / "tokenizer.json").write_text("{}")
        case "fewer words":
            config["vocab_size"] = 5
        case "a type of its own":
            config["model_type"] = "evil"
        case "no type":
            del config["model_type"]
        case "other sizes":
            config["hidden_size"] = 32
        case "a weight that is not there":
            tensors = load_tensors(folder / "model.safetensors")
            del tensors["bert.embeddings.position_embeddings.weight"]
            (folder / "model.safetensors").write_bytes(save_tensors(tensors))
        case "too deep":
            config["num_hidden_layers"] = 10**6
        case "cut short":
            (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-10])
    (folder / "config.json").write_text(json.dumps(config))


BAD: dict[str, tuple[type[Exception], str]] = {
    "a pickle": (
        DataError,
        r"bert: stores its weights as a pickle, which could run code \(save them as model.safetensors",
    ),
    "no weights": (DataError, "bert: has no model.safetensors, so it is not the folder of a pretrained encoder"),
    "no tokenizer": (DataError, "tokenizer.json: there is no such file"),
    "a tokenizer that is none": (
        DataError,
        "bert: is not the folder of a pretrained encoder: its tokenizer.json cannot be read: ",
    ),
    "fewer words": (DataError, "its config.json has vocab_size 5, but its tokenizer 12 tokens"),
    "a type of its own": (UsageError, "transformers cannot build an encoder of type 'evil' with these sizes: "),
    "no type": (DataError, "its config.json has no model_type"),
    "other sizes": (
        DataError,
        r"model.safetensors: the weight embeddings.word_embeddings.weight has shape \(12, 16\), expected shape \(12, 32\)",
    ),
    "a weight that is not there": (
        DataError,
        "model.safetensors: the weight embeddings.position_embeddings.weight is missing",
    ),
    "too deep": (
        UsageError,
        "transformers cannot build an encoder of type 'bert' with these sizes: it must be an encoder with 1 to",
    ),
    "cut short": (
        DataError,
        "bert: holds no pretrained encoder: .*model.safetensors: not a safetensors file, or damaged",
    ),
}


@pytest.mark.parametrize("how", BAD)
def test_a_folder_that_is_no_encoder_is_refused(how: str, folder: Path, tmp_path: Path) -> None:
    spoil(folder, how)
    with pytest.raises(BAD[how][0], match=BAD[how][1]) as caught:
        ur.fit(DATA, out=tmp_path / "run", vectors=folder, **GIVEN)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"tokens": "words"},
            "tokens does not work with a pretrained encoder .vectors., which has its own tokens: leave one out",
        ),
        ({"task": "next_step", "target": "review"}, "a pretrained encoder reads each text in both directions"),
        (
            {"kinds": {"review": "category", "label": "category"}},
            "reads texts, but no input is text: leave vectors out",
        ),
    ],
)
def test_what_goes_with_no_folder(options: dict[str, Any], text: str, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=text):
        ur.fit(DATA, out=tmp_path / "run", **{**GIVEN, "vectors": folder, **options})


def test_it_cannot_answer_live(folder: Path, tmp_path: Path) -> None:
    trained = ur.fit(DATA, out=tmp_path / "run", vectors=folder, **GIVEN)
    with pytest.raises(UsageError):
        trained.stream()


def test_a_missing_package_is_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unrolled.layers.pretrained.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"a pretrained encoder needs transformers: pip install 'unrolled\[hf\]'"):
        ur.fit(DATA, out=tmp_path / "run", vectors=folder, **GIVEN)
