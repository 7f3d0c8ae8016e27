"""Spoken digits: the letters of the word that a clip says, by CTC and by attention; share of words exactly right.

Protocol: 2 000 clips of 4 speakers, 8 kHz; the official split (index 0 to 4 of each digit and speaker is the test, 200
clips; 5 to 49 train, 1 800, of which `unrolled fit` holds out a tenth to validate on). One clip = one word, spelt in
letters: the models know no list of ten words, and are right only where every letter is.

A clip becomes log-mel frames: a Hann window of 25 ms every 10 ms, 256 points, 40 triangles evenly spaced in mels from
60 Hz to 4 kHz, the logarithm of power + 1e-6, standardised by the clip's own mean and deviation, which takes out how
loud it is. `transcribe` reads them with CTC, `translate` with attention from frames to letters. CTC's ``exact_match``
in the first table is of its greedy answers, which are those of a beam of 1 too.

Source: https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0), which fixes the split.
Floor: 97 % exact by CTC.
"""

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
VARIANTS = {
    "CTC, bigru": ["--task", "transcribe", "--model", "bigru", "--layers", "2", *TUNED],
    "attention, bigru and gru": [*ATTENTIVE, "--layers", "2", *TUNED],
}
METRICS = ("loss_nats_per_token", "token_error_rate", "exact_match")


def main() -> None:
    options = common.arguments(__doc__, VARIANTS)
    folder = common.work("spoken_digits")
    said = write_splits(folder)
    common.header(METRICS)
    rows = []
    for variant, flags in options.variants.items():
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


def write_splits(folder: Path) -> list[str]:
    """Write train.parquet and test.parquet; the words of the test."""
    filters = mel_filters()
    splits: dict[str, list[tuple[torch.Tensor, str]]] = {"train": [], "test": []}
    clips = sorted(common.data("spoken-digits", "0_george_0.wav").parent.glob("*.wav"))
    if len(clips) != CLIPS:
        raise SystemExit(f"{len(clips)} clips, where the protocol has {CLIPS}")
    for clip in clips:
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
