"""Reviews of video games (287 107 of 31 013 users, 23 715 games, in the order of time): which game comes next?

SASRec's protocol: of each user with three events or more the last is the test and the one before it the validation,
which chooses the weights; the test is read once, at the end, with all before it as history. The right game is ranked
among itself and 100 others, drawn alike from those that are not in the user's history: Hit@10 and NDCG@10. Its place
among all games is measured too. A game that training never held counts as not found.

Published: SASRec 0.7410 and 0.5360, GRU4Rec+ 0.6599 and 0.4573 (Kang and McAuley 2018, tables II and III, on these data
and negatives drawn in the same way, https://arxiv.org/abs/1808.09781). Goals: Hit@10 0.66 by a recurrent model, 0.74 by
attention.
"""

from __future__ import annotations

import shutil

import common

READ = [
    "--header",
    "user,item",
    "--by",
    "user",
    "--kinds",
    "item=tokens",
    "--min-count",
    "1",
    "--vocabulary",
    "1000000",
]
SPLIT = ["--valid", "last", "--test", "last"]
# Of 23 000 games 2 048 are compared with in a step: an epoch then takes seconds, and many fit into the budget.
SHARED = ["--hidden", "64", "--tied", "--sampled-softmax", "2048", "--batch", "128", "--minutes", "15"]
ATTENTIVE = ["--model", "transformer", "--layers", "2", "--heads", "1"]
VARIANTS = {
    "gru 64": ["--model", "gru", "--lr", "2e-3", "--dropout", "0.3", *SHARED],
    "transformer 64": [*ATTENTIVE, "--lr", "3e-3", "--dropout", "0.3", *SHARED],
}
METRICS = ("hit_at_10_sampled", "ndcg_at_10_sampled", "hit_at_10", "ndcg_at_10", "mrr")


def main() -> None:
    options = common.arguments(__doc__, VARIANTS)
    shutil.copyfile(common.data("clicks", "video-games.txt"), common.work("clicks") / "clicks.txt")
    common.header(METRICS)
    for variant, flags in options.variants.items():
        arguments = [*READ, *SPLIT, *flags]
        # One seed: a run takes 15 minutes.
        runs = [common.fit("clicks", variant, "clicks.txt", arguments, seed, options) for seed in options.seeds[:1]]
        common.row(variant, runs, METRICS)


if __name__ == "__main__":
    main()
