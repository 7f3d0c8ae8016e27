from __future__ import annotations

import pytest
import torch

from unrolled.errors import UsageError, as_flags
from unrolled.training.device import device_for


@pytest.mark.parametrize(
    ("asked", "seen", "meant"),
    [("auto", False, "cpu"), ("auto", True, "cuda"), ("cpu", True, "cpu"), ("cuda", True, "cuda")],
)
def test_what_is_meant(asked: str, seen: bool, meant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen)
    assert device_for(asked) == meant


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("tpu", "device must be auto, cpu or cuda, not 'tpu'"),
        ("", "device must be auto, cpu or cuda, not ''"),
        ("cuda", "device is cuda, but torch finds no GPU; use cpu"),
    ],
)
def test_what_is_refused(asked: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError) as caught:
        device_for(asked)
    assert str(caught.value) == message
    with as_flags(), pytest.raises(UsageError, match=f"^--{message}"):
        device_for(asked)
