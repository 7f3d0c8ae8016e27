"""Compare `unrolled.from_keras` with Keras itself, on models with every layer that is read.

Keras and its answers come from an environment of their own, where ``--record FILE`` writes models, inputs and answers;
``--compare FILE`` converts the models, and prints the largest difference of their answers.

Usage: ``make engines``. The small file in ``tests/layers`` was written by ``--record FILE --small``.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["compare", "main", "record"]

_MOST = 1e-5  # difference


def record(out: Path, small: bool) -> None:
    """Write the files of Keras models with random weights, their arrays by name, inputs and answers, to ``out``."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    found: dict[str, np.ndarray] = {}
    for name, (inputs, layers) in _models(keras.layers, 1 if small else 8).items():
        model = keras.Sequential([keras.layers.Input((None, *inputs)), *layers])
        model.set_weights([rng.normal(0, 0.5, weight.shape) for weight in model.get_weights()])
        with tempfile.TemporaryDirectory() as folder:
            model.save_weights(path := Path(folder, "of.weights.h5"))
            found[f"{name}|file"] = np.frombuffer(path.read_bytes(), np.uint8)
        x = rng.normal(size=(3, 7, *inputs)).astype(np.float32) if inputs else rng.integers(0, 11, (3, 7))
        found |= {f"{name}|x": x, f"{name}|y": np.asarray(model.predict(x, verbose=0))}
        found |= {f"{name}|weights|{weight.path}": np.asarray(weight.numpy()) for weight in model.weights}
    np.savez_compressed(out, allow_pickle=False, keras=np.array(keras.__version__), **found)


def _models(layers: Any, scale: int) -> dict[str, tuple[tuple[int, ...], list[Any]]]:
    """Name -> the shape of a step, and the layers, whose sizes are multiplied by ``scale``."""
    every = {"return_sequences": True}
    return {
        "symbols": (
            (),
            [
                layers.Embedding(11, 3 * scale),
                layers.Bidirectional(layers.LSTM(2 * scale, **every)),
                layers.GRU(3 * scale, dropout=0.1, **every),
                layers.Dropout(0.1),
                layers.GRU(5 * scale, reset_after=False, **every),
                layers.SimpleRNN(6 * scale, **every),
                layers.TimeDistributed(layers.Dense(7 * scale)),
                layers.Dense(2),
            ],
        ),
        "numbers": (
            (2,),
            [
                layers.LSTM(3 * scale, use_bias=False, **every),
                layers.Bidirectional(layers.GRU(2 * scale, **every)),
                layers.Bidirectional(layers.SimpleRNN(scale, **every)),
                layers.Dense(5, use_bias=False),
            ],
        ),
    }


def compare(recorded: Path) -> float:
    """The largest difference between the recorded answers and those of the converted models."""
    import torch

    from unrolled.layers.keras import from_keras

    worst = 0.0
    found = _read(recorded)
    with tempfile.TemporaryDirectory() as folder:
        for name in sorted({key.split("|")[0] for key in found if "|" in key}):
            (path := Path(folder, "of.weights.h5")).write_bytes(found[f"{name}|file"].tobytes())
            named = f"{name}|weights|"
            arrays = {key.removeprefix(named): found[key] for key in found if key.startswith(named)}
            for source in (path, arrays):
                with torch.no_grad():
                    y, _ = from_keras(source)(torch.from_numpy(found[f"{name}|x"]))
                difference = float(np.abs(y.numpy() - found[f"{name}|y"]).max())
                print(f"{name}, {'file' if source is path else 'arrays'}: differs by at most {difference:.1e}")
                worst = max(worst, difference)
    return worst


def _read(recorded: Path) -> dict[str, np.ndarray]:
    """The arrays of the file by name; nothing in it is unpickled."""
    with zipfile.ZipFile(recorded) as archive:
        return {
            name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)
            for name in archive.namelist()
        }


def main() -> int:
    """Record, or compare; the exit code is 1 where they differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--compare", type=Path)
    asked = parser.parse_args()
    if asked.record:
        record(asked.record, asked.small)
    return int(bool(asked.compare) and compare(asked.compare) > _MOST)


if __name__ == "__main__":
    raise SystemExit(main())
