"""Find DNA sequences with a promoter, from two FASTA files. The promoter may be on either strand.

python examples/promoters.py [MODEL]
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import unrolled as ur

model, dice, folder = sys.argv[1] if len(sys.argv) > 1 else "bigru", random.Random(0), Path("genes")
folder.mkdir()
opposite = str.maketrans("ACGT", "TGCA")
for name in ("promoter", "other"):
    with (folder / f"{name}.fa").open("w") as file:
        for number in range(250):
            letters = dice.choices("ACGT", k=50)
            if name == "promoter":
                at = dice.randrange(40)
                letters[at : at + 6] = "TATAAT"  # the Pribnow box
            text = "".join(letters)
            print(f">{name} {number}", text if number % 2 else text[::-1].translate(opposite), sep="\n", file=file)

how = {"model": model, "hidden": 32, "steps": 150, "lr": 5e-3, "test": 0.2}
trained = ur.fit(folder, target="file", both_strands=True, **how)
print(f"{model}: {trained.metrics['test']['accuracy']:.1%} of the held-out sequences are classified correctly")
