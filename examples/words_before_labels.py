"""Vectors of words learned from sentences without labels, then a question with few labels that is asked of them.

python examples/words_before_labels.py [skipgram|cbow]
"""

from __future__ import annotations

import random
import sys

from unrolled.api import embed, fit, similar

dice, model = random.Random(0), sys.argv[1] if len(sys.argv) > 1 else "skipgram"
verbs = {"animal": ["eats", "sleeps", "runs", "hides"], "machine": ["rusts", "hums", "starts", "stalls"]}


def about(rows: int) -> tuple[list[str], list[str]]:
    kinds = dice.choices(list(verbs), k=rows)  # a noun is a word like any other: that its name tells, nobody can see
    return [f"{kind}{dice.randrange(100)}" for kind in kinds], kinds


plain = [f"{noun} {dice.choice(verbs[kind])}" for noun, kind in zip(*about(6000), strict=True)]
embed({"text": plain}, "nouns.safetensors", size=16, model=model, epochs=10)
print("like eats:", *(word for word, _ in similar("nouns.safetensors", "eats", most=3)))
(few, kinds), (held_out, answers) = about(200), about(300)
how = {"target": "kind", "kinds": {"text": "tokens"}, "steps": 80, "embedding": 16, "hidden": 16}
for name, more in (("learned before", {"vectors": "nouns.safetensors", "freeze": True}), ("fresh", {})):
    trained = fit({"text": few, "kind": kinds}, **how, **more)
    print(f"{name}: {trained.evaluate({'text': held_out, 'kind': answers})['accuracy']:.1%}")
