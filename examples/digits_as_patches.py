"""Classify handwritten digits as sequences of patches: 8 × 8 pixels are 16 patches of 2 × 2 (a small ViT).

python examples/digits_as_patches.py [MODEL]
"""

from __future__ import annotations

import sys

from sklearn.datasets import load_digits

import unrolled as ur

model = sys.argv[1] if len(sys.argv) > 1 else "bitransformer"
digits = load_digits()
patches = digits.images.reshape(-1, 4, 2, 4, 2).swapaxes(2, 3).reshape(-1, 16, 4)  # (B, T, 4)
data = {"patches": patches.tolist(), "digit": [str(digit) for digit in digits.target]}
size = {"layers": 2, "hidden": 64, "positions": "learned"}  # every picture has the same number of patches
how = {"dropout": 0.1, "blend": ["none"], "lr": 2e-3, "steps": 150}  # the network is shown, without solved models
trained = ur.fit(data, target="digit", model=model, **size, **how, test=0.2)
print(f"{model}: {trained.metrics['test']['accuracy']:.1%} of the held-out digits are classified correctly")
