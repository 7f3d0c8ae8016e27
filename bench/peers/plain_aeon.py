# /// script
# dependencies = ["aeon==1.6.0"]
# ///
"""aeon's MiniRocket and Rocket as they come; series of unequal length are padded with zeros at their ends."""

import json
import sys
import time

import aeon
import numpy as np
from aeon.classification.convolution_based import MiniRocketClassifier, RocketClassifier
from aeon.datasets import load_from_ts_file


def main():
    data = json.loads(sys.argv[2])
    (x, y), (test, right) = (load_from_ts_file(data[part]) for part in ("train", "test"))
    longest = max(len(series[0]) for series in (*x, *test))
    x, test = (np.stack([padded(series, longest) for series in part]) for part in (x, test))
    found = {}
    for make in (MiniRocketClassifier, RocketClassifier):
        began = time.time()
        answers = make(random_state=0).fit(x, y).predict(test)
        name = make.__name__.removesuffix("Classifier")
        found[name] = {"right": right.tolist(), "answers": answers.tolist(), "seconds": time.time() - began}
    print(json.dumps({"version": f"aeon {aeon.__version__}", "found": found}))


def padded(series, longest):
    """(channels, longest), at least the nine steps that their kernels need."""
    found = np.zeros((len(series), max(9, longest)))
    found[:, : len(series[0])] = series
    return found


if __name__ == "__main__":
    main()
