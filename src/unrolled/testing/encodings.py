"""The contracts of an encoding as functions of a kind of column and a `Sample` of it (C8, C10 and C11)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from unrolled.batch import Discrete
from unrolled.data.encodings.encoding import Role, Where
from unrolled.data.encodings.facets import Channels, Items, Labels, Numbers, Text, Words
from unrolled.errors import DataError, ModelError
from unrolled.testing.encoded import close, column, fits_spec, rows_of, same_column
from unrolled.testing.report import Broken, require
from unrolled.testing.sample_columns import SAMPLES, Sample

__all__ = ["CONTRACTS", "samples_of"]

_WHERE = Where("table.csv", "x")
_ROLES = (Role(), Role(framed=True))


def samples_of(kind: Any) -> dict[str, Sample]:
    """The `SAMPLES` that a kind of column recognises, by name."""
    return {name: sample for name, sample in SAMPLES.items() if kind.recognises(column(sample.train)) >= 50}


def decodes_what_it_encodes(kind: Any, sample: Sample) -> None:
    """The encoded column fits the encoding's spec, and decode returns the original cells.

    For a time or a recording, decode returns the steps, since the original cannot be restored.
    """
    steps_only = kind.traits.clock or (kind.traits.measured and kind.traits.whole)
    for role in _ROLES:
        encoding = kind.fit(column(sample.train), kind.Options(), role, _WHERE)
        encoded = encoding.encode(column(sample.train), _WHERE)
        fits_spec(encoding, encoded, len(sample.train))
        for row, cell in zip(rows_of(encoded), sample.train.to_pylist(), strict=True):
            wanted, found = row.tolist() if steps_only else cell, encoding.decode(row)
            require(close(found, wanted), f"decode gives {found!r}, expected {wanted!r}")


def stored_and_read_back(kind: Any, sample: Sample) -> None:
    """C8: from_config restores the same encoding, bit for bit, from the JSON of to_config; report is not empty."""
    nulls = sample.with_nulls()
    for role in _ROLES:
        encoding = kind.fit(column(nulls), kind.Options(), role, _WHERE)
        stored = json.dumps(encoding.to_config(), ensure_ascii=False, allow_nan=False)
        again = kind.from_config(json.loads(stored))
        require(json.dumps(again.to_config(), ensure_ascii=False) == stored, "to_config differs once it was read back")
        require(again.spec == encoding.spec, f"spec is {again.spec} once it was read back, expected {encoding.spec}")
        require(again.report() == encoding.report() != "", "report is empty, or differs once it was read back")
        for array in (sample.train, sample.later, nulls):
            same_column(again.encode(column(array), _WHERE), encoding.encode(column(array), _WHERE))


def fitted_on_its_rows_only(kind: Any, sample: Sample) -> None:
    """C10: an encoding that is fitted on a slice of a column learns nothing from the rows after it."""
    count, whole = len(sample.train), pa.concat_arrays([sample.train.cast(sample.later.type), sample.later])
    own = kind.fit(column(sample.train), kind.Options(), Role(), _WHERE)
    sliced = kind.fit(column(whole).slice(0, count), kind.Options(), Role(), _WHERE)
    require(
        sliced.to_config() == own.to_config(),
        "fitted on a slice of a column, it differs from one fitted on these rows only",
    )
    same_column(sliced.encode(column(whole).slice(0, count), _WHERE), own.encode(column(sample.train), _WHERE))
    same_column(own.encode(column(whole).slice(count), _WHERE), own.encode(column(sample.later), _WHERE))


def unseen_values(kind: Any, sample: Sample) -> None:
    """Values not seen in training are encoded, and notes says how many unseen labels or symbols there are."""
    encoding = kind.fit(column(sample.train), kind.Options(), Role(), _WHERE)
    encoded = encoding.encode(column(sample.later), _WHERE)
    fits_spec(encoding, encoded, len(sample.later))
    note = encoding.notes(column(sample.later), encoded)
    require(isinstance(note, str), f"notes gives {note!r}, expected a text")
    if (
        isinstance(encoding.spec, Discrete) and kind.recognises(column(sample.train)) < 100
    ):  # true and false are always known
        require("not seen in training" in note, f"notes gives {note!r}, expected how much was 'not seen in training'")
        note = encoding.notes(column(sample.train), encoding.encode(column(sample.train), _WHERE))
        require(note == "", f"notes gives {note!r} for the training column, expected nothing")


def empty_cells(kind: Any, sample: Sample) -> None:
    """Empty cells and missing steps are encoded, whether training had any or not."""
    nulls = sample.with_nulls()
    for role in _ROLES:
        for train in (sample.train, nulls):
            encoding = kind.fit(column(train), kind.Options(), role, _WHERE)
            fits_spec(encoding, encoding.encode(column(nulls), _WHERE), len(nulls))


def no_rows(kind: Any, sample: Sample) -> None:
    """A column without rows, and rows without steps, are encoded."""
    kind_of = sample.train.type
    for role in _ROLES:
        encoding = kind.fit(column(sample.train), kind.Options(), role, _WHERE)
        for empty in (pa.chunked_array([], kind_of), column(sample.train.slice(0, 0))):
            fits_spec(encoding, encoding.encode(empty, _WHERE), 0)
        if pa.types.is_list(kind_of):
            encoded = encoding.encode(column(pa.array([[], []], kind_of)), _WHERE)
            fits_spec(encoding, encoded, 2)
            found = encoding.decode(rows_of(encoded)[0])
            require(found == [], f"decode gives {found!r} for a row without steps, expected []")


def any_chunks(kind: Any, sample: Sample) -> None:
    """The division of a column into Arrow chunks does not matter."""
    nulls = sample.with_nulls()
    parts = column(nulls.slice(0, 1), nulls.slice(1, 0), nulls.slice(1, 2), nulls.slice(3))
    for role in _ROLES:
        one, other = (kind.fit(array, kind.Options(), role, _WHERE) for array in (column(nulls), parts))
        require(
            one.to_config() == other.to_config(),
            "fitted on a column in several chunks, it differs from one fitted on a single chunk",
        )
        same_column(one.encode(column(nulls), _WHERE), other.encode(parts, _WHERE))


def live_values(kind: Any, sample: Sample) -> None:
    """C1: encode_live returns, value by value, what encode returns for the whole column."""
    encoding = kind.fit(column(sample.with_nulls()), kind.Options(), Role(), _WHERE)
    array = column(sample.with_nulls(), sample.later.cast(sample.train.type))
    encoded, cells = encoding.encode(array, _WHERE), array.to_pylist()
    if encoded.offsets is None:
        cells = [[cell] for cell in cells]
    elif isinstance(cells[0], bytes):  # a picture or a recording is pushed as a whole
        cells = [[cell] if cell else cell for cell in cells]
    live: list[np.ndarray] = []
    for cell in cells:
        before: list[float] = []
        for step in cell or ():
            found, before = encoding.encode_live(step, json.loads(json.dumps(before)), _WHERE)
            live.extend(found)
    require(len(live) == len(encoded.values), f"encode_live gives {len(live)} steps, expected {len(encoded.values)}")
    for found, wanted in zip(live, encoded.values, strict=True):
        alike = found.dtype == wanted.dtype and found.shape == wanted.shape and np.array_equal(found, wanted)
        require(alike, f"encode_live gives {found!r}, expected {wanted!r}")


def facets(kind: Any, sample: Sample) -> None:
    """The facets fit the traits and the spec: the ids of labels or words, the number of channels."""
    encoding = kind.fit(column(sample.train), kind.Options(), Role(), _WHERE)
    spec = encoding.spec
    for name, facet in (("labels", Labels), ("text", Text), ("channels", Channels)):
        said, has = getattr(kind.traits, name), isinstance(encoding, facet)
        require(
            said == has, f"its trait {name!r} is {said}, but it {'has' if has else 'lacks'} the facet {facet.__name__}"
        )
    known: list[Any] = list(encoding.labels) if isinstance(encoding, Labels) else []
    if isinstance(encoding, Words) and encoding.words is not None:
        known = list(encoding.words)
    first = spec.size - len(known) if known else 0
    for place, value in enumerate(known, start=first):
        found = encoding.decode(np.array([place]))
        require(found in (value, [value]), f"decode gives {found!r} for the id {place}, expected {value!r}")
    if known and isinstance(encoding, Items):
        require(encoding.first == first, f"first is {encoding.first}, but the first known id is {first}")
    if isinstance(encoding, Numbers):
        count = len(encoding.mean)
        require(encoding.mean.shape == encoding.std.shape == (count,), "mean and std must have one number a channel")
        require(count <= spec.width, f"it has {count} channels, but its width is {spec.width}")
        named = not isinstance(encoding, Channels) or len(encoding.channels) == count
        require(named, f"channels must name {count} channels")


def text_piece_by_piece(kind: Any, sample: Sample) -> None:
    """decode_stream writes the same text id by id as decode at once, and encode_text agrees with encode."""
    for role in _ROLES:
        fitted = kind.fit(column(sample.train), kind.Options(), role, _WHERE)
        encoding: Any = fitted
        if not isinstance(fitted, Text):
            return
        require(encoding.framed == role.framed, f"framed is {encoding.framed}, expected {role.framed}")
        for row in rows_of(encoding.encode(column(sample.train), _WHERE)):
            whole, piece = encoding.decode(row), encoding.decode_stream()
            text = whole if isinstance(whole, str) else " ".join(whole)
            written = "".join(piece(id_) for id_ in row.tolist())
            require(written == text, f"decode_stream writes {written!r}, expected {text!r}")
            require(encoding.unseen(text) == [], f"unseen finds {encoding.unseen(text)!r} in a text of training")
            prompt, wanted = encoding.encode_text(text).tolist(), row.tolist()
            prompt_and_end = [*prompt, encoding.end] if role.framed else prompt
            require(prompt_and_end == wanted, f"encode_text gives {prompt!r} for a row {wanted!r}")
            never = {*prompt} & {id_ for id_ in encoding.never if id_ != encoding.begin}
            require(not never, f"a training text has the ids {sorted(never)}, which never excludes as answers")


def no_number_is_infinite(kind: Any, sample: Sample) -> None:
    """C11: NaN and infinity are refused with file, row, column and a hint."""
    for value, word in ((math.nan, "NaN"), (math.inf, "infinite"), (-math.inf, "infinite")):
        planted = sample.planted(value)
        if planted is None:
            return
        last, array = len(planted), column(planted)
        encoding = kind.fit(column(sample.train), kind.Options(), Role(), _WHERE)
        moved = Where("table.csv", "x", np.arange(last) + 100)
        for error, row in (
            (_refusal(f"fit to {value}", kind.fit, array, kind.Options(), Role(), _WHERE), last),
            (_refusal(f"encode of {value}", encoding.encode, array, _WHERE), last),
            (_refusal(f"encode of {value}", encoding.encode, array, moved), last + 100),
        ):
            place = (error.file, error.row, error.column)
            require(place == ("table.csv", row, "x"), f"the error about {value} names {place}, expected row {row}")
            require(
                word in str(error) and bool(error.hint), f"the error about {value} lacks {word!r} or a hint: {error}"
            )


def nan_may_be_missing(kind: Any, sample: Sample) -> None:
    """With the option missing='impute', NaN is a missing value."""
    planted, null = sample.planted(math.nan), sample.planted(None)
    if planted is None or null is None or "missing" not in kind.Options.model_fields:
        return
    options = kind.Options(missing="impute")
    one, other = (kind.fit(column(array), options, Role(), _WHERE) for array in (planted, null))
    require(one.to_config() == other.to_config(), "fitted on NaN, it differs from one fitted on a missing value")
    same_column(one.encode(column(planted), _WHERE), one.encode(column(null), _WHERE))


def another_form(kind: Any, sample: Sample) -> None:
    """C11: a column of another form is refused with file and column."""
    encoding = kind.fit(column(sample.train), kind.Options(), Role(), _WHERE)
    other = pa.array([{"a": 1}]) if pa.types.is_list(sample.train.type) else pa.array([[{"a": 1}]])
    error = _refusal(f"encode of a column of {other.type}", encoding.encode, column(other), _WHERE)
    place = (error.file, error.column)
    require(place == ("table.csv", "x"), f"the error names {place}, expected ('table.csv', 'x')")


def a_damaged_config(kind: Any, sample: Sample) -> None:
    """C8: from_config refuses an invalid configuration with a `ModelError`.

    Raises:
        Broken: an invalid configuration is accepted.
    """
    good = kind.fit(column(sample.train), kind.Options(), Role(), _WHERE).to_config()
    junk: list[Any] = [None, -1, "ba", {"_target_": "os.system"}, [[[]]], math.nan, [1, "a"], {}]
    broken: list[Any] = [{}, [], None, {**good, "class_path": "os.system"}]
    broken += [{key: value for key, value in good.items() if key != gone} for gone in good]
    for key in good:
        broken += [{**good, key: value} for value in junk if value != good[key]]
    for config in broken:
        try:
            kind.from_config(config)
        except ModelError:
            continue
        raise Broken(f"from_config accepts {config!r:.200}")


CONTRACTS: Sequence[Callable[[Any, Sample], None]] = (
    decodes_what_it_encodes,
    stored_and_read_back,
    fitted_on_its_rows_only,
    unseen_values,
    empty_cells,
    no_rows,
    any_chunks,
    live_values,
    facets,
    text_piece_by_piece,
    no_number_is_infinite,
    nan_may_be_missing,
    another_form,
    a_damaged_config,
)


def _refusal(what: str, act: Callable[..., object], *given: Any) -> DataError:
    """The error with which ``act(*given)`` refuses its arguments."""
    try:
        act(*given)
    except DataError as error:
        return error
    raise Broken(f"{what} is not refused with a DataError")
