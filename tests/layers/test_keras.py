"""Weights of Keras in layers of ours: the answers are those that Keras itself gave (tools/check_keras.py recorded them)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from unrolled.errors import DataError, UsageError
from unrolled.layers.keras import from_keras

RECORDED = Path(__file__).parent / "keras.npz"
CASES = ["numbers", "symbols"]


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    with np.load(RECORDED) as found:
        return dict(found)


def arrays(recorded: dict[str, np.ndarray], case: str) -> dict[str, np.ndarray]:
    start = f"{case}|weights|"
    return {name.removeprefix(start): array for name, array in recorded.items() if name.startswith(start)}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("form", ["file", "arrays"])
def test_it_answers_as_keras_did(case: str, form: str, recorded: dict[str, np.ndarray], tmp_path: Path) -> None:
    source: Any = arrays(recorded, case)
    if form == "file":
        pytest.importorskip("h5py")
        source = tmp_path / "model.weights.h5"
        source.write_bytes(recorded[f"{case}|file"].tobytes())
    chain = from_keras(source)
    x = torch.from_numpy(recorded[f"{case}|x"])
    y, _ = chain(x)
    assert np.abs(y.detach().numpy() - recorded[f"{case}|y"]).max() < 2e-6
    short, _ = chain(x, torch.tensor([7, 4, 0]))
    alone, _ = chain(x[1:2, :4])
    torch.testing.assert_close(short[1, :4], alone[0], atol=2e-6, rtol=0)
    assert not short[1, 4:].any() and not short[2].any()


def test_one_layer_takes_steps_and_keeps_its_state(recorded: dict[str, np.ndarray]) -> None:
    chain = from_keras(arrays(recorded, "numbers"), layers=["lstm_1"])
    x = torch.from_numpy(recorded["numbers|x"])
    whole, _ = chain(x)
    live = chain.session(batch=3)
    for step in range(x.shape[1]):
        torch.testing.assert_close(live.push(x[:, step]), whole[:, step], atol=1e-6, rtol=0)


def test_a_gru_without_biases_is_asked_for_its_form() -> None:
    rng = np.random.default_rng(0)
    gru = {"gru_cell/kernel": rng.normal(size=(2, 9)), "gru_cell/recurrent_kernel": rng.normal(size=(3, 9))}
    with pytest.raises(UsageError, match=r"the GRU 'layer' has no biases.*say reset_after"):
        from_keras(gru)
    after, before = from_keras(gru, reset_after=True), from_keras(gru, reset_after=False)
    x = torch.randn(1, 4, 2)
    torch.testing.assert_close(after(x)[0][:, 0], before(x)[0][:, 0])  # from zeros, the reset gate changes nothing
    assert not torch.allclose(after(x)[0][:, 1], before(x)[0][:, 1])


def test_what_does_not_fit_is_refused_in_a_sentence() -> None:
    def dense(inputs: int, outputs: int) -> np.ndarray:
        return np.zeros((inputs, outputs))

    with pytest.raises(UsageError, match=r"'conv1d' has arrays of the shapes \[\(3, 2, 4\)\].*LSTM, GRU"):
        from_keras({"conv1d/kernel": np.zeros((3, 2, 4))})
    with pytest.raises(UsageError, match="'a' has 5 outputs and 'b' reads 6"):
        from_keras({"a/kernel": dense(2, 5), "b/kernel": dense(6, 1)})
    with pytest.raises(UsageError, match="no layer 'c'"):
        from_keras({"a/kernel": dense(2, 5)}, layers=["c"])
    with pytest.raises(DataError, match="no weights of layers in the mapping"):
        from_keras({})


def test_an_order_that_a_file_does_not_show_is_asked_for(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        for name, inputs, outputs in (("dense", 3, 3), ("rnn", 3, 3), ("optimizer", 1, 1)):
            where = f"{name}/vars" if name == "optimizer" else f"layers/{name}/vars"
            file[f"{where}/0"] = np.full((inputs, outputs), 0.5)
    with pytest.raises(UsageError, match="dense, rnn fit together in more than one order.*with layers"):
        from_keras(path)
    assert [type(part) for part in from_keras(path, layers=["rnn", "dense"])] == [nn.Linear, nn.Linear]
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"junk")
    with pytest.raises(DataError, match="not an HDF5 file that can be read"):
        from_keras(path)
