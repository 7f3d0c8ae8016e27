"""Characters of Shakespeare: nats per character on the last 10 %.

Protocol: the first 90 % by position train; the last 10 % are read once, at the end of the budget. The tuned runs hold
nothing else out: their flags were chosen on a tenth of the 90 %, then all of it trains to the end of the budget. The
plain default holds out the last tenth of the 90 % to stop by. Each lane of the test reads 512 characters of context
first; the end of the file counts as one more character. The transformer, minGRU and the matrix memory have the LSTM's
five minutes, on the clock, whatever their steps and weights are in that time.

Published: nanoGPT's best validation loss 1.4697 on a GPU, about 1.88 with its 3-minute recipe for a CPU (its README,
https://github.com/karpathy/nanoGPT, same split); minGRU 1.548 (Feng et al. 2024, https://arxiv.org/abs/2410.01201).
Floor: 1.53 after 5 minutes on two cores; `peer_lstm.py` is the plain torch loop beside it. Goal: 1.4697.
"""

from pathlib import Path

import common

WHOLE = ["--valid", "0"]  # nothing is held out; with --tune, a tenth is
LSTM = ["--bptt", "64"]
# Attention sees so many characters back in each layer, and its lanes carry as many from window to window.
TRANSFORMER = [
    "--model",
    "transformer",
    "--layers",
    "4",
    "--hidden",
    "160",
    "--attention-window",
    "128",
    "--bptt",
    "128",
]
MINGRU = ["--model", "mingru", "--layers", "3", "--hidden", "384", "--bptt", "128", "--dropout", "0.1"]
DELTANET = ["--model", "deltanet", "--layers", "3", "--hidden", "160", "--bptt", "128"]
VARIANTS = {
    "lstm 384, 5 minutes": [*LSTM, *WHOLE, "--hidden", "384", "--lr", "5e-3", "--dropout", "0.1", "--minutes", "5"],
    "transformer, 5 minutes": [*TRANSFORMER, *WHOLE, "--lr", "2e-3", "--minutes", "5"],
    "mingru, 5 minutes": [*MINGRU, *WHOLE, "--lr", "4e-3", "--minutes", "5"],
    "deltanet, 5 minutes": [*DELTANET, *WHOLE, "--lr", "3e-3", "--minutes", "5"],
    "lstm 512, 15 minutes": [*LSTM, *WHOLE, "--hidden", "512", "--lr", "4e-3", "--dropout", "0.3", "--minutes", "15"],
    "plain default": [],
}
METRICS = ("loss_nats_per_token", "bits_per_character", "accuracy")


def main() -> None:
    options = common.arguments(__doc__, VARIANTS)
    folder = common.work("shakespeare")
    write_parts(folder)
    common.header(METRICS)
    for variant, flags in options.variants.items():
        # One seed where a run takes over ten minutes.
        seeds = options.seeds if flags[-2:] == ["--minutes", "5"] else options.seeds[:1]
        arguments = ["--test", "test.txt", *(_without(WHOLE, flags) if options.tune else flags)]
        runs = [common.fit("shakespeare", variant, "train.txt", arguments, seed, options) for seed in seeds]
        common.row(variant, runs, METRICS)


def write_parts(folder: Path) -> None:
    """``train.txt`` and, the last tenth, ``test.txt``."""
    text = common.data("shakespeare", "input.txt").read_text("utf-8")
    border = int(0.9 * len(text))
    (folder / "train.txt").write_text(text[:border], "utf-8", newline="")
    (folder / "test.txt").write_text(text[border:], "utf-8", newline="")


def _without(part: list[str], flags: list[str]) -> list[str]:
    place = next((i for i in range(len(flags)) if flags[i : i + len(part)] == part), len(flags))
    return flags[:place] + flags[place + len(part) :]


if __name__ == "__main__":
    main()
