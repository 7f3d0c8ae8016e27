"""Caption pictures, as in "a red circle above a blue square". This program draws the pictures.

python examples/captions.py
"""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image, ImageDraw

import unrolled as ur

dice, rows, folder = random.Random(0), ["file,caption"], Path("shapes")
folder.mkdir(exist_ok=True)
shapes = {"circle": ImageDraw.ImageDraw.ellipse, "square": ImageDraw.ImageDraw.rectangle}
for number in range(600):
    (a, b), (c, d) = dice.choices(list(shapes), k=2), dice.choices(["red", "green", "blue"], k=2)
    where = dice.choice(["above", "left of"])
    picture = Image.new("RGB", (24, 24), "black")
    for shape, colour, place in ((a, c, 0), (b, d, 12)):
        x, y = (dice.randrange(4, 9), place + 2) if where == "above" else (place + 2, dice.randrange(4, 9))
        shapes[shape](ImageDraw.Draw(picture), (x, y, x + 7, y + 7), fill=colour)
    picture.save(folder / f"{number}.png")
    rows.append(f"{number}.png,a {c} {a} {where} a {d} {b}")
(folder / "captions.csv").write_text("\n".join(rows))
how = {"model": "gru", "hidden": 64, "lr": 5e-3, "image": "patches:8", "steps": 200, "beam": 1, "test": 0.2}
trained = ur.fit(folder, target="caption", task="translate", **how)
print(f"{trained.metrics['test']['exact_match']:.1%} of the held-out captions are exactly right")
