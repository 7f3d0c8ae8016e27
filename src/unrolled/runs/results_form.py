"""A trained model's metrics, baselines and verdicts as HTML for a notebook."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from unrolled.metrics.metric import best_first, in_order
from unrolled.page.notebook import cell, metrics_grid, sentences

__all__ = ["results_form"]


def results_form(
    title: str,
    metrics: Mapping[str, Mapping[str, float]],
    baselines: Mapping[str, Mapping[str, dict[str, float]]],
    said: Callable[[str], list[str]],
) -> str:
    """A table for each split, with its baselines, the best first, and what there is to say below it.

    Args:
        title: the model, in words.
        metrics: split -> metric -> value.
        baselines: split -> baseline -> metric -> value.
        said: the sentences of a split.
    """
    parts = []
    for split, values in metrics.items():
        ordered = in_order(values)
        others = best_first(baselines.get(split, {}), next(iter(ordered), ""))
        parts += [metrics_grid(ordered, others, "this model", split), sentences(said(split))]
    return cell(title, *parts)
