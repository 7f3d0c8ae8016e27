"""The rows of `plain.py` as data: the files, what a user says, how the answers are judged, floors and goals.

What a user says is the target and what only a person can know: the split, the horizon, the columns' names. ``before``
and ``tuned`` are the figures of the plain call and of the best flags when the floors and goals were set.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common
import cross_validation
import ett
import folk_tunes
import movie_reviews
import multi30k
import plain_judges as judges
import polyphonic
import promoters
import pronunciation
import series_classification
import shakespeare
import spoken_digits
import students
import tweets_emotion
import wnut17
from peers import environment

__all__ = ["ROWS", "Part", "Row"]

FOLDS_OF_TEN, FOLDS_OF_FIVE = 10, 5
SPEAKERS = ("george", "jackson", "lucas", "nicolas")


@dataclass(frozen=True, slots=True)
class Part:
    """One call: ``unrolled fit source flags --seed seed``; ``name`` tells it apart from the others of its row.

    ``data`` says to a peer which files to read; parts with the same data share a peer's answer.
    """

    name: str
    source: str
    flags: tuple[str, ...]
    seed: int
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; what is not known is ``None``.

    Attributes:
        title, unit: the file and the number.
        write: writes the files into a folder and gives the parts, for these seeds and at most so many folds.
        metric: the metric of the run that is shown, unless ``judge`` reads it off the run's answers.
        lower: whether less is better.
        scale: the number is so many times the metric.
        minutes: so many times the budget.
        peers: the scripts of `peers/` that answer the same files, and the kind of the question.
        simple: a baseline of our own table that others use by itself, and that counts as a peer.
    """

    title: str
    unit: str
    write: Callable[[Path, list[int], int], list[Part]]
    metric: str = ""
    judge: Callable[[common.Run, Part, Path], dict[str, float]] | None = None
    lower: bool = False
    scale: float = 1.0
    minutes: float = 1.0
    peers: tuple[tuple[str, str], ...] = ()
    simple: str = ""
    before: float | None = None
    tuned: float | None = None
    floor: float | None = None
    goal: float | None = None


def seeded(source: str, flags: tuple[str, ...], seeds: list[int], data: dict[str, Any]) -> list[Part]:
    return [Part(f"seed {seed}", source, flags, seed, data) for seed in seeds]


def write_shakespeare(folder: Path, seeds: list[int], _: int) -> list[Part]:
    shakespeare.write_parts(folder)
    return seeded("train.txt", ("--test", "test.txt"), seeds, {})


def write_folk(folder: Path, seeds: list[int], _: int) -> list[Part]:
    folk_tunes.write_parts(folder)
    return seeded("train.abc", ("--test", "test.abc"), seeds, {})


def polyphonic_of(name: str) -> Callable[[Path, list[int], int], list[Part]]:
    def write(folder: Path, seeds: list[int], _: int) -> list[Part]:
        polyphonic.write_splits(folder, name)
        flags = ("--valid", f"{name}-valid.parquet", "--test", f"{name}-test.parquet")
        return seeded(f"{name}-train.parquet", flags, seeds, {})

    return write


def folds_of(target: str, rows: Callable[[], list[dict[str, str]]]) -> Callable[[Path, list[int], int], list[Part]]:
    def write(folder: Path, seeds: list[int], most: int) -> list[Part]:
        folds = min(most, FOLDS_OF_TEN)
        cross_validation.write_folds(folder, rows(), seeds[0], folds)
        return [_fold(seeds[0], fold, target) for fold in range(folds)]

    return write


def _fold(seed: int, fold: int, target: str) -> Part:
    train, test = f"train-{seed}-{fold}.csv", f"test-{seed}-{fold}.csv"
    flags = ("--target", target, "--test", test)
    return Part(f"fold {fold}", train, flags, seed, {"train": train, "test": test, "target": target})


def write_promoters(folder: Path, seeds: list[int], most: int) -> list[Part]:
    promoters.write_folds(folder, seeds[0])
    parts = []
    for fold in range(min(most, FOLDS_OF_FIVE)):
        train, test = f"train-{seeds[0]}-{fold}", f"test-{seeds[0]}-{fold}"
        data = {"train": train, "test": test}
        parts.append(Part(f"fold {fold}", train, ("--target", "file", "--test", test), seeds[0], data))
    return parts


def write_tweets(folder: Path, seeds: list[int], _: int) -> list[Part]:
    tweets_emotion.write_parts(folder)
    flags = ("--target", "emotion", "--valid", "val.jsonl", "--test", "test.jsonl")
    return seeded("train.jsonl", flags, seeds, {"train": "train.jsonl", "test": "test.jsonl", "target": "emotion"})


