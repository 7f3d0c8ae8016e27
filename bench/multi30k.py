"""Multi30k, English → German: BLEU on test 2016 (Flickr), and BLEU against the length of the source.

Protocol: train (29 000), validation (1 014) and test (1 000) as given, true case, no other data; each variant trains
for 45 minutes (``--resume`` goes on with one that was stopped). The answers, written greedily and with a beam of 5, are
compared with the one reference by sacreBLEU and its own tokenisation, cased and lower-cased; the signatures are printed
and recorded. Lengths are words of the source, cut at spaces; `plot_multi30k.py` draws them.

Published: about 33 to 36 BLEU of recurrent models with attention and 38 to 41 of small transformers, on texts tokenised
and lower-cased in different ways.
Floor: 33 for the recurrent model with attention and for the transformer. The model without attention has none: it shows
what attention buys.

Needs sacrebleu.
"""

from collections.abc import Sequence

import answers
import common
from sacrebleu.metrics import BLEU

ASKED = ["--task", "translate", "--target", "german", "--inputs", "english", "--tokens", "bpe", "--tied"]
RECURRENT = ["--vocabulary", "4000", "--encoder", "bigru", "--decoder", "gru"]
RECURRENT += ["--hidden", "256", "--embedding", "256", "--dropout", "0.3", "--lr", "2e-3"]
TRANSFORMER = ["--vocabulary", "4000", "--shared", "--model", "transformer", "--layers", "3"]
TRANSFORMER += ["--hidden", "128", "--embedding", "128", "--dropout", "0.1", "--lr", "4e-3", "--warmup", "0.05"]
# A beam of 1, because it is searched at every validation, and the budget counts that too.
TUNED = ["--label-smoothing", "0.1", "--beam", "1", "--batch", "64", "--minutes", "45"]
VARIANTS = {
    "recurrent, attention": [*RECURRENT, "--attention", "additive", *TUNED],
    "transformer": [*TRANSFORMER, *TUNED],
    "recurrent, no attention": [*RECURRENT, "--attention", "none", *TUNED],
}
FILES = {"train": "train", "valid": "val", "test": "test_2016_flickr"}
METRICS = ("loss_nats_per_token", "token_error_rate", "exact_match")
BEAMS = (1, 5)
BUCKETS = {
    "to 7": (1, 7),
    "8, 9": (8, 9),
    "10, 11": (10, 11),
    "12, 13": (12, 13),
    "14, 15": (14, 15),
    "16 on": (16, 99),
}
Pair = dict[str, str]


def main() -> None:
    options = common.arguments(__doc__, VARIANTS)
    splits = {split: pairs(name) for split, name in FILES.items()}
    files = common.write_splits(common.work("multi30k"), splits, options)
    split = "valid" if options.tune else "test"
    asked = splits[split][: common.FEW] if options.quick else splits[split]
    common.header(METRICS)
    rows, signatures = [], {}
    for variant, flags in options.variants.items():
        arguments = [*ASKED, "--valid", files["valid"], "--test", files["test"], *flags]
        seed = options.seeds[0]  # one: a run takes 45 minutes
        run = common.fit("multi30k", variant, files["train"], arguments, seed, options)
        common.row(variant, [run], METRICS)
        for beam in BEAMS:
            found = answers.written(run, files[split], "german", beam, options)
            texts = [text or "" for text in found.values]
            scores, signatures = judge(asked, texts)
            lengths = by_length(asked, texts)
            cells = [scores["bleu"], scores["bleu_lower"], *lengths.values(), found.rate]
            rows.append(f"| {variant}, beam {beam}, seed {seed} | {' | '.join(f'{cell:.1f}' for cell in cells)} |")
            answers.record(found, options, {**scores, **signatures, "by_length": lengths})
    names = [f"{name} words" for name in BUCKETS]
    print(f"\n| run | BLEU | lower-cased | {' | '.join(names)} | sentences a second |" + "\n" + "|---" * 10 + "|")
    print("\n".join([*rows, "", *signatures.values()]))


def pairs(name: str) -> list[Pair]:
    english, german = (
        common.data("multi30k", f"{name}.{language}").read_text("utf-8").removesuffix("\n").split("\n")
        for language in ("en", "de")
    )
    return [{"english": one, "german": other} for one, other in zip(english, german, strict=True)]


def judge(asked: Sequence[Pair], texts: Sequence[str]) -> tuple[dict[str, float], dict[str, str]]:
    """BLEU of all answers, cased and lower-cased, and how sacreBLEU signs the two."""
    references = [[pair["german"] for pair in asked]]
    scores, signatures = {}, {}
    for ending, lower in (("", False), ("_lower", True)):
        measure = BLEU(lowercase=lower)
        scores[f"bleu{ending}"] = measure.corpus_score(texts, references).score
        signatures[f"signature{ending}"] = str(measure.get_signature())
    return scores, signatures


def by_length(asked: Sequence[Pair], texts: Sequence[str]) -> dict[str, float]:
    """Cased BLEU of the sentences whose source is so long; of none, NaN."""
    found = {}
    for name, (least, most) in BUCKETS.items():
        part = [row for row, pair in enumerate(asked) if least <= len(pair["english"].split()) <= most]
        answered, references = [texts[row] for row in part], [[asked[row]["german"] for row in part]]
        found[name] = BLEU().corpus_score(answered, references).score if part else float("nan")
    return found


if __name__ == "__main__":
    main()
