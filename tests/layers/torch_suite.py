"""Hold our RNN, GRU and LSTM to what torch asks of its own modules, with the sample and error inputs of its test suite.

Run it by itself, as `test_torch_suite` does: torch's testing modules change global settings when they are imported.
It prints how many checks held, and each that did not.
"""

from __future__ import annotations

import copy
import io
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.testing._internal.common_modules import ModuleErrorEnum, module_db
from torch.utils._pytree import tree_leaves, tree_map

from unrolled import layers

OURS = {nn.RNN: layers.RNN, nn.GRU: layers.GRU, nn.LSTM: layers.LSTM}


class Sample:
    """One of torch's inputs: how it makes the module, and what it gives it."""

    def __init__(self, info: Any, sample: Any, dtype: torch.dtype) -> None:
        made, given = sample.constructor_input, sample.forward_input
        self.theirs_class, self.ours_class = info.module_cls, OURS[info.module_cls]
        self.made, self.given = (made.args, {**made.kwargs, "dtype": dtype}), (given.args, given.kwargs)

    def make(self, ours: bool = True, **more: Any) -> Any:
        torch.manual_seed(4)
        args, kwargs = self.made
        return (self.ours_class if ours else self.theirs_class)(*args, **{**kwargs, **more})

    def run(self, module: Any, change: Callable[[Tensor], Tensor] = lambda t: t) -> list[Tensor]:
        args, kwargs = tree_map(lambda t: change(t) if isinstance(t, Tensor) else t, self.given)
        return [t for t in tree_leaves(module(*args, **kwargs)) if isinstance(t, Tensor)]

    def inputs(self) -> list[Tensor]:
        return [t for t in tree_leaves(self.given) if isinstance(t, Tensor)]


def equal(found: list[Any], expected: list[Any]) -> None:
    """Compare as the contracts do: beside the greatest number of the tensor.

    torch's samples hold numbers up to 9, so that a gradient is a sum of terms of some hundreds; where they cancel, what
    is left differs by 10⁻⁵ of itself from one order of the sum to another, and torch's own as much from float64.
    """
    for mine, other in zip(found, expected, strict=True):
        limit = (1e-5 if other.dtype == torch.float32 else 1e-12) * max(1.0, other.abs().max().item())
        torch.testing.assert_close(mine, other, atol=limit, rtol=0)


def gradients(sample: Sample, module: nn.Module, change: Callable[[Tensor], Tensor]) -> list[Tensor]:
    inputs = [t for t in sample.inputs() if t.requires_grad]
    loss = torch.stack([t.pow(2).sum() for t in sample.run(module, change)]).sum()
    return list(torch.autograd.grad(loss, [*inputs, *module.parameters()]))


def forward(sample: Sample) -> None:
    equal(sample.run(sample.make()), sample.run(sample.make(False)))


def backward(sample: Sample) -> None:
    equal(gradients(sample, sample.make(), lambda t: t), gradients(sample, sample.make(False), lambda t: t))


def factory_arguments(sample: Sample) -> None:
    for module in (sample.make(device="cpu"), sample.make(dtype=torch.float64)):
        assert all(p.dtype == module.weight_ih_l0.dtype for p in module.parameters())
    with torch.device("meta"):
        assert all(p.is_meta for p in sample.make().parameters())
    empty = nn.utils.skip_init(sample.ours_class, *sample.made[0], **sample.made[1])
    assert list(empty.state_dict()) == list(sample.make().state_dict())


def representation(sample: Sample) -> None:
    assert repr(sample.make()) == repr(sample.make(False))


def copies(sample: Sample) -> None:
    module = sample.make()
    expected, file = sample.run(module), io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), torch.load(file, weights_only=False)):
        equal(sample.run(other), expected)
    theirs = sample.make(False)
    theirs.load_state_dict(module.state_dict())
    equal(expected, sample.run(theirs))


def strides(sample: Sample) -> None:
    module = sample.make()

    def apart(tensor: Tensor) -> Tensor:
        return torch.stack([tensor, tensor], -1)[..., 0]

    equal(sample.run(module, apart), sample.run(module))
    equal(gradients(sample, module, apart), gradients(sample, module, lambda t: t))


def training_and_evaluation(sample: Sample) -> None:
    module = sample.make()
    expected = sample.run(module)
    module.eval()
    assert not module.training
    equal(sample.run(module), expected)


