"""Tables as people have them: several texts, codes, numbers and labels in a row, from ``fit`` to ``stream``."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from pathlib import Path

from cli.support import SMALL, Done

Unrolled = Callable[..., Done]


def write_passengers(path: Path, rows: int = 80) -> Path:
    draw = random.Random(3)
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["Survived", "Pclass", "Name", "Sex", "Age", "Ticket", "Fare", "Cabin"])
        for number in range(rows):
            woman = draw.random() < 0.5
            title = "Mrs." if woman else "Mr."
            name = f"{draw.choice(['Holm', 'Dahl', 'Lund'])}{number}, {title} {draw.choice(['Kari', 'Ole', 'Nils A'])}"
            ticket = draw.choice([f"A/5 {draw.randint(10_000, 99_999)}", f"{draw.randint(100_000, 999_999)}"])
            cabin = draw.choice(["", "", f"C{number}", f"B{number} B{number + 1}"])
            age = draw.choice(["", draw.randint(1, 70)])
            out.writerow(
                [int(woman), draw.randint(1, 3), name, "female" if woman else "male", age, ticket, 7.25 + number, cabin]
            )
    return path


def test_a_list_of_passengers_is_read_as_it_is(unrolled: Unrolled, tmp_path: Path) -> None:
    file, run = write_passengers(tmp_path / "passengers.csv"), tmp_path / "run"
    done = unrolled(
        "fit",
        file,
        "--target",
        "Survived",
        "--steps",
        "20",
        "--hidden",
        "8",
        "--lr",
        "0.02",
        "--live",
        "--only",
        "none",
        "--out",
        run,
    )
    assert done.code == 0, done.err
    lines = {line.split(": ")[0]: line for line in done.err.splitlines() if line.startswith("input ")}
    assert lines["input Name"].endswith(" words, with their letters")
    assert lines["input Ticket"].endswith(" characters, read on its own")
    assert lines["input Cabin"].endswith(" characters, read on its own")
    assert lines["input Sex"] == "input Sex: category, 2 labels"
    predicted = unrolled("predict", run, file)
    assert len(predicted.out.splitlines()) == 81
    assert unrolled("evaluate", run, file).code == 0
    described = unrolled("describe", run).out
    assert "Ticket, Cabin are each read to one vector first" in described
    row = b'{"Name": "Dahl, Mrs. Kari", "Ticket": "A/5 21171", "Cabin": null, "Sex": "female"'
    live = unrolled("stream", run, stdin=row + b', "Pclass": 1, "Age": 38, "Fare": 71.3}\n')
    assert live.code == 0
    assert set(live.lines[0]) == {"Survived_predicted", "Survived_p_0", "Survived_p_1"}


def test_a_title_and_a_body_and_a_model_that_is_told_both(unrolled: Unrolled, tmp_path: Path) -> None:
    draw, file, run = random.Random(1), tmp_path / "news.csv", tmp_path / "run"
    rows = ["title,body,topic"]
    for _ in range(40):
        topic, words = draw.choice([("sport", ["goal", "team"]), ("money", ["bank", "rate"])])
        title = " ".join(draw.choices([*words, "new"], k=draw.randint(2, 4)))
        rows.append(f"{title},{' '.join(draw.choices([*words, 'and', 'the', 'of'], k=draw.randint(9, 20)))},{topic}")
    file.write_text("\n".join(rows) + "\n")
    for model in ("lstm", "bitransformer"):
        done = unrolled("fit", file, "--target", "topic", "--model", model, *SMALL, "--out", run / model)
        assert done.code == 0, done.err
        assert unrolled("evaluate", run / model, file).code == 0
    assert unrolled("memory", run / "lstm", file).code == 0
    shorter = tmp_path / "bodies.csv"
    shorter.write_text("body\nthe bank and the rate\n")
    refused = unrolled("predict", run / "lstm", shorter)
    assert refused.code == 3 and "'title'" in refused.err
