"""Movie reviews (rt-polarity, 5 331 positive and 5 331 negative sentences): accuracy by 10-fold cross-validation.

Protocol: see `cross_validation.py`. No outside vectors.

Published: CNN-rand 76.1 %, CNN-static 81.0 % (Kim 2014, table 2, 10-fold, https://arxiv.org/abs/1408.5882).
Floor: 74 %. Goal: 76.1 %, with a bidirectional recurrent model.
"""

import common
import cross_validation

TUNED = ["--model", "bigru", "--embedding", "300", "--dropout", "0.5", "--lr", "1e-3", "--batch", "50", "--epochs", "5"]
VARIANTS = {
    "bigru 128, max-pooled": TUNED,
    "plain default": [],
}


def main() -> None:
    cross_validation.measure("movie_reviews", __doc__, VARIANTS, "label", reviews())


def reviews() -> list[dict[str, str]]:
    rows = []
    for label in ("neg", "pos"):
        # Latin-1, and a line ends at \n only: \x85 stands within sentences.
        text = common.data("movie-reviews", f"rt-polarity.{label}").read_bytes().decode("latin-1")
        rows += [{"text": line.strip(), "label": label} for line in text.split("\n") if line.strip()]
    return rows


if __name__ == "__main__":
    main()
