"""Irish folk tunes, character by character: bits per character, and how good the tunes are that the model writes.

Protocol: 804 tunes in ABC notation, split by tune in the order of the file: the last 10 % are the test, read once, at
the end. A tune of n characters asks n + 1 questions, the last of which is that it ends. The tuned run holds a tenth of
the others out to choose its weights by. Then it writes 50 tunes at temperature 1: the shares that can be read, that
keep their metre, and in which no 32 notes in a row stand in a tune of training, in any key; the held-out tunes are
beside them, as they too have runs in common with others. The first that can be read is written as ABC, MIDI, WAV and a
picture into the work folder.

Published: none. `peer_folk_tunes.py` is a well-known lab's recipe at equal wall time: one LSTM(1024) of plain torch.
"""

import json
import subprocess
import sys
from pathlib import Path

import common

from unrolled.data.readers.abc import split_tunes
from unrolled.errors import DataError
from unrolled.music.abc import check_tune, parse_abc
from unrolled.music.copying import Heard
from unrolled.music.tune import Tune
from unrolled.runs.tune_report import COPIED

LSTM = ["--hidden", "384", "--bptt", "64", "--lr", "4e-3", "--dropout", "0.3"]
VARIANTS = {"lstm 384, 5 minutes": [*LSTM, "--minutes", "5"], "plain default": []}
METRICS = ("bits_per_character", "accuracy")
SHARES = ("tunes_parsed", "tunes_in_metre", "tunes_new", "longest_copy_notes")
FORMS = (".abc", ".mid", ".wav", ".svg")
TRIES = 20


def main() -> None:
    options = common.arguments(__doc__, VARIANTS, [("--tunes", int, 50, "tunes that each model writes")])
    folder = common.work("folk_tunes")
    train, test = write_parts(folder)
    common.header(METRICS)
    runs = {}
    for variant, flags in options.variants.items():
        arguments = ["--test", "test.abc", *flags]
        found = [common.fit("folk_tunes", variant, "train.abc", arguments, seed, options) for seed in options.seeds]
        common.row(variant, found, METRICS)
        runs[variant] = common.run_folder(found[0].command)
    print(f"\n| tunes | {' | '.join(SHARES)} |\n|---|{'---|' * len(SHARES)}")
    print(shown("held out", of_real(train, test)), flush=True)
    for variant, run in runs.items():
        count = 1 if options.quick else options.extra.tunes
        done = command("evaluate", run, "test.abc", "--tunes", count, "--json", "--quiet")
        found = json.loads(done.stdout)["metrics"]
        print(shown(variant, found), flush=True)
        if not (options.quick or options.tune):
            common.record(
                "folk_tunes_written", {"variant": variant, "tunes": count, **{m: found.get(m) for m in SHARES}}
            )
        write(run, folder, 1 if options.quick else TRIES)


def write_parts(folder: Path) -> tuple[list[str], list[str]]:
    """``train.abc`` and ``test.abc``, and their tunes."""
    train, test = tunes()
    for name, part in (("train", train), ("test", test)):
        (folder / f"{name}.abc").write_text("\n".join(part), "utf-8", newline="")
    return train, test


def tunes() -> tuple[list[str], list[str]]:
    """Those to train on, and the last tenth."""
    found = split_tunes(common.data("irish-folk", "irish.abc").read_text("utf-8"))
    border = len(found) - len(found) // 10
    return found[:border], found[border:]


def of_real(train: list[str], test: list[str]) -> dict[str, float]:
    """The same shares of tunes that people wrote."""
    heard = Heard(tune for text in train if (tune := parsed(text)) is not None)
    runs = [heard.longest_run(tune) for text in test if (tune := parsed(text)) is not None]
    in_metre = sum(not check_tune(text) for text in test) / len(test)
    new = sum(run < COPIED for run in runs) / len(runs)
    return dict(zip(SHARES, (len(runs) / len(test), in_metre, new, sum(runs) / len(runs)), strict=True))


def parsed(text: str) -> Tune | None:
    try:
        return parse_abc(text)
    except DataError:
        return None


def shown(name: str, found: dict[str, float]) -> str:
    return f"| {name} | {' | '.join(f'{found[m]:.3g}' if m in found else '–' for m in SHARES)} |"


def write(run: str, folder: Path, tries: int) -> None:
    """The first tune of the model that can be read, in every form."""
    for seed in range(tries):
        words = ("generate", run, "--seed", seed, "--temperature", 0.8, "--quiet", "--out")
        files = [folder / f"{Path(run).name}{form}" for form in FORMS]
        if all(command(*words, file, check=False).returncode == 0 for file in files):
            print(f"{', '.join(file.name for file in files)}: seed {seed}", file=sys.stderr)
            return
    print(f"none of {tries} tunes of {run} can be read", file=sys.stderr)


def command(*words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """`unrolled` with these words, in the folder of this table."""
    program, environment = common.unrolled()
    return subprocess.run(
        [*program, *map(str, words)],
        cwd=common.work("folk_tunes"),
        env=environment,
        check=check,
        capture_output=True,
        text=True,
    )


if __name__ == "__main__":
    main()
