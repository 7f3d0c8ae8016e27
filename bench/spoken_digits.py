"""Spoken digits: the letters of the word that a clip says, by CTC and by attention; and what was said, and by whom.

Protocol: 2 000 clips of 4 speakers, 8 kHz; the official split (index 0 to 4 of each digit and speaker is the test, 200
clips; 5 to 49 train, 1 800, of which `unrolled fit` holds out a tenth to validate on). One clip = one word, spelt in
letters: the models know no list of ten words, and are right only where every letter is.

A clip becomes log-mel frames: a Hann window of 25 ms every 10 ms, 256 points, 40 triangles evenly spaced in mels from
60 Hz to 4 kHz, the logarithm of power + 1e-6, standardised by the clip's own mean and deviation, which takes out how
loud it is. `transcribe` reads them with CTC, `translate` with attention from frames to letters. CTC's ``exact_match``
in the first table is of its greedy answers, which are those of a beam of 1 too.

The label of a clip, one of ten digits or of four speakers, is asked of the clips themselves: `classify` on a folder of
WAV files with a table beside them, whose frames the kind `audio` makes. Beside the official split, what was said is
asked of each speaker by a model that heard only the three others.

Source: https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0), which fixes the split.
Floor: 97 % exact by CTC. Goal: 98 % for each label on the official split.
"""

import csv
import math
import wave
from pathlib import Path

import answers
import common
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import torch

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CLIPS, TEST = 2000, 5  # all of them; the first so many of each digit and speaker
RATE, POINTS, WINDOW, HOP = 8000, 256, 200, 80  # 25 ms and 10 ms
MELS, LOWEST = 40, 60.0

ASKED = ["--target", "text", "--inputs", "frames", "--tokens", "characters"]
TUNED = ["--hidden", "128", "--dropout", "0.3", "--batch", "16", "--lr", "2e-3", "--epochs", "40"]
ATTENTIVE = ["--task", "translate", "--encoder", "bigru", "--decoder", "gru", "--attention", "additive"]
LETTERS = {
    "CTC, bigru": ["--task", "transcribe", "--model", "bigru", "--layers", "2", *TUNED],
    "attention, bigru and gru": [*ATTENTIVE, "--layers", "2", *TUNED],
}
HEARD = ["--model", "bigru", "--layers", "2", "--audio-scale", "clip", "--spec-augment"]
LABELLED = [*HEARD, *TUNED]
LABELS = {  # the column that is asked for, and whether a speaker is held out
    "what was said": ("digit", False),
    "who spoke": ("speaker", False),
    "what an unheard speaker said": ("digit", True),
}
VARIANTS = {**LETTERS, **dict.fromkeys(LABELS, LABELLED)}
METRICS = ("loss_nats_per_token", "token_error_rate", "exact_match")


def main() -> None:
    options = common.arguments(__doc__, VARIANTS)
    folder = common.work("spoken_digits")
    for measure, names in ((letters, LETTERS), (labels, LABELS)):
        if variants := {name: flags for name, flags in options.variants.items() if name in names}:
            measure(folder, variants, options)


def letters(folder: Path, variants: dict[str, list[str]], options: common.Options) -> None:
    """The words, letter by letter."""
    said = write_splits(folder)
    common.header(METRICS)
    rows = []
    for variant, flags in variants.items():
        arguments = [*ASKED, "--test", "test.parquet", *flags]
        runs = [common.fit("spoken_digits", variant, "train.parquet", arguments, s, options) for s in options.seeds]
        common.row(variant, runs, METRICS)
        for run in [] if options.tune else runs:
            for beam in (1, 5):
                found = answers.written(run, "test.parquet", "text", beam, options)
                right = sum(one == other for one, other in zip(found.values, said, strict=True)) / len(said)
                rows.append(f"| {variant}, beam {beam}, seed {run.seed} | {100 * right:.1f} | {found.rate:.0f} |")
                answers.record(found, options, {"exact": right})
    print("\n| run | exactly right, % of 200 | clips a second |\n|---|---|---|")
    print("\n".join(rows))


