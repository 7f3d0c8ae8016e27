"""Where does the ball go next? The error of the next position beside what physics allows.

Protocol: 20 000 balls of 60 steps in a box of side 1 (`unrolled.synthetic.bouncing_balls`), seen with noise of 0.01 in
each coordinate; 1 000 others validate, and 2 000 of a third seed are the test: each is cut after 20, 30, 40, 50 and 59
steps, and the root mean square error of the position that is seen next is taken over balls and both coordinates. Who
knows the true state and the physics misses the noise alone (the floor, which the simulator gives from the true state).
Beside it: the mean position of the training balls (no history at all), the last position, and the last position with
its last change.

Goal: at most 1.2 times the noise.
"""

from pathlib import Path

import common
import numpy as np
import pyarrow as pa
import pyarrow.parquet

from unrolled.synthetic.bouncing_balls import BouncingBalls, Paths

BALLS = BouncingBalls(noise=0.01)
STEPS, COUNTS, SEEDS = 60, {"train": 20_000, "valid": 1_000, "test": 2_000}, {"train": 1, "valid": 2, "test": 3}
CUTS = (20, 30, 40, 50, 59)
TUNED = ["--hidden", "128", "--lr", "5e-3", "--batch", "128", "--epochs", "15"]
VARIANTS = {"gru 128": ["--model", "gru", *TUNED], "lstm 128": ["--model", "lstm", *TUNED]}


def main() -> None:
    options = common.arguments(__doc__, VARIANTS)
    folder = common.work("bouncing_ball")
    paths = {split: BALLS.paths(count, STEPS, SEEDS[split]) for split, count in COUNTS.items()}
    files = {split: write(folder / f"{split}.parquet", found.seen) for split, found in paths.items()}
    judged = "valid" if options.tune else "test"
    plain = references(paths["train"], paths[judged])
    print(f"\n{judged}: the floor {plain.pop('floor'):.5f}; times the noise:")
    for name, error in plain.items():
        print(f"  {name}: {error / BALLS.noise:.2f}")
    for variant, flags in options.variants.items():
        for seed in options.seeds:
            split = ["--valid", files["valid"], *([] if options.tune else ["--test", files["test"]])]
            run = common.fit("bouncing_ball", variant, files["train"], [*split, *flags], seed, options)
            errors = model_errors(folder / common.run_folder(run.command), paths[judged].seen)
            ratio = root_mean(errors) / BALLS.noise
            each = {cut: round(root_mean(error) / BALLS.noise, 3) for cut, error in zip(CUTS, errors, strict=True)}
            print(f"{variant}, seed {seed}: {ratio:.3f} times the noise ({each}), {run.seconds:.0f} s", flush=True)
            if not (options.quick or options.tune):
                figures = {"variant": variant, "seed": seed, "what": "answers", "times_the_noise": ratio, "cuts": each}
                common.record("bouncing_ball", {**figures, "references": plain, "command": run.command})


def write(path: Path, positions: np.ndarray) -> str:
    """One row a ball, its positions as a series; the file's name."""
    pa.parquet.write_table(pa.table({"position": positions.tolist()}), path)
    return path.name


def cut(positions: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """The positions before each cut, and (cuts, B, 2) those that come next."""
    return [positions[:, :steps] for steps in CUTS], np.stack([positions[:, steps] for steps in CUTS])


def references(train: Paths, part: Paths) -> dict[str, float]:
    """The root mean square errors of the plain answers."""
    histories, following = cut(part.seen)
    before = [steps - 1 for steps in CUTS]
    known = BALLS.after(part.state[:, before])[..., :2].swapaxes(0, 1)
    answers = {
        "floor": known,
        "mean position, no history": train.seen.mean((0, 1)),
        "last position": np.stack([history[:, -1] for history in histories]),
        "last position and change": np.stack([2 * history[:, -1] - history[:, -2] for history in histories]),
    }
    return {name: root_mean(answer - following) for name, answer in answers.items()}


def model_errors(folder: Path, positions: np.ndarray) -> np.ndarray:
    """(cuts, B, 2): what the run in ``folder`` answers, less what was seen."""
    from unrolled.api import load

    trained = load(folder)
    histories, following = cut(positions)
    answers = [trained.predict({"position": history.tolist()})["position_predicted"] for history in histories]
    return np.stack([np.array(answer.to_pylist()) for answer in answers]) - following


def root_mean(error: np.ndarray) -> float:
    return float(np.sqrt(np.square(error).mean()))


if __name__ == "__main__":
    main()