def write_wnut(folder: Path, seeds: list[int], _: int) -> list[Part]:
    for split, name in wnut17.FILES.items():
        shutil.copyfile(common.data("wnut17", name), folder / f"{split}.conll")
    flags = ("--valid", "dev.conll", "--test", "test.conll")
    return seeded("train.conll", flags, seeds, {"train": "train.conll", "test": "test.conll"})


def write_ett(folder: Path, seeds: list[int], _: int) -> list[Part]:
    ett.write_tables(folder)
    borders = {"file": "wide.csv", "train": ett.TRAIN, "valid": ett.VALID, "test": ett.TEST, "horizon": ett.HORIZON}
    return seeded("wide.csv", tuple(ett.SPLIT), seeds, borders)


def series_set(name: str) -> Callable[[Path, list[int], int], list[Part]]:
    def write(folder: Path, seeds: list[int], _: int) -> list[Part]:
        wheel = series_classification.fetched(common.work("series_classification"))
        train, test = (series_classification.unpacked(wheel, folder, f"{name}_{part}.ts") for part in ("TRAIN", "TEST"))
        return seeded(train, ("--target", "class", "--test", test), seeds, {"train": train, "test": test})

    return write


def write_digits(folder: Path, seeds: list[int], _: int) -> list[Part]:
    return [_clips(folder, None, seed, f"seed {seed}") for seed in seeds]


def write_unheard(folder: Path, seeds: list[int], most: int) -> list[Part]:
    return [_clips(folder, speaker, seeds[0], speaker) for speaker in SPEAKERS[:most]]


def _clips(folder: Path, speaker: str | None, seed: int, name: str) -> Part:
    train, test = spoken_digits.write_clips(folder, speaker)
    for part in (train, test):  # a user who asks for the digit has no column that says who spoke
        table = folder / part / "labels.csv"
        rows = [row[:2] for row in csv.reader(table.read_text("utf-8").splitlines())]
        table.write_text("".join(f"{file},{digit}\n" for file, digit in rows), "utf-8")
    return Part(name, train, ("--target", "digit", "--test", test), seed, {"train": train, "test": test})


def write_clicks(folder: Path, seeds: list[int], _: int) -> list[Part]:
    shutil.copyfile(common.data("clicks", "video-games.txt"), folder / "clicks.txt")
    read = ("--header", "user,item", "--by", "user", "--kinds", "item=tokens")
    return seeded("clicks.txt", (*read, "--valid", "last", "--test", "last"), seeds[:1], {})


def write_words(folder: Path, seeds: list[int], _: int) -> list[Part]:
    known, _left_out = pronunciation.dictionary()
    splits = pronunciation.splits_of(known, pronunciation.words_of(known))
    files = common.write_splits(folder, splits, whole(seeds))
    flags = ("--target", "phonemes", "--valid", files["valid"], "--test", files["test"])
    return seeded(files["train"], flags, seeds[:1], {"train": files["train"], "test": files["test"]})


def write_translation(folder: Path, seeds: list[int], _: int) -> list[Part]:
    splits = {split: multi30k.pairs(name) for split, name in multi30k.FILES.items()}
    files = common.write_splits(folder, splits, whole(seeds))
    flags = ("--target", "german", "--valid", files["valid"], "--test", files["test"])
    return seeded(files["train"], flags, seeds[:1], {})


def whole(seeds: list[int]) -> common.Options:
    """The options of a script that cuts nothing short."""
    return common.Options(False, False, False, seeds, {}, argparse.Namespace())


def write_series(folder: Path, seeds: list[int], most: int) -> list[Part]:
    """A file for each series, without what lies after its first origin."""
    found = folder / "series.json"
    if not found.exists():
        python = environment("statsforecast", "plain_statsforecast.py")
        if python is None:
            raise SystemExit("the packages that hold the series could not be installed")
        judges.run_script(python, "plain_statsforecast.py", "values", {"out": str(found)}, folder)
    parts = []
    for given in json.loads(found.read_text("utf-8"))[:most]:
        file = f"{given['name'].replace(' ', '-').replace(',', '')}.csv"
        known = zip(given["dates"], given["values"][: given["origins"][0]], strict=False)
        (folder / file).write_text("date,value\n" + "".join(f"{day},{value}\n" for day, value in known), "utf-8")
        flags = ("--target", "value", "--order", "date", "--horizon", str(given["horizon"]))
        parts.append(Part(given["name"], file, flags, seeds[0], {"name": given["name"], "file": "series.json"}))
    return parts


