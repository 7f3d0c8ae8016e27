"""Training on the workers of a Ray cluster: each calls `unrolled.fit`, which uses the process group that Ray made.

    python deploy/ray_train.py /shared/clicks.parquet /shared/runs/clicks 8

If a worker fails, Ray starts all of them again, and ``go_on`` continues the run. Needs `pip install 'ray[train]'`.
"""

from __future__ import annotations

import sys
from typing import Any

import ray.train
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

import unrolled


def train(options: dict[str, Any]) -> None:
    """What each worker does; all of them report, as Ray asks for."""
    model = unrolled.fit(options["data"], out=options["out"], go_on=True, quiet=True)
    ray.train.report(model.metrics["valid"])


if __name__ == "__main__":
    data, out, workers = sys.argv[1:]
    trainer = TorchTrainer(
        train,
        train_loop_config={"data": data, "out": out},
        scaling_config=ScalingConfig(num_workers=int(workers)),
        run_config=RunConfig(failure_config=FailureConfig(max_failures=10)),
    )
    print(trainer.fit().metrics)
