from __future__ import annotations

import numpy as np
import pytest
import torch

from unrolled.batch import Continuous, Discrete
from unrolled.errors import UsageError
from unrolled.synthetic.memory_tasks import PROBLEMS, Questions, problem

NAMES = list(PROBLEMS)
STEPS, ROWS = 40, 50


def asked(name: str, seed: int = 0, steps: int = STEPS, rows: int = ROWS) -> Questions:
    return problem(name).questions(seed, steps, rows)


def answers(questions: Questions) -> list[list[float]]:
    """The scored targets of each row."""
    return [row[scored].tolist() for row, scored in zip(questions.target, questions.scored, strict=True)]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_numbers_give_the_same_rows_and_others_give_others(name: str) -> None:
    first = asked(name)
    assert all(torch.equal(a, b) for a, b in zip(first, asked(name), strict=True))
    assert not torch.equal(first.input, asked(name, seed=1).input)
    assert len(np.unique(first.input.flatten(1).numpy(), axis=0)) == ROWS


@pytest.mark.parametrize("name", NAMES)
def test_the_network_can_read_it_and_answer_it(name: str) -> None:
    one, questions = problem(name), asked(name)
    steps = questions.input.shape[1]
    assert questions.target.shape == questions.scored.shape == (ROWS, steps)
    assert questions.scored.dtype == torch.bool
    if isinstance(one.spec, Discrete):
        assert questions.input.dtype == torch.int64
        assert questions.input.min() >= 0 and questions.input.max() < one.spec.size
        assert questions.target.min() >= 0 and questions.target.max() < one.outputs
    else:
        assert isinstance(one.spec, Continuous)
        assert questions.input.dtype == questions.target.dtype == torch.float32
        assert questions.input.shape[2] == one.spec.width


@pytest.mark.parametrize("name", NAMES)
def test_the_least_length_can_be_asked_and_one_less_cannot(name: str) -> None:
    shortest = problem(name).shortest
    assert asked(name, steps=shortest).scored.any(1).all()
    with pytest.raises(UsageError, match=rf"^{name} needs at least {shortest} steps, got {shortest - 1}$"):
        asked(name, steps=shortest - 1)


