"""C8, C10 and C11 over every registered encoding: what it fits, gives back, stores, answers and refuses.

A new encoding is met here unasked. If it recognises none of the columns below, add one that it does.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from samples import ours
from sounds import samples, wav

from unrolled.batch import Discrete
from unrolled.data.encoded import ENCODINGS, Encoded, Options, Where
from unrolled.data.facets import Channels, Items, Labels, Numbers, Text, Words
from unrolled.data.pictures import to_png
from unrolled.errors import DataError, ModelError


def picture(seed: int, height: int, width: int, channels: int) -> bytes:
    shape = (height, width, channels)
    return to_png(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


WHERE = Where("table.csv", "x")
VECTOR = pa.list_(pa.float64(), 2)

# Training columns without missing values, and a later column of the same form with values that training did not hold.
COLUMNS: dict[str, tuple[pa.Array, pa.Array]] = {
    "float": (pa.array([1.5, -2.0, 40.25, 7.0]), pa.array([1e6, -0.5])),
    "int": (pa.array([3, 1, 4, 1, 5], pa.int32()), pa.array([92, -65], pa.int32())),
    "floats": (pa.array([[0.5, 1.5], [], [-3.0]]), pa.array([[100.0], []])),
    "ints": (pa.array([[112, 118, 132], [129]]), pa.array([[-5, 622]])),
    "bool": (pa.array([True, False, True]), pa.array([False, False])),
    "labels": (pa.array(["spam", "ham", "ham", "spam", "ham"]), pa.array(["eggs", "ham"])),
    "categorical": (pa.array(["b", "a", "b"]).dictionary_encode(), pa.array(["c"]).dictionary_encode()),
    "tags": (pa.array([["O", "B"] * 6, [], ["I", "O", "O", "I"]]), pa.array([["X", "O"], []])),
    "clicks": (pa.array([[5, 9] * 30, [7] * 20], pa.list_(pa.int16())), pa.array([[5, 8]], pa.list_(pa.int16()))),
    "texts": (pa.array(["the food was good", "", "naïve 😀, café"]), pa.array(["ΩΩ good\x00", ""])),
    "words": (pa.array([["Ann", "saw", "Bo"], [], ["so", "it", "is"]]), pa.array([["saw", "Cy"], []])),
    "DNA": (pa.array(["GATTACAGATTACAGATTACA", "CCCGGGTTTAAACCCGGGTTTAAA"]), pa.array(["ACGTN", "", "RYNNA-"])),
    "vectors": (
        pa.array([[[1.0, 10.0], [2.0, 20.0]], [], [[4.0, 0.0]]], pa.list_(VECTOR)),
        pa.array([[[-1e5, 7.0]], []], pa.list_(VECTOR)),
    ),
    "sounds": (
        pa.array([wav(samples(seed, count)) for seed, count in enumerate((2000, 900, 700))]),
        pa.array([wav(samples(3, 1500)), wav(samples(4, 2205, 11025), 11025)]),
    ),
    "grey pictures": (pa.array([picture(n, 4, 6, 1) for n in range(3)]), pa.array([picture(3, 9, 5, 3)])),
    "pictures": (pa.array([picture(n, 5, 3, 3) for n in range(3)]), pa.array([picture(3, 5, 3, 1)])),
    "clips": (
        pa.array([[picture(0, 2, 3, 1), picture(1, 2, 3, 1)], [], [picture(2, 2, 3, 1)]]),
        pa.array([[picture(3, 5, 5, 3)], []]),
    ),
    "times": (
        pa.array([[datetime(2026, 1, 1), datetime(2026, 1, 1, 0, 5), datetime(2026, 1, 3)], [datetime(1969, 1, 1)]]),
        pa.array([[datetime(1900, 1, 1), datetime(2100, 1, 1)], []], pa.list_(pa.timestamp("us"))),
    ),
    "days": (pa.array([date(2024, 1, 31), date(1969, 12, 31), date(2024, 2, 29)]), pa.array([date(2030, 6, 5)])),
    "moments": (
        pa.array([[datetime(1900, 1, 1), datetime(2024, 5, 1, 23, 59, 59)], [], [datetime(2024, 12, 31, 12)]]),
        pa.array([[datetime(2031, 7, 1, 1, 2, 3, 456)], []]),
    ),
    "piano roll": (pa.array([[[0, 1, 1]], [[1, 0, 1], [0, 0, 0]]]), pa.array([[[1, 1, 1]]])),
}
PAIRS = [
    pytest.param(ENCODINGS.get(kind), *columns, id=f"{kind}-{name}")
    for kind in ENCODINGS.names()
    for name, columns in COLUMNS.items()
    if ENCODINGS.get(kind).recognises(pa.chunked_array([columns[0]])) >= 50
]


def plant(train: pa.Array, value: float | None) -> pa.Array | None:
    """``train`` with one more row that holds ``value`` in its last place; ``None`` if it holds no floats."""
    match train.to_pylist():
        case [float(), *_] as values:
            extra: Any = value
        case [[float(), *_], *_] as values:
            extra = [1.0, value]
        case [[[float(), *_], *_], *_] as values:
            extra = [[1.0, 2.0], [1.0, value]]
        case _:
            return None
    return pa.array([*values, extra], train.type)


every = pytest.mark.parametrize(("kind", "train", "later"), PAIRS)
planted_float = pytest.mark.parametrize(
    ("kind", "train"),
    [pytest.param(*pair.values[:2], id=pair.id) for pair in PAIRS if plant(pair.values[1], 0.0) is not None],
)
framed = pytest.mark.parametrize("options", [Options(), Options(framed=True)], ids=["plain", "framed"])


def column(*chunks: pa.Array) -> pa.ChunkedArray:
    return pa.chunked_array(list(chunks))


def rows(encoded: Encoded) -> list[np.ndarray]:
    if encoded.offsets is None:
        return list(encoded.values)
    return [encoded.values[a:b] for a, b in zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True)]


def assert_same(a: Encoded, b: Encoded) -> None:
    assert a.values.dtype == b.values.dtype
    np.testing.assert_array_equal(a.values, b.values)
    assert (a.offsets is None) == (b.offsets is None)
    if a.offsets is not None:
        np.testing.assert_array_equal(a.offsets, b.offsets)


def assert_fits_spec(encoding: Any, encoded: Encoded, count: int) -> None:
    spec = encoding.spec
    assert (encoded.offsets is not None) == spec.time
    if spec.time:
        assert encoded.offsets.dtype == np.int64
        assert len(encoded.offsets) == count + 1
        assert encoded.offsets[0] == 0
        assert encoded.offsets[-1] == len(encoded.values)
        assert (np.diff(encoded.offsets) >= 0).all()
    else:
        assert len(encoded.values) == count
    if isinstance(spec, Discrete):
        assert encoded.values.ndim == 1
        assert encoded.values.dtype.kind in "iu"
        assert encoded.values.max(initial=0) < spec.size
        assert encoded.values.min(initial=0) >= 0
    else:
        assert encoded.values.shape == (len(encoded.values), spec.width)
        assert encoded.values.dtype == np.float32
        assert np.isfinite(encoded.values).all()


def assert_close(found: Any, wanted: Any) -> None:
    """Equal, of the same type; floats within float32."""
    if isinstance(wanted, list):
        assert isinstance(found, list)
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_close(one, other)
    elif isinstance(found, float):
        assert found == pytest.approx(wanted, rel=1e-5, abs=1e-5)
    else:
        assert found == wanted
        assert type(found) is type(wanted)


def with_nulls(train: pa.Array) -> pa.Array:
    """``train`` with one more row that is null, and for lists one more of which all but the second step are."""
    values = train.to_pylist()
    if pa.types.is_list(train.type):
        step = next(row[0] for row in values if row)
        values.append([None, step, None, None])
    return pa.array([*values, None], train.type)


def test_every_encoding_has_a_column_here() -> None:
    met = {pair.values[0].kind for pair in PAIRS}
    assert met >= ours("encoding"), "an encoding recognises no column of COLUMNS: add one for it"


@every
@framed
def test_decode_undoes_encode(kind: Any, train: pa.Array, later: pa.Array, options: Options) -> None:
    encoding = kind.fit(column(train), options, WHERE)
    encoded = encoding.encode(column(train), WHERE)
    assert_fits_spec(encoding, encoded, len(train))
    # Of a time or a recording the steps themselves are given back: what they were made of cannot be.
    traits = kind.traits
    steps_only = traits.clock or (traits.measured and traits.whole)
    for row, wanted in zip(
        rows(encoded), map(np.ndarray.tolist, rows(encoded)) if steps_only else train.to_pylist(), strict=True
    ):
        assert_close(encoding.decode(row), wanted)


@every
@framed
def test_stored_and_read_back_is_the_same_to_the_bit(
    kind: Any, train: pa.Array, later: pa.Array, options: Options
) -> None:
    encoding = kind.fit(column(with_nulls(train)), options, WHERE)
    stored = json.dumps(encoding.to_config(), ensure_ascii=False, allow_nan=False).encode()
    again = kind.from_config(json.loads(stored))
    assert json.dumps(again.to_config(), ensure_ascii=False).encode() == stored
    assert again.spec == encoding.spec
    assert again.report() == encoding.report() != ""
    for array in (column(train), column(later), column(with_nulls(train))):
        assert_same(again.encode(array, WHERE), encoding.encode(array, WHERE))


@every
def test_fitted_on_the_training_rows_alone(kind: Any, train: pa.Array, later: pa.Array) -> None:
    """A split is often a slice that shares its buffers, and a dictionary's labels, with the rows behind it."""
    alone = kind.fit(column(train), Options(), WHERE)
    whole = pa.concat_arrays([train.cast(later.type), later])
    sliced = kind.fit(column(whole).slice(0, len(train)), Options(), WHERE)
    assert sliced.to_config() == alone.to_config()
    assert_same(sliced.encode(column(whole).slice(0, len(train)), WHERE), alone.encode(column(train), WHERE))
    behind = alone.encode(column(whole).slice(len(train)), WHERE)
    assert_same(behind, alone.encode(column(later), WHERE))


