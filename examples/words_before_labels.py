"""Learn word vectors from unlabelled sentences, then train a classifier on them with few labels."""

from __future__ import annotations

import random

from unrolled.api import embed, fit, similar

dice = random.Random(0)
verbs = {"animal": ["eats", "sleeps", "runs", "hides"], "machine": ["rusts", "hums", "starts", "stalls"]}


def about(rows: int) -> tuple[list[str], list[str]]:
    kinds = dice.choices(list(verbs), k=rows)  # to the model, a noun is a token whose name means nothing
    return [f"{kind}{dice.randrange(30)}" for kind in kinds], kinds


plain = [f"{noun} {dice.choice(verbs[kind])}" for noun, kind in zip(*about(8000), strict=True)]
embed({"text": plain}, "nouns.safetensors", size=16, epochs=20)
nouns = [f"{kind}{n}" for kind in verbs for n in range(30)]
near = [
    word[:3] == noun[:3] for noun in nouns for word, _ in similar("nouns.safetensors", noun, most=5) if word in nouns
]
print("closest to 'eats':", *(word for word, _ in similar("nouns.safetensors", "eats", most=3)))
print(f"close nouns of the same kind: {sum(near) / len(near):.1%}")
(few, kinds), (held_out, answers) = about(250), about(300)
how = {"target": "kind", "kinds": {"text": "tokens"}, "steps": 100, "lr": 5e-3, "hidden": 16}
trained = fit({"text": few, "kind": kinds}, vectors="nouns.safetensors", freeze=True, **how)
print(f"accuracy on held-out rows: {trained.evaluate({'text': held_out, 'kind': answers})['accuracy']:.1%}")
