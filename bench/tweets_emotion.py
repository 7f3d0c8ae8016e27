"""Tweets, emotion (anger, joy, optimism, sadness): macro-averaged F1 on the test set.

Protocol: train (3 257), validation (374) and test (1 421) as TweetEval gives them; no outside vectors.

Published: TweetEval's LSTM 66.0, FastText 65.2, SVM 64.7, RoBERTa 76.1 macro-F1 (Barbieri et al. 2020, table 2,
https://arxiv.org/abs/2010.12421); its LSTM and FastText may start from vectors trained on tweets.
Floor: 58. Goal: 66.0.
"""

import json
from pathlib import Path

import common

TUNED = ["--model", "bigru", "--embedding", "300", "--dropout", "0.5", "--lr", "1e-3", "--epochs", "10"]
VARIANTS = {
    "bigru 128, max-pooled": TUNED,
    "plain default": [],
}
METRICS = ("macro_f1", "accuracy")


def main() -> None:
    options = common.arguments(__doc__, VARIANTS)
    folder = common.work("tweets_emotion")
    write_parts(folder)
    common.header(METRICS)
    for variant, flags in options.variants.items():
        arguments = ["--target", "emotion", "--valid", "val.jsonl", "--test", "test.jsonl", *flags]
        runs = [
            common.fit("tweets_emotion", variant, "train.jsonl", arguments, seed, options) for seed in options.seeds
        ]
        common.row(variant, runs, METRICS)


def write_parts(folder: Path) -> None:
    """``train.jsonl``, ``val.jsonl`` and ``test.jsonl``."""
    names = dict(line.split("\t") for line in _lines("mapping.txt"))
    for split in ("train", "val", "test"):
        pairs = zip(_lines(f"{split}_text.txt"), _lines(f"{split}_labels.txt"), strict=True)
        rows = [json.dumps({"text": text, "emotion": names[label]}, ensure_ascii=False) for text, label in pairs]
        (folder / f"{split}.jsonl").write_text("".join(f"{row}\n" for row in rows), "utf-8")


def _lines(name: str) -> list[str]:
    text = common.data("tweets-emotion", name).read_bytes().decode("utf-8")
    return [line.strip() for line in text.removesuffix("\n").split("\n")]


if __name__ == "__main__":
    main()
