"""Is it known what the type of a setting asks for?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pytest

from crm_portfolio._kinds import choices, is_no_list, may_be_none, parts

WORD = Literal["a", "b"]


def test_a_union_falls_into_its_parts() -> None:
    assert parts(int | None) == (int,)
    assert parts(tuple[str, ...] | WORD) == (tuple[str, ...], WORD)
    assert parts(Mapping[str, int]) == (Mapping[str, int],)
    assert may_be_none(int | None)
    assert not may_be_none(int)
    assert not may_be_none(Literal[1, 2])


def test_words_are_known_where_nothing_else_may_stand() -> None:
    assert choices(WORD | None) == ("a", "b")
    assert choices(WORD | int) == choices(str) == ()


@pytest.mark.parametrize(
    ("kind", "value", "is_fault"),
    [
        (tuple[str, ...], "ABC", True),
        (tuple[str, ...] | None, "ABC", True),
        (Sequence[str], {"A": 1}, True),
        (tuple[float, float], [1.0, 2.0], False),
        (tuple[str, ...], ("A",), False),
        (tuple[str, ...] | Literal["all"], "all", False),  # a word in its stead
        (Mapping[str, Any], {"A": 1}, False),
        (str, "ABC", False),
        (tuple[str, ...] | None, None, False),
    ],
)
def test_a_text_or_a_table_is_no_list(kind, value, is_fault: bool) -> None:
    assert is_no_list(kind, value) is is_fault
