"""What is looked at of a word: what words have in common, and what tells them apart."""

from __future__ import annotations

import torch
from samples import sequences

from unrolled.batch import letters_of
from unrolled.data.encodings.tokens import Tokens
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.aligned import Aligned
from unrolled.solved._word_attributes import ATTRIBUTES, attributes, keys_of, letter_tables, templates, word_columns


def seen(*words: str) -> torch.Tensor:
    """(M, J) the attributes of these words, all of whose letters are known."""
    data = sequences({"w": [list(words) * 2], "y": [["a"] * 2 * len(words)]}, {"w": "tokens", "y": "category"})
    roles = Roles(("w",), "y", Aligned(), {"y": "category"})
    coder = Preprocessor.fit(data, roles, Preparation({"tokens": Tokens.Options(letters=True)}))
    (column,) = word_columns(coder.specs)
    assert column.count == ATTRIBUTES
    inputs = coder.encode(data).inputs
    ids, letters = (torch.from_numpy(inputs[name].values.astype("int64")) for name in ("w", letters_of("w")))
    return attributes(ids, letters, letter_tables(coder, column))[: len(words)]


def alike(one: str, other: str) -> list[int]:
    found = seen(one, other)
    return (found[0] == found[1]).nonzero()[:, 0].tolist()


def test_case_beginnings_ends_and_shapes() -> None:
    assert alike("Apple", "apple") == [1, *range(2, 10)]  # all but the word itself and its shapes
    assert alike("walking", "talking") == [6, 7, 8, 9, 10, 11]  # the ends, and the shapes
    assert alike("iPhone", "iPad") == [2, 3, 11]  # i, ip, xXx
    assert alike("Ab12", "Cd345") == [11]  # Xxd
    assert alike("a-b", "a.b") == [2, 6]  # each sign has its own shape
    assert alike("at", "it") == [6, 10, 11]
    assert alike("ab", "xab") == [6, 7, 11]


def test_windows_reach_as_far_as_they_may() -> None:
    columns = word_columns({})
    assert columns == [] and templates(columns, 2) == []
    from unrolled.batch import Discrete

    columns = word_columns({"a": Discrete(5_000), "b": Discrete(10)})
    assert [column.first for column in columns] == [0, 1]
    assert len(templates(columns, 2)) == 7 + 7 + 3
    assert max(at for one in templates(columns, 0) for _, at in one) == 0
    assert len(templates(columns, 0)) == 4 + 4 + 1


def test_the_ends_of_a_row_are_features() -> None:
    window = torch.zeros(1, 6, 1, dtype=torch.int64)
    window[0, 2:4, 0] = torch.tensor([7, 7])
    keys = keys_of(window, [((0, 0),), ((0, -1),), ((0, 1),)])
    assert keys.shape == (1, 2, 3)
    assert keys[0, 0, 0] == keys[0, 1, 0]
    assert keys[0, 0, 1] != keys[0, 1, 1] and keys[0, 0, 2] != keys[0, 1, 2]
    assert len(torch.unique(keys)) == 5
