"""Digits read pixel by pixel: eight models side by side, the same units, layers and seconds each; accuracy.

Protocol: scikit-learn's 1 797 digits of 8 × 8 pixels, row by row from the top left: 64 steps of one number from 0 to 1,
then the digit is asked for. A permutation fixed once and for all gives the 360 test digits; of the others each run of
`unrolled fit` holds out a tenth, drawn by its seed, which chooses the weights. Two layers of 64 units, a minute each.

What it shows: how much of the first rows each model still knows at the last pixel. Published figures are of 28 × 28
pixels and hours of training (IRNN 97 %, Le, Jaitly, Hinton 2015, https://arxiv.org/abs/1504.00941), and no yardstick
for these.
"""

import json
from pathlib import Path

import common
import numpy as np
from sklearn.datasets import load_digits

TEST = 360
TUNED = ["--hidden", "64", "--layers", "2", "--lr", "2e-3", "--minutes", "1"]
MODELS = ("rnn", "irnn", "gru", "lstm", "mingru", "minlstm", "deltanet", "transformer")
VARIANTS = {name: ["--model", name, *TUNED] for name in MODELS}
METRICS = ("accuracy", "loss_nats_per_label")


def main() -> None:
    options = common.arguments(__doc__, VARIANTS)
    write(common.work("sequential_digits"))
    common.header(METRICS)
    for variant, flags in options.variants.items():
        arguments = ["--target", "digit", "--test", "test.jsonl", *flags]
        runs = [common.fit("sequential_digits", variant, "train.jsonl", arguments, s, options) for s in options.seeds]
        common.row(variant, runs, METRICS)


def write(folder: Path) -> None:
    """train.jsonl and test.jsonl; what is there already is written anew, the same to the byte."""
    pixels, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(digits))
    for split, chosen in (("test", order[:TEST]), ("train", order[TEST:])):
        rows = [{"pixels": (pixels[at] / 16).tolist(), "digit": str(digits[at])} for at in chosen]
        (folder / f"{split}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), "ascii")


if __name__ == "__main__":
    main()
