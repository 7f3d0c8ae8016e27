"""Programs: names, what is left out, and numbers that are refused."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.errors import ModelError
from unrolled.program.instructions import Constant, Dot, Push, Scale, Vector
from unrolled.program.program import Program


def test_names_are_given_once() -> None:
    program = Program()
    names = [program.local("x", 3).name, program.state("x", 3).name, program.constant("x", [1.0]).name]
    assert names == ["x", "x_2", "x_3"]


def test_weights_of_zeros_are_left_out() -> None:
    program, x = Program(), Vector("x", 2)
    assert program.dot("w", np.zeros((3, 2)), np.zeros(3), x) == 0.0
    bias = program.dot("w", None, np.ones(3), x)
    assert isinstance(bias, Constant) and bias.name == "w_bias"
    assert isinstance(program.dot("w", np.ones((3, 2)), None, x), Dot)


def test_what_no_answer_needs_is_left_out() -> None:
    program = Program()
    column, unread = (program.local(name, 2) for name in ("column", "unread"))
    since = program.state("since", 1, -1.0)
    mean, std = program.constant("mean", [0.0, 1.0]), program.constant("std", [1.0, 1.0])
    program.add(Scale(column, 0, mean, std, (0,), since))
    register = program.state("register", 4, [1.0, 2.0, 3.0, 4.0])
    program.add(Push(register, column.part(0, 2)))
    program.linear("head", np.ones((1, 2)), None, unread)
    program.each({"y": "2 * last"}, {"last": register.part(3, 1)}, {"y": program.answer("y", 1, "a number")}, 1)
    program.tidy()
    assert [one.vector.name for one in program.kept] == ["since", "register"]
    assert [one.name for one in program.locals] == ["column"]
    assert [one.name for one in program.constants] == ["mean", "std", "register_first"]
    assert len(program.instructions) == 3


def test_weights_that_are_not_finite_are_refused() -> None:
    with pytest.raises(
        ModelError, match=r"this model has weights that are not finite \(head\), so it cannot be exported"
    ):
        Program().constant("head", [1.0, float("nan")])