def labels(folder: Path, variants: dict[str, list[str]], options: common.Options) -> None:
    """The digit and the speaker, as labels of whole clips."""
    speakers = sorted({clip.stem.split("_")[1] for clip in clips()})
    common.header(("accuracy",))
    for variant, flags in variants.items():
        target, held_out = LABELS[variant]
        runs = []
        for seed in options.seeds:
            for speaker in speakers if held_out else [None]:
                train, test = write_clips(folder, speaker)
                arguments = ["--target", target, "--inputs", "sound", "--test", test, *flags]
                runs.append(common.fit("spoken_digits", variant, train, arguments, seed, options, speaker or ""))
        common.row(variant, runs, ("accuracy",))


def write_clips(folder: Path, held_out: str | None) -> tuple[str, str]:
    """The names of two folders of links to clips, each with a table of what they are, to train on and to test."""
    names = (f"without-{held_out}", f"only-{held_out}") if held_out else ("clips-train", "clips-test")
    rows: dict[str, list[tuple[str, str, str]]] = {name: [("file", "digit", "speaker")] for name in names}
    for clip in clips():
        digit, speaker, index = clip.stem.split("_")
        tested = speaker == held_out if held_out else int(index) < TEST
        rows[names[tested]].append((clip.name, WORDS[int(digit)], speaker))
        link = folder / names[tested] / clip.name
        link.parent.mkdir(exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(clip.resolve())
    for name in names:
        with (folder / name / "labels.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows[name])
    return names


def clips() -> list[Path]:
    """All of them, in order."""
    found = sorted(common.data("spoken-digits", "0_george_0.wav").parent.glob("*.wav"))
    if len(found) != CLIPS:
        raise SystemExit(f"{len(found)} clips, where the protocol has {CLIPS}")
    return found


def write_splits(folder: Path) -> list[str]:
    """Write train.parquet and test.parquet; the words of the test."""
    filters = mel_filters()
    splits: dict[str, list[tuple[torch.Tensor, str]]] = {"train": [], "test": []}
    for clip in clips():
        digit, _, index = clip.stem.split("_")
        split = "test" if int(index) < TEST else "train"
        splits[split].append((frames(samples(clip), filters), WORDS[int(digit)]))
    for split, rows in splits.items():
        table = pa.table({"frames": lists([clip for clip, _ in rows]), "text": [word for _, word in rows]})
        path = folder / f"{split}.parquet"
        if not path.exists() or not pa.parquet.read_table(path).equals(table):  # see `common.write_splits`
            pa.parquet.write_table(table, path)
    return [word for _, word in splits["test"]]


def samples(clip: Path) -> torch.Tensor:
    """(N,) in [-1, 1)."""
    with wave.open(str(clip)) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 1, 2):
            raise SystemExit(f"{clip.name} is not 16-bit mono at {RATE} Hz")
        return torch.from_numpy(np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32)) / 2**15


def frames(wave: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
    """(T, MELS): the logarithm of the power in each band, standardised over the clip."""
    spectrum = torch.stft(wave, POINTS, HOP, WINDOW, torch.hann_window(WINDOW), return_complex=True).abs().square()
    bands = (filters @ spectrum + 1e-6).log().T
    return (bands - bands.mean()) / bands.std()


def mel_filters() -> torch.Tensor:
    """(MELS, POINTS / 2 + 1): triangles whose corners are evenly spaced in mels, 1127 ln(1 + f / 700)."""
    highest = RATE / 2
    corners = torch.linspace(math.log1p(LOWEST / 700), math.log1p(highest / 700), MELS + 2).expm1() * 700  # Hz
    at = torch.linspace(0, highest, POINTS // 2 + 1)
    rising = (at - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - at) / (corners[2:] - corners[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0)


def lists(clips: list[torch.Tensor]) -> pa.Array:
    """A row a clip, a list of steps of MELS numbers."""
    steps = pa.FixedSizeListArray.from_arrays(pa.array(torch.cat(clips).flatten().numpy()), MELS)
    offsets = np.concatenate([[0], np.cumsum([len(clip) for clip in clips])])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), steps)


if __name__ == "__main__":
    main()