def test_adding_asks_for_the_sum_of_the_two_marked_numbers_one_in_each_half() -> None:
    questions = asked("adding", rows=2000)
    numbers, marks = questions.input.unbind(2)
    assert (marks[:, : STEPS // 2].sum(1) == 1).all() and (marks[:, STEPS // 2 :].sum(1) == 1).all()
    assert torch.allclose(questions.target[:, -1], (numbers * marks).sum(1))
    assert questions.scored.sum(1).eq(1).all() and questions.scored[:, -1].all()
    chance = problem("adding").score(torch.ones(2000, STEPS, 1), questions)
    assert chance == pytest.approx(1 / 6, abs=0.02)  # of two uniform numbers: 2 / 12


def test_copy_asks_for_the_first_ten_symbols_after_the_cue() -> None:
    questions = asked("copy")
    assert questions.input.shape == (ROWS, STEPS + 20)
    for row, wanted in zip(questions.input.tolist(), answers(questions), strict=True):
        assert row[:10] == wanted
        assert set(row[:10]) <= set(range(8))
        assert row[10:] == [8] * (STEPS - 1) + [9] + [8] * 10
    assert questions.scored[:, -10:].all()


def test_selective_copying_asks_for_the_sixteen_symbols_among_the_noise_in_their_order() -> None:
    questions = asked("selective")
    places = set()
    for row, wanted in zip(questions.input.tolist(), answers(questions), strict=True):
        kept = [(at, symbol) for at, symbol in enumerate(row[:STEPS]) if symbol != 14]
        assert [symbol for _, symbol in kept] == wanted
        assert len(wanted) == 16
        assert row[STEPS:] == [15] * 16
        places.add(tuple(at for at, _ in kept))
    assert len(places) == ROWS
    assert questions.scored[:, STEPS:].all()


def test_the_lessons_of_selective_copying_are_the_same_with_fewer_symbols() -> None:
    one = problem("selective")
    assert one.first == 32  # half of it noise, with all sixteen symbols
    for kept, lesson in zip(range(2, 16, 2), one.lessons, strict=True):
        assert (lesson.name, lesson.spec, lesson.outputs, lesson.lessons) == ("selective", one.spec, one.outputs, ())
        questions = lesson.questions(0, one.first, ROWS)
        for row, wanted in zip(questions.input.tolist(), answers(questions), strict=True):
            assert [symbol for symbol in row[: one.first] if symbol != 14] == wanted
            assert len(wanted) == kept and row[one.first :] == [15] * kept


def test_recall_asks_for_the_value_of_every_key_in_another_order() -> None:
    questions, moved = asked("recall"), 0
    for row, wanted in zip(questions.input.tolist(), answers(questions), strict=True):
        keys, values = row[0:16:2], row[1:16:2]
        assert len(set(keys)) == 8
        assert all(key < 32 for key in keys) and all(32 <= value < 64 for value in values)
        assert set(row[16:-8]) == {64}
        table = dict(zip(keys, values, strict=True))
        assert [table[key] - 32 for key in row[-8:]] == wanted
        assert sorted(row[-8:]) == sorted(keys)
        moved += row[-8:] != keys
    assert moved > ROWS * 0.9


def test_order_asks_which_of_two_words_came_first_and_no_bag_of_words_tells() -> None:
    rows = 20_000
    questions = asked("order", steps=6, rows=rows)
    words = questions.input.numpy()
    target = questions.target[:, -1].numpy()
    named = [[word for word in row if word < 8] for row in words.tolist()]
    assert all(len(pair) == 2 and pair[0] != pair[1] for pair in named)
    assert target.tolist() == [int(first < second) for first, second in named]
    assert (words[:, -1] == 16).all()
    # Swapping the two words keeps the bag and turns the answer over, and each of the two rows is as likely: whatever
    # the bag, half of its rows are of either class. Bags that came often show it.
    bags: dict[tuple[int, ...], list[int]] = {}
    for pair, right in zip(named, target.tolist(), strict=True):
        bags.setdefault(tuple(sorted(pair)), []).append(right)
    assert len(bags) == 28  # every pair of eight
    assert all(abs(np.mean(of) - 0.5) < 5 * 0.5 / np.sqrt(len(of)) for of in bags.values())


def test_a_linear_model_of_the_bag_of_words_stays_at_chance_where_the_order_decides() -> None:
    questions = asked("order", rows=8000)
    bags = torch.nn.functional.one_hot(questions.input, 17).sum(1).double()
    pairs = torch.einsum("bi,bj->bij", bags[:, :8], bags[:, :8]).flatten(1)  # which two words they are, too
    features = torch.cat([bags, pairs], 1)
    sign = 2.0 * questions.target[:, -1:] - 1
    train, test = slice(0, 6000), slice(6000, None)
    weights = torch.linalg.lstsq(features[train], sign[train].double(), driver="gelsd").solution
    right = ((features[test] @ weights).sign() == sign[test]).double().mean()
    assert abs(float(right) - 0.5) < 0.05


def test_scores_and_losses_look_at_the_scored_steps_alone() -> None:
    one, questions = problem("copy"), asked("copy", rows=2)
    outputs = torch.nn.functional.one_hot(questions.target, 8).float() * 50
    outputs[~questions.scored] = float("nan")
    assert one.score(outputs, questions) == 1.0
    assert one.losses(outputs, questions).shape == (20,)
    assert float(one.losses(outputs, questions).max()) < 1e-6
    outputs[0, -1] = -outputs[0, -1]
    assert one.score(outputs, questions) == pytest.approx(19 / 20)
    adding, numbers = problem("adding"), asked("adding", rows=2)
    wrong = numbers.target[..., None] + torch.tensor([0.1, 0.3])[:, None, None]
    assert adding.score(wrong, numbers) == pytest.approx((0.01 + 0.09) / 2, rel=1e-4)


def test_what_counts_as_solved() -> None:
    assert problem("adding").solved(0.0099) and not problem("adding").solved(0.01)
    assert not problem("adding").solved(float("nan"))
    for name in ("copy", "selective", "recall", "order"):
        assert problem(name).solved(0.99) and not problem(name).solved(0.989)


def test_an_unknown_problem_is_told_its_neighbour() -> None:
    with pytest.raises(UsageError, match=r"there is no problem 'copi'\. Did you mean 'copy'\? Known: adding, copy"):
        problem("copi")