@every
def test_values_that_training_did_not_hold(kind: Any, train: pa.Array, later: pa.Array) -> None:
    encoding = kind.fit(column(train), Options(), WHERE)
    encoded = encoding.encode(column(later), WHERE)
    assert_fits_spec(encoding, encoded, len(later))
    assert isinstance(encoding.notes(column(later), encoded), str)
    if isinstance(encoding.spec, Discrete) and kind.recognises(column(train)) < 100:  # all truth values are known
        assert "not seen in training" in encoding.notes(column(later), encoded)
        assert encoding.notes(column(train), encoding.encode(column(train), WHERE)) == ""


@every
@pytest.mark.parametrize("seen", [True, False], ids=["in training too", "later only"])
@framed
def test_empty_cells_are_answered(kind: Any, train: pa.Array, later: pa.Array, seen: bool, options: Options) -> None:
    nulls = with_nulls(train)
    encoding = kind.fit(column(nulls if seen else train), options, WHERE)
    encoded = encoding.encode(column(nulls), WHERE)
    assert_fits_spec(encoding, encoded, len(nulls))
    assert len(rows(encoded)) == len(nulls)


@every
@framed
def test_no_rows_and_rows_without_steps(kind: Any, train: pa.Array, later: pa.Array, options: Options) -> None:
    encoding = kind.fit(column(train), options, WHERE)
    for empty in (pa.chunked_array([], train.type), column(train.slice(0, 0))):
        assert_fits_spec(encoding, encoding.encode(empty, WHERE), 0)
    if pa.types.is_list(train.type):
        encoded = encoding.encode(column(pa.array([[], []], train.type)), WHERE)
        assert_fits_spec(encoding, encoded, 2)
        assert encoding.decode(rows(encoded)[0]) == []


