"""Sketches name what two sets do not share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clbench.stream.pins.sketch import differences, keys, sketch, text_of

IDS = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=12), unique=True)


def key_of(*texts: str) -> np.ndarray:
    return keys(np.array(texts, dtype=np.str_)) if texts else np.zeros(0, dtype=np.uint64)


@given(IDS.filter(bool), st.integers(0, 65535), st.data())
def test_a_single_difference_is_always_found(ids: list[str], number: int, data: st.DataObject) -> None:
    key = key_of(*ids)
    numbers = np.full(len(ids), number)
    gone = data.draw(st.integers(0, len(ids) - 1))
    rest = np.arange(len(ids)) != gone
    found = differences(sketch(key, number=numbers), sketch(key[rest], number=numbers[rest]))
    assert found == [(int(key[gone]), number)]
    assert differences(sketch(key), sketch(key[rest])) == [(int(key[gone]), 0)]


@given(IDS)
def test_equal_sets_show_no_difference_in_any_order(ids: list[str]) -> None:
    assert differences(sketch(key_of(*ids)), sketch(key_of(*reversed(ids)))) == []


def test_one_of_many_differences_is_found_most_of_the_time() -> None:
    rng = np.random.default_rng(0)
    found = 0
    for trial in range(200):
        many = rng.choice(10**6, 1200, replace=False)
        key = key_of(*(f"{number:012d}" for number in many.tolist()))
        named = differences(sketch(key), sketch(key[: 1200 - trial - 2]))
        found += bool(named)
        assert {name for name, _ in named} <= set(key[1200 - trial - 2 :].tolist())
    assert found > 110


@pytest.mark.parametrize("text", ["391895", "000000391895", "00000000000000001", "t1", "2007_00", "a b-c", "é"])
def test_short_ids_are_read_back_from_their_keys(text: str) -> None:
    assert text_of(int(key_of(text)[0])) == text


@pytest.mark.parametrize("text", ["train-000123", "012345678901234567", "2007_000027"])
def test_long_ids_have_keys_that_spell_nothing(text: str) -> None:
    assert text_of(int(key_of(text)[0])) == ""


@given(IDS)
def test_an_id_has_one_key_whatever_it_is_listed_with(ids: list[str]) -> None:
    assert [int(key_of(text)[0]) for text in ids] == key_of(*ids).tolist()


def test_digits_of_one_length_and_mixed_ids_have_the_same_keys() -> None:
    assert key_of("000012", "000345").tolist() == key_of("000012", "000345", "x")[:2].tolist()
