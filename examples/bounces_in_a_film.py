"""Label the frames of films in which a ball bounces. A single frame does not show it, so the model needs memory.

python examples/bounces_in_a_film.py [MODEL]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import av

import unrolled as ur
from unrolled.synthetic.bouncing_balls import BouncingBalls, frames

model, folder, rows = sys.argv[1] if len(sys.argv) > 1 else "gru", Path("films"), []
folder.mkdir(exist_ok=True)
paths = BouncingBalls(gravity=0.02, speed=0.1, noise=0.0).paths(count=120, steps=30, seed=0)
for number, (positions, bounced) in enumerate(zip(paths.seen, paths.bounced, strict=True)):
    with av.open(folder / f"{number}.mp4", "w") as film:
        stream = film.add_stream("mpeg4", rate=10, options={"qscale": "2"}, width=16, height=16)
        for picture in frames(positions, side=16, radius=0.15):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")))
        film.mux(stream.encode())
    rows.append(json.dumps({"file": f"{number}.mp4", "marks": ["bounces" if hit else "flies" for hit in bounced]}))
(folder / "marks.jsonl").write_text("\n".join(rows))
trained = ur.fit(folder, target="marks", model=model, hidden=64, steps=100, lr=0.01, batch=32, test=0.2)
plain = max(baseline["accuracy"] for baseline in trained.baselines["test"].values())
print(f"{model}: {trained.metrics['test']['accuracy']:.1%} of the frames are correct; best baseline: {plain:.1%}")
