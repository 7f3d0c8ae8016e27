from __future__ import annotations

import torch

from unrolled.layers.embed import Embedding
from unrolled.layers.tied import TiedHead

H, V = 4, 30


def test_its_weights_are_the_vectors_and_stay_theirs() -> None:
    symbols, head = Embedding(V, H), TiedHead(V)
    with torch.no_grad():
        head.bias.normal_()
    assert [name for name, _ in head.named_parameters()] == ["bias"]
    h = torch.randn(2, 3, H)
    torch.testing.assert_close(head(h, symbols.weight), h @ symbols.weight.T + head.bias)
    head(h, symbols.weight).sum().backward()
    assert symbols.weight.grad is not None and head.bias.grad is not None
