"""torch's own exporter as an oracle: its graph of a recurrent layer and ours give the same numbers.

It is no way to export a model of this package: it carries no lengths, and freezes time in most layers.
"""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np
import pytest
import torch
from exported import exported_layer, opened
from torch import Tensor, nn

from unrolled.layers.recurrent import Recurrent

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnxscript", reason="torch.onnx needs onnxscript, which is not installed")

CLOSE = 1e-6
SLOW = pytest.mark.skipif(os.environ.get("UNROLLED_SOAK") != "1", reason="takes seconds: make soak")


@pytest.mark.parametrize("name", ["gru", pytest.param("lstm", marks=[SLOW, pytest.mark.soak])])
@pytest.mark.filterwarnings("ignore")  # torch.onnx warns of its own parts
def test_a_layer_with_its_state_as_torch_exports_it(name: str) -> None:
    torch.manual_seed(4)
    theirs: Any = {"lstm": nn.LSTM, "gru": nn.GRU}[name](3, 5, batch_first=True).eval()
    ours = Recurrent(3, 5, name).eval()
    (cell,) = ours.layers[0]
    cell.load_state_dict({key.removesuffix("_l0"): value for key, value in theirs.state_dict().items()})  # type: ignore[attr-defined]
    x, first = torch.randn(2, 7, 3), [torch.randn(1, 2, 5) for _ in range(2 if name == "lstm" else 1)]
    given: Any = tuple(first) if name == "lstm" else first[0]
    file = io.BytesIO()
    torch.onnx.export(theirs, (x, given), dynamo=True, opset_version=18, verbose=False).save(file)
    session = opened(file.getvalue())
    feed = {one.name: value.numpy() for one, value in zip(session.get_inputs(), [x, *first], strict=True)}
    wanted = session.run(None, feed)
    state = ours.initial_state(2, x)
    state = (type(state[0])(*(part[0] for part in first)),)
    y, after = exported_layer(ours)({"x": x}, torch.tensor([7, 7]), state)
    found: list[Tensor] = [y, *(part[None] for part in after[0])]
    for a, b in zip(found, wanted, strict=True):
        assert np.abs(a.numpy() - b).max() <= CLOSE
