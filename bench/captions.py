"""Captions of rendered shapes, "a red circle above a blue square": the share that is exactly right where a colour
stands in a place that it never had in training.

Protocol: 32 × 32 pixels, two shapes of three (circle, square, triangle) in two of eight colours, each moved and scaled
at random within its half of the picture: one above the other, or one left of the other. A shape has one of four places
(top, bottom, left, right), and eight of the 32 pairs of colour and place are held out, one of each colour: no picture
of training or validation has a red or purple shape at the top, a green or orange one at the bottom, a blue or white one
on the left, or a yellow or grey one on the right; each of the 1 000 test pictures has at least one. A caption is right
if every word is. 6 000 pictures are drawn to train on, of which a tenth validates. ``--tune`` holds out eight other
pairs (red or purple at the bottom, ...), so flags are chosen on unseen pairs that are not those of the test.

Floor: 95 % exact on the unseen pairs.
"""

import csv
import random
from pathlib import Path

import common
from PIL import Image, ImageDraw

SIDE, TRAIN, TEST = 32, 6000, 1000
SHAPES = ("circle", "square", "triangle")
COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 190, 60),
    "blue": (50, 80, 230),
    "yellow": (230, 210, 50),
    "purple": (150, 50, 170),
    "orange": (240, 130, 30),
    "white": (240, 240, 240),
    "grey": (120, 120, 120),
}
PLACES = {"above": ("top", "bottom"), "left of": ("left", "right")}
TURN = ("top", "bottom", "left", "right")  # of the colours in their order, the places that are held out


ASKED = ["--target", "caption", "--task", "translate", "--image", "patches:8"]
TUNED = ["--hidden", "96", "--steps", "6000", "--beam", "1"]
ATTENTIVE = ["--model", "transformer", "--lr", "2e-3", "--dropout", "0.1", "--label-smoothing", "0.1"]
VARIANTS = {
    "transformer": [*ASKED, *ATTENTIVE, *TUNED],
    "bigru and gru, attention": [*ASKED, "--model", "gru", "--lr", "4e-3", "--dropout", "0.3", *TUNED],
    "gru without attention": [*ASKED, "--model", "gru", "--attention", "none", "--lr", "4e-3", *TUNED],
}
METRICS = ("exact_match", "token_error_rate", "loss_nats_per_token")


def main() -> None:
    options = common.arguments(__doc__, VARIANTS)
    place = common.work("captions")
    names = [("tune-" if options.tune else "") + split for split in ("train", "test")]
    for name, count in zip(names, (TRAIN, TEST), strict=True):
        draw(place / name, count, held_out(1 if options.tune else 0), unseen=name.endswith("test"))
    judged = ["--valid" if options.tune else "--test", names[1]]
    common.header(METRICS)
    for variant, flags in options.variants.items():
        runs = [common.fit("captions", variant, names[0], [*judged, *flags], s, options) for s in options.seeds]
        common.row(variant, runs, METRICS)


def held_out(turn: int) -> set[tuple[str, str]]:
    """Pairs of colour and place that training never sees."""
    return {(colour, TURN[(number + turn) % len(TURN)]) for number, colour in enumerate(COLOURS)}


def draw(folder: Path, count: int, held: set[tuple[str, str]], *, unseen: bool) -> None:
    """Write pictures that hold at least one of the pairs ``held``, or none, and captions.csv that names them."""
    if (folder / "captions.csv").exists():  # written last: the folder is whole
        return
    folder.mkdir(exist_ok=True)
    dice, rows = random.Random(folder.name), list[tuple[str, str]]()
    while len(rows) < count:
        relation = dice.choice(list(PLACES))
        shapes, colours = dice.choices(SHAPES, k=2), dice.choices(list(COLOURS), k=2)
        if bool(held & set(zip(colours, PLACES[relation], strict=True))) == unseen:
            name = f"{len(rows):04}.png"
            picture(shapes, colours, relation, dice).save(folder / name)
            first, second = (f"a {colour} {shape}" for colour, shape in zip(colours, shapes, strict=True))
            rows.append((name, f"{first} {relation} {second}"))
    with (folder / "captions.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "caption"), *rows])


def picture(shapes: list[str], colours: list[str], relation: str, dice: random.Random) -> Image.Image:
    """The first shape is above, or left of, the second."""
    image = Image.new("RGB", (SIDE, SIDE), (10, 10, 10))
    half = SIDE // 2
    for number, (shape, colour) in enumerate(zip(shapes, colours, strict=True)):
        size = dice.randint(9, half - 3)
        along = number * half + dice.randint(1, half - size - 1)
        across = dice.randint(half // 2, SIDE - half // 2 - size)
        x, y = (across, along) if relation == "above" else (along, across)
        box = (x, y, x + size - 1, y + size - 1)
        pen = ImageDraw.Draw(image)
        if shape == "circle":
            pen.ellipse(box, fill=COLOURS[colour])
        elif shape == "square":
            pen.rectangle(box, fill=COLOURS[colour])
        else:
            pen.polygon([(x, box[3]), (box[2], box[3]), (x + size // 2, y)], fill=COLOURS[colour])
    return image


if __name__ == "__main__":
    main()
