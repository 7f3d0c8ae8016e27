"""Forecast the sales of bakeries with irregular opening days, missing counts, and offers that are planned ahead.

python examples/bakery.py [MODEL]
"""

from __future__ import annotations

import random
import sys
from datetime import date, timedelta

import unrolled as ur

model, dice, rows, coming = sys.argv[1] if len(sys.argv) > 1 else "gru", random.Random(0), [], []
for shop, street in enumerate(["market", "harbour", "market", "harbour"]):
    day = date(2026, 1, 1)
    for step in range(153):  # for the last three, everything is known except the sales
        closed, offer = dice.choice([0, 0, 1, 3]), dice.random() < 0.2
        day += timedelta(days=1 + closed)
        sold = 20 + 5 * (street == "market") + 4 * closed + 15 * offer + dice.gauss(0, 1)
        counted = step < 150 and dice.random() > 0.15
        row = {"shop": shop, "street": street, "date": day, "sold": sold if counted else None, "offer": offer}
        (rows if step < 150 else coming).append(row)

options = {"by": "shop", "order": "date", "kinds": {"date": "elapsed"}, "target": "sold", "horizon": 3, "lookback": 12}
options |= {"model": model, "hidden": 24, "steps": 150, "lr": 0.01, "test": 0.2}
plain, planned = ur.fit(rows, **options), ur.fit(rows, **options, known_ahead=["date", "offer"])
off, less = (trained.metrics["test"]["mae"] for trained in (plain, planned))
print(f"{model}: mean absolute error {off:.1f}; with known dates and offers {less:.1f} ({less / off:.0%} of it)")
print(planned.predict(rows + coming).select(["shop", "sold_predicted"]).to_pylist()[0])
