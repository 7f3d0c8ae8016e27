"""Names that training has never seen, in tweets and forums (W-NUT 2017): entity F1 with and without a CRF.

Protocol: train (3 394 sentences), development (1 009) and test (1 287) as the shared task gives them; no outside
vectors, lists or texts. F1 is of exact spans and kinds, as CoNLL's script and seqeval count. The flags, the epoch and
the columns were chosen on the development set.

A token has six columns, all made of itself: the word as it is written, the word in lower case (addresses, users and
digits made alike), its shape (``Xxd`` for ``Ab1``), its first and last three letters, and its tag. One variant reads
the letters of all of these too, and one nothing but the word and its letters.

Published (Derczynski et al. 2017, https://aclanthology.org/W17-4418): the seven systems of the shared task reach 26.30
to 41.86, most of them with outside vectors or lists. Expected without vectors: 20 to 30.
"""

import re
from pathlib import Path

import common

FILES = {"train": "wnut17train.conll", "dev": "emerging.dev.conll", "test": "emerging.test.annotated"}
TUNED = ["--model", "bilstm", "--hidden", "128", "--dropout", "0.5", "--lr", "2e-3", "--epochs", "6"]
MADE = ["--inputs", "column2,column3,column4,column5"]
VARIANTS = {
    "bilstm 128, CRF, letters": [*TUNED, "--crf", "--letters", "--inputs", f"words,{MADE[1]}"],
    "bilstm 128, CRF, only the word and its letters": [*TUNED, "--crf", "--letters"],
    "bilstm 128, CRF": [*TUNED, "--crf", *MADE],
    "bilstm 128": [*TUNED, *MADE],
}
METRICS = ("entity_f1", "entity_precision", "entity_recall", "loss_nats_per_step")

_URL = re.compile(r"(https?://|www\.)\S+")


def main() -> None:
    options = common.arguments(__doc__, VARIANTS)
    folder = common.work("wnut17")
    for split, name in FILES.items():
        write(common.data("wnut17", name), folder / f"{split}.conll")
    common.header(METRICS)
    for variant, flags in options.variants.items():
        arguments = ["--target", "tags", "--valid", "dev.conll", "--test", "test.conll", *flags]
        runs = [common.fit("wnut17", variant, "train.conll", arguments, seed, options) for seed in options.seeds]
        common.row(variant, runs, METRICS)


def write(source: Path, target: Path) -> None:
    """The same sentences with the columns that are made of the words."""
    lines = []
    for line in source.read_text("utf-8").split("\n"):
        if line.strip():
            word, tag = line.split("\t")
            lines.append("\t".join([word.strip(), *columns(word.strip()), tag.strip()]))
        else:
            lines.append("")
    target.write_text("\n".join(lines), "utf-8")


def columns(word: str) -> list[str]:
    """A word in lower case, its shape, and its first and last three letters.

    >>> columns("iPhone7")
    ['iphone0', 'xXxd', 'iph', 'ne0']
    """
    if _URL.fullmatch(word):
        return ["<url>"] * 4
    if word.startswith("@") and len(word) > 1:
        return ["<user>"] * 4
    shape = "".join("X" if c.isupper() else "x" if c.islower() else "d" if c.isdigit() else c for c in word)
    lower = re.sub(r"[0-9]", "0", word.lower())
    return [lower, re.sub(r"(.)\1+", r"\1", shape), lower[:3], lower[-3:]]


if __name__ == "__main__":
    main()
