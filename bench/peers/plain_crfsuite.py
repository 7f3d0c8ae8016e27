# /// script
# dependencies = ["python-crfsuite==0.9.12"]
# ///
"""CRFsuite with the features of its tutorial: the word, its ends, its shape, and the same of its neighbours."""

import importlib.metadata
import json
import sys
import tempfile
import time
from pathlib import Path

import pycrfsuite


def main():
    data = json.loads(sys.argv[2])
    train, test = sentences(data["train"]), sentences(data["test"])
    began = time.time()
    trainer = pycrfsuite.Trainer(verbose=False)
    for sentence in train:
        trainer.append([features(sentence, at) for at in range(len(sentence))], [tag for _, tag in sentence])
    trainer.set_params({"c1": 0.1, "c2": 0.1, "max_iterations": 100, "feature.possible_transitions": True})
    tagger = pycrfsuite.Tagger()
    with tempfile.TemporaryDirectory() as folder:
        trainer.train(str(Path(folder) / "model"))
        tagger.open(str(Path(folder) / "model"))
        answers = [tagger.tag([features(sentence, at) for at in range(len(sentence))]) for sentence in test]
    right = [[tag for _, tag in sentence] for sentence in test]
    judged = {"CRF, ordinary features": {"right": right, "answers": answers, "seconds": time.time() - began}}
    print(json.dumps({"version": f"python-crfsuite {importlib.metadata.version('python-crfsuite')}", "found": judged}))


def sentences(path):
    found = [[]]
    for line in Path(path).read_text("utf-8").split("\n"):
        if line.strip():
            word, tag = line.split("\t")
            found[-1].append((word.strip(), tag.strip()))
        elif found[-1]:
            found.append([])
    return [sentence for sentence in found if sentence]


def features(sentence, at):
    found = {"bias": 1.0, **of_word(sentence[at][0], "")}
    found |= {f"{name}_ends": sentence[at][0][-size:] for name, size in (("three", 3), ("two", 2))}
    found |= of_word(sentence[at - 1][0], "-1:") if at else {"begins": True}
    found |= of_word(sentence[at + 1][0], "+1:") if at + 1 < len(sentence) else {"ends": True}
    return found


def of_word(word, place):
    marks = {"lower": word.lower(), "upper": word.isupper(), "title": word.istitle(), "digit": word.isdigit()}
    return {f"{place}{name}": value for name, value in marks.items()}


if __name__ == "__main__":
    main()