def meta(sample: Sample) -> None:
    found = sample.run(sample.make(device="meta"), lambda t: t.detach().to("meta"))
    assert [t.shape for t in found] == [t.shape for t in sample.run(sample.make())]
    assert all(t.is_meta for t in found)


def moves(sample: Sample) -> None:
    module = sample.make()
    assert sample.make(device="meta").to_empty(device="cpu").weight_ih_l0.device.type == "cpu"
    weights = list(module.parameters())
    module.double()
    assert all(a is b for a, b in zip(weights, module.parameters(), strict=True))
    equal(sample.run(module, Tensor.double), sample.run(sample.make(False).double(), Tensor.double))
    module.float().load_state_dict(sample.make(False).float().state_dict(), assign=True)
    equal(sample.run(module, Tensor.float), sample.run(sample.make(False).float(), Tensor.float))


def check_derivatives(sample: Sample) -> None:
    module = sample.make().double()
    inputs = [t.detach().double().requires_grad_() for t in sample.inputs()]
    names = [name for name, _ in module.named_parameters()]

    def function(*tensors: Tensor) -> tuple[Tensor, ...]:
        given, weights = iter(tensors[: len(inputs)]), dict(zip(names, tensors[len(inputs) :], strict=True))
        args, kwargs = tree_map(lambda t: next(given) if isinstance(t, Tensor) else t, sample.given)
        found = torch.func.functional_call(module, weights, args, kwargs)
        return tuple(t for t in tree_leaves(found) if isinstance(t, Tensor))

    every = (*inputs, *(p.detach().requires_grad_() for p in module.parameters()))
    assert torch.autograd.gradcheck(function, every, check_batched_grad=True, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, every, check_batched_grad=True, fast_mode=True)


OF_EVERY_SAMPLE = [forward, backward]
OF_EVERY_THIRD = [factory_arguments, representation, copies, strides, training_and_evaluation, meta, moves]
OF_EVERY_FIFTEENTH = [check_derivatives]


def checks(number: int, dtype: torch.dtype) -> list[Callable[[Sample], None]]:
    """The samples are every choice of four or five yes-or-no arguments, so that a number's bits are its choices.

    Every third number has each pair of choices, every fifteenth each choice.
    """
    if dtype == torch.float32:
        return OF_EVERY_SAMPLE
    thirds = OF_EVERY_THIRD if number % 3 == 0 else []
    return [*OF_EVERY_SAMPLE, *thirds, *(OF_EVERY_FIFTEENTH if number % 15 == 0 else [])]


def errors(info: Any, dtype: torch.dtype) -> Iterator[tuple[str, Callable[[], None]]]:
    """What torch refuses, with an error of torch's class."""
    given = info.module_error_inputs_func(info, device="cpu", dtype=dtype, requires_grad=False, training=False)
    for number, case in enumerate(given):
        made, run = case.module_error_input.constructor_input, case.module_error_input.forward_input

        def check(case: Any = case, made: Any = made, run: Any = run) -> None:
            try:
                module = OURS[info.module_cls](*made.args, **made.kwargs)
                assert case.error_on != ModuleErrorEnum.CONSTRUCTION_ERROR
                module(*run.args, **run.kwargs)
            except case.error_type:
                return
            raise AssertionError(f"no {case.error_type.__name__}: {made.args} {made.kwargs}")

        yield f"error {number}", check


def cases() -> Iterator[tuple[str, Callable[[], None]]]:
    for info in module_db:
        if info.module_cls not in OURS:
            continue
        for dtype in (torch.float32, torch.float64):
            name = f"{info.name} {dtype}"
            torch.manual_seed(0)
            given = info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=True)
            for number, one in enumerate(given):
                sample = Sample(info, one, dtype)
                for check in checks(number, dtype):
                    yield f"{name} {check.__name__} {number}", lambda check=check, sample=sample: check(sample)
            for what, check_error in errors(info, dtype):
                yield f"{name} {what}", check_error


def main() -> int:
    torch.set_num_threads(1)  # more would only wait for each other: the samples are tiny
    warnings.simplefilter("ignore")
    held = failed = 0
    for name, check in cases():
        try:
            check()
            held += 1
        except Exception as error:
            failed += 1
            print(f"FAILED {name}: {type(error).__name__}: {error}"[:500])
    print(f"{held} held, {failed} failed")
    return 1 if failed or not held else 0


if __name__ == "__main__":
    sys.exit(main())