TEXTS, TABLE = ("sklearn", "texts"), ("sklearn", "table")
ROWS = {
    "shakespeare": Row(
        *("Shakespeare", "nats per character", write_shakespeare, "loss_nats_per_token"),
        lower=True,
        simple="5-gram",
        before=1.731,
        tuned=1.444,
        floor=1.50,
        goal=1.42,
    ),
    "jsb": Row(
        *("JSB Chorales", "nats per step", polyphonic_of("JSB_Chorales"), "nll_nats_per_step"),
        lower=True,
        before=8.82,
        tuned=8.286,
        floor=8.50,
        goal=8.10,
    ),
    "nottingham": Row(
        *("Nottingham", "nats per step", polyphonic_of("Nottingham"), "nll_nats_per_step"),
        lower=True,
        before=3.818,
        tuned=3.206,
        floor=3.30,
        goal=3.05,
    ),
    "movies": Row(
        *("movie reviews", "accuracy, %", folds_of("label", movie_reviews.reviews), "accuracy"),
        scale=100.0,
        before=76.0,
        tuned=77.4,
        floor=77.0,
        goal=79.0,
        peers=(TEXTS, ("fasttext", "texts")),
    ),
    "tweets": Row(
        *("tweets, emotion", "macro-F1, %", write_tweets, "macro_f1"),
        scale=100.0,
        before=61.8,
        tuned=62.6,
        floor=65.5,
        goal=69.0,
        peers=(TEXTS, ("fasttext", "texts")),
    ),
    "etth1": Row(
        *("ETTh1, 96 hours", "MSE, standardised", write_ett, "mse_scaled"),
        lower=True,
        before=0.719,
        tuned=0.392,
        floor=0.375,
        goal=0.358,
        peers=(("statsforecast", "ett"),),
    ),
    **{
        name.lower(): Row(
            *(name, "accuracy, %", series_set(name), "accuracy"),
            scale=100.0,
            tuned=tuned,
            floor=floor,
            goal=goal,
            peers=(("aeon", "series"),),
        )
        for name, tuned, floor, goal in (
            ("ArrowHead", 55.0, 81.0, 87.0),
            ("ItalyPowerDemand", 89.0, 96.0, 97.5),
            ("BasicMotions", 95.0, 97.0, 100.0),
            ("GunPoint", 99.0, 98.0, 100.0),
            ("JapaneseVowels", 98.6, 97.5, 99.0),
        )
    },
    "promoters": Row(
        *("E. coli promoters", "correlation", write_promoters),
        judge=judges.correlation_of_run,
        tuned=0.788,
        floor=0.78,
        goal=0.86,
        peers=(("sklearn", "letters"),),
    ),
    "wnut": Row(
        *("W-NUT 2017", "entity F1, %", write_wnut, "entity_f1"),
        scale=100.0,
        before=4.3,
        tuned=19.3,
        floor=18.0,
        goal=30.0,
        peers=(("crfsuite", "tags"),),
    ),
    "cmudict": Row(
        *("CMUdict", "word error, %", write_words),
        judge=judges.word_error_of_run,
        lower=True,
        scale=100.0,
        minutes=3.0,
        tuned=31.8,
        floor=33.0,
        goal=25.0,
    ),
    "digits": Row(
        *("spoken digits, official split", "accuracy, %", write_digits, "accuracy"),
        scale=100.0,
        tuned=98.0,
        floor=97.5,
        goal=99.5,
        peers=(("hmmlearn", "clips"),),
    ),
    "unheard": Row(
        *("spoken digits, a speaker held out", "accuracy, %", write_unheard, "accuracy"),
        scale=100.0,
        tuned=50.0,
        floor=60.0,
        goal=85.0,
        peers=(("hmmlearn", "clips"),),
    ),
    "clicks": Row(
        *("clicks", "Hit@10 of 101", write_clicks, "hit_at_10_sampled"),
        minutes=3.0,
        tuned=0.708,
        floor=0.69,
        goal=0.745,
    ),
    "folk": Row(
        *("Irish folk tunes", "bits per character", write_folk, "bits_per_character"),
        lower=True,
        simple="5-gram",
        tuned=2.046,
        floor=2.05,
        goal=1.95,
    ),
    "students": Row(
        *("students", "accuracy, %", folds_of("pass", students.students), "accuracy"),
        scale=100.0,
        before=69.8,
        tuned=69.1,
        floor=69.0,
        goal=72.0,
        peers=(TABLE,),
    ),
    "multi30k": Row(
        *("Multi30k, English → German", "BLEU, cased", write_translation),
        judge=judges.bleu_of_run,
        minutes=6.0,
        floor=34.0,
        goal=40.0,
    ),
    "series": Row(
        *("twelve series", "MASE, ratio to the best of three", write_series),
        judge=judges.forecasts_of_run,
        lower=True,
        floor=1.05,
        peers=(("statsforecast", "series"),),
    ),
}