@every
@framed
def test_chunks_do_not_matter(kind: Any, train: pa.Array, later: pa.Array, options: Options) -> None:
    nulls = with_nulls(train)
    parts = column(nulls.slice(0, 1), nulls.slice(1, 0), nulls.slice(1, 2), nulls.slice(3))
    one, other = kind.fit(column(nulls), options, WHERE), kind.fit(parts, options, WHERE)
    assert one.to_config() == other.to_config()
    assert_same(one.encode(column(nulls), WHERE), other.encode(parts, WHERE))


@every
def test_a_live_value_is_encoded_as_in_a_table(kind: Any, train: pa.Array, later: pa.Array) -> None:
    encoding = kind.fit(column(with_nulls(train)), Options(), WHERE)
    array = column(with_nulls(train), later.cast(train.type))
    encoded = encoding.encode(array, WHERE)
    cells = array.to_pylist()
    if encoded.offsets is None:
        cells = [[cell] for cell in cells]
    elif isinstance(cells[0], bytes):  # a picture or a recording is pushed as a whole
        cells = [[cell] if cell else cell for cell in cells]
    live: list[np.ndarray] = []
    for cell in cells:
        before: list[float] = []
        for step in cell or ():
            found, before = encoding.encode_live(step, json.loads(json.dumps(before)), WHERE)
            live.extend(found)
    assert len(live) == len(encoded.values)
    for found, wanted in zip(live, encoded.values, strict=True):
        assert found.dtype == wanted.dtype
        assert found.shape == wanted.shape
        np.testing.assert_array_equal(found, wanted)


