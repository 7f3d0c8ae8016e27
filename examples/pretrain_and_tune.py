"""Pretrain on unlabelled sentences, then fine-tune on a few labelled ones.

python examples/pretrain_and_tune.py [MODEL]
"""

from __future__ import annotations

import random
import sys

import unrolled as ur

model, dice = sys.argv[1] if len(sys.argv) > 1 else "bitransformer", random.Random(0)
verbs = {"animal": ["eats", "sleeps", "runs", "hides"], "machine": ["rusts", "hums", "starts", "stalls"]}


def named(first: int, last: int, rows: int) -> dict[str, list[str]]:
    kinds = dice.choices(list(verbs), k=rows)  # without its letters, a noun is a token whose name means nothing
    return {"text": [f"the {kind}{dice.randrange(first, last)}" for kind in kinds], "kind": kinds}


plain = [f"{noun} {dice.choice(verbs[kind])}" for noun, kind in zip(*named(0, 40, 2000).values(), strict=True)]
few, held_out = named(0, 10, 60), named(10, 40, 200)  # the held-out nouns never have a label
size = {"model": model, "hidden": 64, "letters": False}
pretrained = ur.fit({"text": plain}, task="fill", steps=1600, **size)
how = {"target": "kind", "kinds": {"text": "tokens"}, "steps": 60}
tuned, fresh = ur.fit(few, init_from=pretrained.folder, **how), ur.fit(few, **size, **how)
for name, trained in (("fine-tuned", tuned), ("from scratch", fresh)):
    print(f"{name}: {trained.evaluate(held_out)['accuracy']:.1%}")
