"""Converts ``config.json`` of format 1, which had all options in four parts, to the current format."""

from __future__ import annotations

from typing import Any

__all__ = ["from_format_1"]

_NETWORKS = ("model.network", "model.encoder_decoder")
_ATTENDING = ("layer.transformer", "layer.bitransformer")
_NUMBERS = ("encoding.number", "encoding.series")
# (part, option) of format 1 -> the keys of the members that have the option now, and its name there.
_MOVED: dict[tuple[str, str], tuple[tuple[str, ...], str]] = {
    ("data", "ahead"): (("task.forecast",), "known_ahead"),
    ("data", "scale"): (("task.forecast",), "scale"),
    ("data", "shared"): (("task.translate",), "shared"),
    ("data", "tokens"): (("encoding.tokens",), "tokens"),
    ("data", "normalise"): (("encoding.tokens",), "normalise"),
    ("data", "vocabulary"): (("encoding.tokens", "encoding.symbols"), "vocabulary"),
    ("data", "least"): (("encoding.tokens",), "min_count"),
    ("data", "missing"): ((*_NUMBERS, "encoding.category", "encoding.elapsed"), "missing"),
    ("data", "kmer"): (("encoding.symbols",), "kmer"),
    ("data", "strands"): (("encoding.symbols",), "both_strands"),
    ("data", "audio"): (("encoding.audio",), "audio"),
    ("data", "audio_rate"): (("encoding.audio",), "audio_rate"),
    ("data", "audio_deltas"): (("encoding.audio",), "audio_deltas"),
    ("data", "audio_scale"): (("encoding.audio",), "audio_scale"),
    ("data", "image"): (("encoding.image",), "image"),
    ("data", "image_size"): (("encoding.image", "encoding.video"), "image_size"),
    ("data", "documents"): (("reader.text",), "rows_are"),
    ("data", "music"): (("reader.abc", "reader.midi"), "music"),
    ("task", "horizon"): (("task.forecast",), "horizon"),
    ("task", "lookback"): (("task.forecast",), "lookback"),
    ("task", "quantiles"): (("task.forecast",), "quantiles"),
    ("task", "distribution"): (("task.forecast",), "distribution"),
    ("task", "crf"): (("task.tag",), "crf"),
    ("task", "mask"): (("task.fill",), "mask"),
    ("task", "beam"): (("task.transcribe", "task.translate"), "beam"),
    ("task", "label_smoothing"): (("task.translate",), "label_smoothing"),
    ("model", "pool"): (_NETWORKS, "pool"),
    ("model", "tied"): (_NETWORKS, "tied"),
    ("model", "encoder"): (("model.encoder_decoder",), "encoder"),
    ("model", "decoder"): (("model.encoder_decoder",), "decoder"),
    ("model", "attention"): (("model.encoder_decoder",), "attention"),
    ("model", "coverage"): (("model.encoder_decoder",), "coverage"),
    ("model", "window"): (("layer.window",), "window"),
    ("model", "heads"): ((*_ATTENDING, "layer.deltanet"), "heads"),
    ("model", "kv_heads"): (_ATTENDING, "kv_heads"),
    ("model", "sight"): (_ATTENDING, "attention_window"),
    ("model", "positions"): (_ATTENDING, "positions"),
    ("training", "scheduled_sampling"): (("model.encoder_decoder",), "scheduled_sampling"),
    ("training", "softmax"): (("task.next_step",), "sampled_softmax"),
    ("training", "start"): (("part.training",), "init_from"),
}
_HOMES = {  # the kind of a member -> the part of a run that holds its options
    "reader": "data",
    "encoding": "data",
    "task": "task",
    "model": "model",
    "layer": "model",
    "part": "training",
}
_VALUES: dict[str, dict[str, Any]] = {  # option -> its value in format 1 -> its value now
    "both_strands": {"one": False, "both": True},
    "rows_are": {"file": "files", "line": "lines"},
}


def from_format_1(values: dict[str, Any]) -> dict[str, Any]:
    """Convert ``config.json`` of format 1 to format 2.

    Raises:
        KeyError, TypeError, ValueError: a part is missing, or is not a mapping.
    """
    parts: dict[str, dict[str, Any]] = {part: dict(values[part]) for part in ("data", "task", "model", "training")}
    source = parts["data"].pop("source")
    for (part, old), (keys, new) in _MOVED.items():
        if old in parts[part]:
            value = _current(new, parts[part].pop(old))
            for key in keys:
                kind = key.partition(".")[0]
                home = parts[_HOMES[kind]]
                owner = home if kind == "part" else home.setdefault("own", {}).setdefault(key, {})
                owner[new] = value
    rest = {name: value for name, value in values.items() if name not in parts}
    return {**rest, "format": 2, "source": source, **parts}


def _current(name: str, value: Any) -> Any:
    if name == "sampled_softmax" and isinstance(value, str):
        return 0 if value == "full" else int(value.removeprefix("sampled:"))
    return _VALUES[name][value] if name in _VALUES else value