@every
def test_facets_tell_what_ids_and_numbers_are(kind: Any, train: pa.Array, later: pa.Array) -> None:
    encoding = kind.fit(column(train), Options(), WHERE)
    known: list[Any] = list(encoding.labels) if isinstance(encoding, Labels) else []
    if isinstance(encoding, Words) and encoding.words is not None:
        known = list(encoding.words)
    for place, value in enumerate(known, start=encoding.spec.size - len(known) if known else 0):
        assert encoding.decode(np.array([place])) in (value, [value])
    if known and isinstance(encoding, Items):
        assert encoding.first == encoding.spec.size - len(known)
    if isinstance(encoding, Numbers):
        assert encoding.mean.shape == encoding.std.shape == (len(encoding.mean),)
        assert len(encoding.mean) <= encoding.spec.width
    if isinstance(encoding, Channels):
        assert len(encoding.channels) == len(encoding.mean)


@every
@framed
def test_a_text_is_given_back_piece_by_piece(kind: Any, train: pa.Array, later: pa.Array, options: Options) -> None:
    encoding = kind.fit(column(train), options, WHERE)
    if not isinstance(encoding, Text):
        return
    assert encoding.framed == options.framed
    for row in rows(encoding.encode(column(train), WHERE)):
        whole, piece = encoding.decode(row), encoding.decode_stream()
        text = whole if isinstance(whole, str) else " ".join(whole)
        assert "".join(piece(id_) for id_ in row.tolist()) == text
        assert encoding.unseen(text) == []
        prompt = encoding.encode_text(text).tolist()
        assert [*prompt, encoding.end] == row.tolist() if options.framed else prompt == row.tolist()
        assert not {*prompt} & {id_ for id_ in encoding.never if id_ != encoding.begin}


@planted_float
@pytest.mark.parametrize(("value", "word"), [(float("nan"), "NaN"), (float("inf"), "infinite"), (-np.inf, "infinite")])
def test_nan_and_infinity_are_refused_with_row_and_column(kind: Any, train: pa.Array, value: float, word: str) -> None:
    planted = plant(train, value)
    with pytest.raises(DataError, match=word) as caught:
        kind.fit(column(planted), Options(), WHERE)
    assert (caught.value.file, caught.value.row, caught.value.column) == ("table.csv", len(planted), "x")
    assert caught.value.hint
    encoding = kind.fit(column(train), Options(), WHERE)
    with pytest.raises(DataError, match=word) as caught:
        encoding.encode(column(planted), WHERE)
    assert caught.value.row == len(planted)
    moved = Where("table.csv", "x", np.arange(len(planted)) + 100)
    with pytest.raises(DataError, match=f"row {100 + len(planted)}"):
        encoding.encode(column(planted), moved)


@planted_float
def test_nan_is_missing_where_that_is_asked_for(kind: Any, train: pa.Array) -> None:
    planted = plant(train, float("nan"))
    options = Options(missing="impute")
    encoding = kind.fit(column(planted), options, WHERE)
    null = kind.fit(column(plant(train, None)), options, WHERE)
    assert encoding.to_config() == null.to_config()
    assert_same(encoding.encode(column(planted), WHERE), null.encode(column(plant(train, None)), WHERE))


@every
def test_a_column_of_another_form_is_refused_by_name(kind: Any, train: pa.Array, later: pa.Array) -> None:
    encoding = kind.fit(column(train), Options(), WHERE)
    other = pa.array([[{"a": 1}]]) if not pa.types.is_list(train.type) else pa.array([{"a": 1}])
    with pytest.raises(DataError) as caught:
        encoding.encode(column(other), WHERE)
    assert caught.value.file == "table.csv"
    assert caught.value.column == "x"


@every
def test_a_stored_encoding_that_is_not_ours_is_refused(kind: Any, train: pa.Array, later: pa.Array) -> None:
    good = kind.fit(column(train), Options(), WHERE).to_config()
    junk: list[Any] = [None, -1, "ba", {"_target_": "os.system"}, [[[]]], float("nan"), [1, "a"], {}]
    broken: list[Any] = [{}, [], None, {**good, "class_path": "os.system"}]
    broken += [{key: value for key, value in good.items() if key != gone} for gone in good]
    for key in good:
        broken += [{**good, key: value} for value in junk if value != good[key]]
    for config in broken:
        with pytest.raises(ModelError, match=f"the {kind.kind} encoding of this model cannot be read"):
            kind.from_config(config)
