"""The peer of `folk_tunes.py`: the recipe of MIT's lab 6.S191 in plain torch, on the same split for the same time.

Protocol: all of the first 90 % of the tunes end to end, a character more after each for its end; batches of 8 pieces of
100 characters from anywhere, without state; embedding 256, one LSTM of 1024 units, Adam at 5e-3, cross-entropy, nothing
else. The last 10 % are read once, at the end, as one stream; every character is asked for, and each tune's end. It uses
nothing of this project but how the file is split into tunes.

Source: https://github.com/MITDeepLearning/introtodeeplearning, lab 1, part 2.
"""

import argparse
import math
import time

import common
import machine
import torch
import torch.nn.functional as F
from folk_tunes import tunes
from torch import Tensor, nn

BATCH, LENGTH, EMBEDDING, HIDDEN, RATE = 8, 100, 256, 1024, 5e-3


class Lab(nn.Module):
    def __init__(self, symbols: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, EMBEDDING)
        self.lstm = nn.LSTM(EMBEDDING, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, symbols)

    def forward(self, ids: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        y, state = self.lstm(self.embedding(ids), state)  # (B, T, H)
        return self.head(y), state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ten seconds; not recorded")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    minutes = 1 / 6 if options.quick else options.minutes
    texts = ["\n" + "\n".join(part) + "\n" for part in tunes()]  # a tune's line end, and one more for its end
    symbols = {c: i for i, c in enumerate(sorted(set("".join(texts))))}
    train, test = (torch.tensor([symbols[c] for c in text]) for text in texts)
    print(
        f"{machine.line()}\n\n| run | bits per character | seed | steps | minutes |\n|---|---|---|---|---|", flush=True
    )
    for seed in options.seeds:
        speed = None if options.quick else machine.wait_until_healthy()
        torch.manual_seed(seed)
        network = Lab(len(symbols))
        steps = fit(network, train, 60 * minutes)
        bits = judge(network, test)
        print(f"| LSTM(1024) | {bits:.4f} | {seed} | {steps} | {minutes:g} |", flush=True)
        if not options.quick:
            facts = {"seed": seed, "minutes": minutes, "steps": steps, "bits_per_character": bits, "gflops": speed}
            common.record("peer_folk_tunes", {**facts, "machine": machine.line(), "date": machine.today()})


def fit(network: Lab, train: Tensor, seconds: float) -> int:
    """Train for so long; the steps that were done."""
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    started, steps = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        starts = torch.randint(len(train) - LENGTH, (BATCH, 1))
        pieces = train[starts + torch.arange(LENGTH + 1)]  # (B, T + 1)
        outputs, _ = network(pieces[:, :-1])
        loss = F.cross_entropy(outputs.flatten(0, 1), pieces[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        steps += 1
    return steps


def judge(network: Lab, test: Tensor) -> float:
    """Bits for each character behind the first, which stands for the end of what was before."""
    total, state = 0.0, None
    with torch.no_grad():
        for part in range(0, len(test) - 1, 4096):
            y = test[part + 1 : part + 4097]
            outputs, state = network(test[None, part : part + len(y)], state)
            total += F.cross_entropy(outputs[0], y, reduction="sum").item()
    return total / (len(test) - 1) / math.log(2)


if __name__ == "__main__":
    main()
