"""Checks of inputs that several decoders share. Axes: B rows, T steps, V vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from unrolled.errors import ModelError, ShapeError, UsageError

__all__ = ["broken_scores", "check_banned", "check_lengths", "nothing_left"]


def check_banned(logits: Tensor, banned: Sequence[int]) -> None:
    """Raise an error unless ``logits`` is (B, V) and at least one of the V ids is allowed.

    Raises:
        ShapeError: ``logits`` is not (B, V).
        UsageError: a banned id is outside [0, V), or all are banned.
    """
    if logits.dim() != 2 or logits.shape[1] == 0:
        raise ShapeError(f"logits is {tuple(logits.shape)}, expected (B, V) with V at least 1")
    size = logits.shape[1]
    wrong = [index for index in banned if not 0 <= index < size]
    if wrong:
        raise UsageError(f"banned id {wrong[0]} is outside the vocabulary of {size}: give ids from 0 to {size - 1}")
    if len(set(banned)) == size:
        raise UsageError(f"all {size} ids are banned: leave at least one to choose from")


def check_lengths(lengths: Tensor, rows: int, steps: int) -> Tensor:
    """``lengths`` as int64.

    Raises:
        ShapeError: it is not (B,) integers in 0 … T.
    """
    if lengths.shape != (rows,) or lengths.is_floating_point():
        raise ShapeError(f"lengths is {tuple(lengths.shape)} {lengths.dtype}, expected ({rows},) integers")
    lengths = lengths.long()
    wrong = ((lengths < 0) | (lengths > steps)).nonzero()
    if len(wrong):
        row = int(wrong[0])
        raise ShapeError(f"lengths[{row}] is {int(lengths[row])}, expected 0 … {steps}")
    return lengths


def broken_scores(row: int) -> ModelError:
    """The error for a row whose scores hold NaN or infinity."""
    return ModelError(
        f"row {row}: the scores are not finite, so the weights or the state are broken: use an earlier model"
    )


def nothing_left(row: int) -> ModelError:
    """The error for a row in which every allowed id has probability 0."""
    return ModelError(f"row {row}: every allowed id has probability 0")
