"""How long our models remember: `unrolled probe` on problems that papers measured, and up to 10 000 steps.

Protocol: one command a model and problem, as printed, in a process of its own. Training begins with short rows, which
count in the time; a length is solved if fresh rows of that very length are (adding: squared error below 0.01; the
others: 99 % of the symbols). The figures are the score at the length that is named, or the longest one that was solved.

    adding     T = 600, 30 minutes at most, beside Bai, Kolter and Koltun 2018, https://arxiv.org/abs/1803.01271
    selective  T = 4 096, 30 minutes at most, beside Feng et al. 2024, https://arxiv.org/abs/2410.01201
    longest    adding, copy and recall up to T = 10 000, 10 minutes at most for each; goal: 10 000 on all of them;
               floor: 10 000, 1 000 and 1 000 by at least one model
"""

import argparse
import json
import shlex
import subprocess
import sys

import common
import machine

from unrolled.layers.factory import model_names

MODELS = [name for name in model_names() if not name.startswith("bi") and name not in ("mlp", "window")]
ADDING = "LSTM 0.164, GRU 5.3e-5, TCN 5.8e-5"
SELECTIVE = "minGRU 99.5 %, Mamba 99.8 %"
LONGEST = {"adding": 10_000, "copy": 1_000, "recall": 1_000}  # floors
MOST = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 training steps of each; not recorded")
    parser.add_argument("--tables", nargs="+", choices=["adding", "selective", "longest"], help="these alone")
    parser.add_argument("--only", nargs="+", choices=MODELS, default=MODELS, help="these models alone")
    parser.add_argument("--problems", nargs="+", choices=list(LONGEST), default=list(LONGEST), help="of longest alone")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    tables = options.tables or ["adding", "selective", "longest"]
    print(f"{machine.line()}\n", flush=True)
    if "adding" in tables:
        at_one_length("adding", 600, ADDING, options)
    if "selective" in tables:
        at_one_length("selective", 4_096, SELECTIVE, options)
    if "longest" in tables:
        longest(options)


def at_one_length(problem: str, length: int, published: str, options: argparse.Namespace) -> None:
    """A row for each model: its score at ``length``, beside what was published."""
    print(f"\n{problem} at T = {length} (published: {published})\n")
    print("| model | score there | longest solved | seconds | steps | command |\n" + "|---" * 6 + "|", flush=True)
    for model in options.only:
        for seed in options.seeds:
            found = probe(model, problem, length, 30, seed, options.quick)
            score = f"{found['score']:.4g}" if found["longest"] == length else "not solved"
            print(f"| {model} | {score} | {found['longest']} | {rest(found)} |", flush=True)


def longest(options: argparse.Namespace) -> None:
    """A row for each model and problem: the longest length that was solved."""
    print(f"\nThe longest T up to {MOST} (floors: {LONGEST})\n")
    print("| model | problem | longest | score there | seconds | steps | command |\n" + "|---" * 7 + "|", flush=True)
    reached = dict.fromkeys(LONGEST, 0)
    for model in options.only:
        for problem in options.problems:
            for seed in options.seeds:
                found = probe(model, problem, MOST, 10, seed, options.quick)
                reached[problem] = max(reached[problem], found["longest"])
                score = "" if found["score"] is None else f"{found['score']:.4g}"
                print(f"| {model} | {problem} | {found['longest']} | {score} | {rest(found)} |", flush=True)
    missed = [f"{one} {reached[one]} of {LONGEST[one]}" for one in options.problems if reached[one] < LONGEST[one]]
    if missed and not options.quick and options.only == MODELS:  # at least one of all models is to reach them
        sys.exit(f"below the floor: {', '.join(missed)}")


def rest(found: dict[str, object]) -> str:
    return f"{found['seconds']:.0f} | {found['steps']} | `{found['command']}`"


def probe(model: str, problem: str, length: int, minutes: int, seed: int, quick: bool) -> dict:
    """Run `unrolled probe`, and record what it found."""
    budget = ["--steps", "20"] if quick else ["--minutes", str(minutes)]
    arguments = ["probe", "--model", model, "--up-to", str(length), "--problems", problem, *budget, "--seed", str(seed)]
    command = shlex.join(["unrolled", *arguments])
    speed = None if quick else machine.wait_until_healthy()
    program, environment = common.unrolled()
    done = subprocess.run(
        [*program, *arguments, "--json", "--quiet"], env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"exit code {done.returncode} from: {command}")
    (found,) = json.loads(done.stdout)["problems"]
    row = {"model": model, "up_to": length, "minutes": minutes, "seed": seed, **found, "command": command}
    if not quick:
        about = {"gflops": speed, "machine": machine.line(), "date": machine.today()}
        common.record("long_memory", {**row, **about})
    return row


if __name__ == "__main__":
    main()
