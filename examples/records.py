"""Describe the fields of a record in a sentence. This program makes up the records.

python examples/records.py
"""

from __future__ import annotations

import random

import unrolled as ur

dice = random.Random(0)
values = {
    "food": ["thai", "french", "greek", "indian"],
    "area": ["centre", "harbour", "park", "station"],
    "price": ["cheap", "fair", "dear"],
    "stars": [1, 2, 3, 4, 5],
}
forms = (
    "a {price} {food} place near the {area} with {stars} stars",
    "{stars} stars for {price} {food} food at the {area}",
)
rows = [{name: dice.choice(some) for name, some in values.items()} for _ in range(400)]
rows = [{**row, "text": forms[row["stars"] > 3].format(**row)} for row in rows]
how = {"model": "gru", "hidden": 64, "lr": 5e-3, "steps": 100, "beam": 1, "test": 0.2}
trained = ur.fit(rows, fields=list(values), target="text", **how)
print(f"{trained.metrics['test']['exact_match']:.1%} of the held-out sentences are exactly right")
