"""The peer of `shakespeare.py`: a plain one-layer torch.nn.LSTM(256) on the same split, trained for the same time.

Protocol: all of the first 90 % train (nothing is held out), in 32 lanes of 128 characters that carry their state;
AdamW, learning rate 3e-3 with warm-up and cosine decay over the clock, gradients clipped at norm 1. The last 10 % are
read once, at the end, as one stream. It uses nothing of this project, and says what the machine gives that day.

Known: 1.52 nats per character after 5 minutes on two cores.
"""

import argparse
import math
import time

import common
import machine
import torch
import torch.nn.functional as F
from torch import Tensor, nn

LANES, WINDOW, HIDDEN, EMBEDDING = 32, 128, 256, 64
RATE, WARMUP = 3e-3, 0.02


class Peer(nn.Module):
    def __init__(self, symbols: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, EMBEDDING)
        self.lstm = nn.LSTM(EMBEDDING, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, symbols)

    def forward(self, ids: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        y, state = self.lstm(self.embedding(ids), state)  # (B, T, H)
        return self.head(y), state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ten seconds; not recorded")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    minutes = 1 / 6 if options.quick else options.minutes
    text = common.data("shakespeare", "input.txt").read_text("utf-8")
    border = int(0.9 * len(text))
    symbols = {c: i for i, c in enumerate(sorted(set(text[:border])))}
    train, test = (torch.tensor([symbols[c] for c in part]) for part in (text[:border], text[border:]))
    print(
        f"{machine.line()}\n\n| run | nats per character | seed | steps | minutes |\n|---|---|---|---|---|",
        flush=True,
    )
    for seed in options.seeds:
        speed = None if options.quick else machine.wait_until_healthy()
        torch.manual_seed(seed)
        network = Peer(len(symbols))
        steps = fit(network, train, 60 * minutes)
        nats = judge(network, test)
        print(f"| torch.nn.LSTM(256) | {nats:.4f} | {seed} | {steps} | {minutes:g} |", flush=True)
        if not options.quick:
            facts = {"seed": seed, "minutes": minutes, "steps": steps, "loss_nats_per_character": nats, "gflops": speed}
            common.record("peer_lstm", {**facts, "machine": machine.line(), "date": machine.today()})


def fit(network: Peer, train: Tensor, seconds: float) -> int:
    """Train for so long; the steps that were done."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01, fused=True)
    length = (len(train) - 1) // LANES
    x, y = train[: LANES * length].view(LANES, length), train[1 : LANES * length + 1].view(LANES, length)
    started, steps, at, state = time.perf_counter(), 0, 0, None
    while (progress := (time.perf_counter() - started) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (progress + 1e-4) / WARMUP) * 0.5 * (1 + math.cos(math.pi * progress))
        outputs, state = network(x[:, at : at + WINDOW], state)
        state = (state[0].detach(), state[1].detach())
        F.cross_entropy(outputs.flatten(0, 1), y[:, at : at + WINDOW].flatten()).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        steps, at = steps + 1, at + WINDOW
        if at >= length:  # a new epoch, its windows elsewhere
            at, state = int(torch.randint(WINDOW, ())), None
    return steps


def judge(network: Peer, test: Tensor) -> float:
    total, state = 0.0, None
    with torch.no_grad():
        for part in range(0, len(test) - 1, 4096):
            y = test[part + 1 : part + 4097]
            outputs, state = network(test[None, part : part + len(y)], state)
            total += F.cross_entropy(outputs[0], y, reduction="sum").item()
    return total / (len(test) - 1)


if __name__ == "__main__":
    main()
