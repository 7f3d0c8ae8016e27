"""Generate waltzes with a model trained on waltzes that this program makes up, and write one as sound and picture.

python examples/tunes.py [MODEL]
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import unrolled as ur
from unrolled.music.forms import written
from unrolled.runs.tune_report import judge_tunes

model, chance = sys.argv[1] if len(sys.argv) > 1 else "lstm", random.Random(0)
tunes = []
for number in range(300):
    step, bars = 3, []
    for _ in range(8):
        step = min(max(step + chance.choice([-2, -1, 1, 2]), 0), 6)
        bars.append(chance.choice(["{0}2{1}", "{0}{1}{2}", "{2}{1}{0}"]).format(*"CDEFGABcdef"[step : step + 5 : 2]))
    tunes.append(f"X:{number}\nM:3/4\nL:1/4\nK:G\n{'|'.join(bars)}|]\n")
Path("waltzes.abc").write_text("\n".join(tunes))
trained = ur.fit("waltzes.abc", model=model, hidden=64, steps=300, lr=1e-2, out="runs/waltzes")
tune = "X:1\nM:3/4\n" + "".join(trained.generate("X:1\nM:3/4\n", temperature=0.3))
for form in (".abc", ".wav", ".svg"):  # .mid too, with mido
    Path(f"waltz{form}").write_bytes(written(tune, form))
print(f"{model}: {judge_tunes(trained, 20)['tunes_in_metre']:.0%} of the generated tunes keep their metre")
