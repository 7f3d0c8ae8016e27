"""Paths of traced values in words: ``layer.layers.0.1.f`` is "layer 1, backward, forget gate"."""

from __future__ import annotations

__all__ = ["in_words", "part_in_words"]

_VALUES = {
    "i": "input gate",
    "f": "forget gate",
    "o": "output gate",
    "g": "candidate",
    "n": "candidate",
    "r": "reset gate",
    "z": "update gate",
    "h": "hidden state",
    "c": "cell state",
    "q": "queries",
    "k": "keys",
    "v": "values",
    "a": "share kept",
    "b": "share written",
}
_PARTS = {"head": "output layer"}
_STACKS = {"layers": "layer", "blocks": "block"}
_SILENT = ("layer", "own", "mix", "network", "attention")


def in_words(path: str) -> str:
    """``path`` as a reader would say it; layers and blocks count from 1, and forward is not said.

    >>> in_words("layer.layers.1.0.f"), in_words("decoder.attention.attention")
    ('layer 2, forget gate', 'decoder, attention')
    >>> in_words("layer.blocks.0.cross.attention"), in_words("read.l0_reverse.c")
    ('block 1, cross, attention', 'read, layer 1, backward, cell state')
    """
    *parts, value = path.split(".")
    return ", ".join([*_owners(parts), _VALUES.get(value, value)])


def part_in_words(path: str) -> str:
    """The part of a network at ``path``, as `unrolled.training.gradients.part_of` gives it.

    >>> part_in_words("layer.layers.1"), part_in_words("decoder.attention"), part_in_words("head")
    ('layer 2', 'decoder, attention', 'output layer')
    """
    *parts, last = [part for part in path.split(".") if part != "columns"] or ["inputs"]
    return ", ".join(_owners([*parts, last]) if last.isdecimal() else [*_owners(parts), _PARTS.get(last, last)])


def _owners(parts: list[str]) -> list[str]:
    words: list[str] = []
    stack = None
    for part in parts:
        if part in _STACKS:
            stack = _STACKS[part]
        elif part.isdecimal() and stack is not None:
            words.append(f"{stack} {int(part) + 1}")
            stack = "direction" if stack == "layer" else None
            continue
        elif part[:1] == "l" and part[1:].removesuffix("_reverse").isdecimal():  # as torch.nn names the weights
            words.append(f"layer {int(part[1:].removesuffix('_reverse')) + 1}")
            words += ["backward"] if part.endswith("_reverse") else []
        elif part not in _SILENT:
            words.append(part)
    words = [word for word in words if word != "direction 1"]
    return ["backward" if word == "direction 2" else word for word in words]
