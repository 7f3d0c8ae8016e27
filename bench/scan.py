"""The diagonal recurrence beside a log-space scan, over lengths, and as a minGRU layer beside torch.nn.GRU.

Protocol: that of `kernels.py`: one process, by turns, the median; training is forward and backward, the gradient of x
included. The log-space scan is the one that Heinsen published (https://arxiv.org/abs/2311.06281), in torch's own cumsum
and logcumsumexp: of complex numbers, since a and b have signs, and, where it need not answer for those, of real ones
with a and b positive. Its error and ours are the largest distance from float64, as a share of the largest number.

The default malloc gives large blocks back to the system; start the script with MALLOC_MMAP_THRESHOLD_=1000000000
MALLOC_TRIM_THRESHOLD_=1000000000 to see it without that.

Goals: the table of issue 3: 55 times the log-space scan (floor 40), time(65 536) / time(8 192) ≤ 9 (floor 12), 60 times
nn.GRU (floor 20).
"""

import argparse
import os

import common
import machine
import torch
from kernels import by_turns, product
from torch import Tensor, nn

from unrolled.kernels import library
from unrolled.layers.recurrence.diagonal_scan import scan
from unrolled.layers.recurrent import Recurrent

BATCH, UNITS, STEPS = 4, 128, 10_000
SHORT, LONG = 8_192, 65_536


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of the rounds, without waiting; not recorded")
    parser.add_argument("--only", nargs="+", default=["scan", "lengths", "layer"])
    parser.add_argument("--seconds", type=float, default=10, help="for each figure")
    options = parser.parse_args()
    peak = None if options.quick else machine.wait_until_healthy()
    peak = peak or product()
    seconds = options.seconds / (5 if options.quick else 1)
    malloc = "tuned" if os.environ.get("MALLOC_MMAP_THRESHOLD_") else "default"
    print(f"{machine.line()}; kernels {library.active()}; {peak:.0f} GFLOP/s; {malloc} malloc\n")
    print("| what | theirs ms | ours ms | × | goal | error: theirs | ours |")
    print("|---" * 7 + "|", flush=True)
    about = {"malloc": malloc, "kernels": library.active(), "gflops": peak, "threads": torch.get_num_threads()}
    for name in options.only:
        for row in {"scan": scans, "lengths": lengths, "layer": layers}[name](seconds):
            errors = [f"{row[key]:.1e}" if key in row else "–" for key in ("their_error", "error")]
            times = f"{row['their_seconds'] * 1e3:.2f} | {row['seconds'] * 1e3:.2f} | {row['ratio']:.1f}"
            print(f"| {row['what']} | {times} | {row['goal']} | {' | '.join(errors)} |", flush=True)
            if not options.quick:
                common.record("scan", {**row, **about, "machine": machine.line()})


def log_space(a: Tensor, b: Tensor) -> Tensor:
    """h_t = a_t h_{t-1} + b_t from h_0 = 0, all steps at once."""
    decay = a.log().cumsum(1)
    return (decay + (b.log() - decay).logcumsumexp(1)).exp()


def log_space_of_any_sign(a: Tensor, b: Tensor) -> Tensor:
    """The same: the logarithm of a negative number is complex."""
    return log_space(a.to(torch.complex64), b.to(torch.complex64)).real


def scans(seconds: float) -> list[dict[str, object]]:
    """Ours beside the log-space scan, both ways."""
    rows: list[dict[str, object]] = []
    for sign, peer in (("any sign", log_space_of_any_sign), ("positive", log_space)):
        torch.manual_seed(0)
        a, b = torch.rand(BATCH, STEPS, UNITS), torch.randn(BATCH, STEPS, UNITS)
        if sign == "any sign":
            a = a * torch.randn_like(a).sign()
        else:
            b = b.abs() + 1e-3
        a.requires_grad_()
        b.requires_grad_()
        toward = torch.randn(BATCH, STEPS, UNITS)
        exact, _ = scan(a.detach().double(), b.detach().double())
        errors = [
            float((h.detach().double() - exact).abs().max() / exact.abs().max()) for h in (peer(a, b), scan(a, b)[0])
        ]

        def both_ways(run, a=a, b=b, toward=toward) -> None:
            a.grad = b.grad = None
            run(a, b).backward(toward)

        theirs, ours = by_turns(
            [lambda: both_ways(peer), lambda: both_ways(lambda a, b: scan(a, b)[0])],  # noqa: B023
            seconds,
        )
        what = {"what": f"scan, {sign}, T = {STEPS}, training", "goal": "55"}
        times = {"their_seconds": theirs, "seconds": ours, "ratio": theirs / ours}
        rows.append({**what, **times, "their_error": errors[0], "error": errors[1]})
    return rows


def lengths(seconds: float) -> list[dict[str, object]]:
    """Eight times the steps: how many times the time."""

    def both_ways(a: Tensor, b: Tensor, toward: Tensor) -> None:
        a.grad = b.grad = None
        scan(a, b)[0].backward(toward)

    found = []
    for steps in (LONG, SHORT):
        a, b = torch.rand(BATCH, steps, UNITS).requires_grad_(), torch.randn(BATCH, steps, UNITS).requires_grad_()
        found.append((a, b, torch.randn(BATCH, steps, UNITS)))
    long, short = by_turns([lambda: both_ways(*found[0]), lambda: both_ways(*found[1])], seconds)
    what = f"scan, T = {LONG} / T = {SHORT}, training"
    return [{"what": what, "goal": "≤ 9", "their_seconds": long, "seconds": short, "ratio": long / short}]


def layers(seconds: float) -> list[dict[str, object]]:
    """A minGRU layer beside torch.nn.GRU."""
    torch.manual_seed(0)
    theirs, ours = nn.GRU(UNITS, UNITS, batch_first=True), Recurrent(UNITS, UNITS, "mingru")
    x, toward = torch.randn(BATCH, STEPS, UNITS, requires_grad=True), torch.randn(BATCH, STEPS, UNITS)

    def train(layer: nn.Module) -> None:
        x.grad = None
        layer.zero_grad(set_to_none=True)
        layer(x)[0].backward(toward)

    their_seconds, our_seconds = by_turns([lambda: train(theirs), lambda: train(ours)], seconds)
    times = {"their_seconds": their_seconds, "seconds": our_seconds, "ratio": their_seconds / our_seconds}
    return [{"what": f"minGRU / nn.GRU, T = {STEPS}, training", "goal": "60", **times}]


if __name__ == "__main__":
    main()
