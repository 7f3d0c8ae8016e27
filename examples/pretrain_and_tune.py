"""Learn a language from sentences without labels, then a question about it from a few with.

python examples/pretrain_and_tune.py [MODEL]
"""

from __future__ import annotations

import random
import sys

import unrolled as ur

model, dice = sys.argv[1] if len(sys.argv) > 1 else "bitransformer", random.Random(0)
verbs = {"animal": ["eats", "sleeps", "runs", "hides"], "machine": ["rusts", "hums", "starts", "stalls"]}


def named(first: int, last: int, rows: int) -> dict[str, list[str]]:
    kinds = dice.choices(list(verbs), k=rows)  # a noun is a word like any other: that its name tells, nobody can see
    return {"text": [f"the {kind}{dice.randrange(first, last)}" for kind in kinds], "kind": kinds}


plain = [f"{noun} {dice.choice(verbs[kind])}" for noun, kind in zip(*named(0, 40, 2000).values(), strict=True)]
few, held_out = named(0, 10, 60), named(10, 40, 200)  # of no noun that is held out was the kind ever told
size = {"model": model, "hidden": 32}
read = ur.fit({"text": plain}, task="fill", steps=400, lr=5e-3, **size)
how = {"target": "kind", "kinds": {"text": "tokens"}, "steps": 60}
for name, trained in (("go on", ur.fit(few, init_from=read.folder, **how)), ("fresh", ur.fit(few, **size, **how))):
    print(f"{name}: {trained.evaluate(held_out)['accuracy']:.1%}")
