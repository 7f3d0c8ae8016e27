"""Predict the next click in a shop. Clicks are grouped into visits, which end after a gap of eight hours.

python examples/shop.py [MODEL]
"""

from __future__ import annotations

import random
import sys

import unrolled as ur

model, dice, clicks = sys.argv[1] if len(sys.argv) > 1 else "gru", random.Random(0), []
kinds, minute = 30, 0
for visitor in range(150):
    for _ in range(3):  # visits, a day apart
        minute, at = minute + 1440, dice.randrange(kinds)
        for _ in range(dice.randint(4, 8)):
            pause = dice.choice([1, 9])
            minute += pause
            clicks.append({"who": visitor, "what": f"thing {4 * at + dice.randrange(4)}", "when": 60 * minute})
            at = (7 * at + pause) % kinds  # the next kind depends on the pause

dice.shuffle(clicks)  # the log may be in any order
options = {"by": "who", "order": "when", "gap": "8h", "inputs": ["what", "when"], "kinds": {"what": "tokens"}}
trained = ur.fit(clicks, **options, model=model, hidden=48, steps=250, lr=5e-3, test=0.2, valid="last", min_count=2)
model_hits, popular = (found["hit_at_10"] for found in (trained.metrics["test"], trained.baselines["test"]["unigram"]))
print(f"{model}: the next click is in the top ten in {model_hits:.0%} of cases; by popularity only: {popular:.0%}")
print(f"after the first visit: {trained.predict(clicks)['what_top'][0]}")
