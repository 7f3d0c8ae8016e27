# /// script
# dependencies = ["fasttext==0.9.3"]
# ///
"""fastText as its tutorial calls it: words and pairs of words, 25 epochs, a rate of 1."""

import csv
import importlib.metadata
import json
import sys
import tempfile
import time
from pathlib import Path

import fasttext


def main():
    data = json.loads(sys.argv[2])
    train, test = rows(data["train"], data["target"]), rows(data["test"], data["target"])
    names = sorted({label for _, label in train})
    began = time.time()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "train.txt"
        file.write_text("".join(f"__label__{names.index(label)} {text}\n" for text, label in train), "utf-8")
        model = fasttext.train_supervised(str(file), epoch=25, lr=1.0, wordNgrams=2, thread=1, seed=0, verbose=0)
    found = [model.f.predict(text + "\n", 1, 0.0, "strict") for text, _ in test]
    answers = [names[int(one[0][1].removeprefix("__label__"))] if one else names[0] for one in found]
    judged = {"right": [label for _, label in test], "answers": answers, "seconds": time.time() - began}
    print(json.dumps({"version": f"fasttext {importlib.metadata.version('fasttext')}", "found": {"fastText": judged}}))


def rows(path, target):
    with Path(path).open(encoding="utf-8", newline="") as lines:  # some reviews hold line separators of other kinds
        listed = [json.loads(line) for line in lines] if path.endswith(".jsonl") else list(csv.DictReader(lines))
    text = next(name for name in listed[0] if name != target)
    return [(" ".join(row[text].split()), row[target]) for row in listed]


if __name__ == "__main__":
    main()
