"""Will the student pass? One to one: a plain table row to a label, without the earlier grades. Accuracy.

Protocol: the target is G3 >= 10; the grades G1, G2 and G3 are removed from the 395 rows; see `cross_validation.py`.

Published: the majority is right in 67 % (UCI student performance, the mathematics course; Cortez and Silva 2008,
https://hdl.handle.net/1822/8024). No floor: what matters is the distance from the majority.
"""

import csv

import common
import cross_validation

TUNED = ["--model", "mlp", "--hidden", "16", "--dropout", "0.5", "--weight-decay", "0.1", "--epochs", "30"]
VARIANTS = {"mlp 16, dropout 0.5": TUNED, "plain default": []}
GRADES = ("G1", "G2", "G3")


def main() -> None:
    cross_validation.measure("students", __doc__, VARIANTS, "pass", students())


def students() -> list[dict[str, str]]:
    text = common.data("students", "student-mat.csv").read_text("utf-8")
    separator = ";" if ";" in text.partition("\n")[0] else ","  # UCI's own file has semicolons
    rows = csv.DictReader(text.splitlines(), delimiter=separator)
    return [
        {
            **{name: value for name, value in row.items() if name not in GRADES},
            "pass": "yes" if int(row["G3"]) >= 10 else "no",
        }
        for row in rows
    ]


if __name__ == "__main__":
    main()
