"""Does each check of a number take what it says, and say what it takes?"""

from __future__ import annotations

from math import inf, nan
from typing import Any

import attrs
import pytest

from crm_portfolio import Settings
from crm_portfolio._takes import (
    is_above,
    is_at_least,
    is_count,
    is_inside,
    is_no_less,
    is_part,
    is_share,
)
from crm_portfolio.errors import SettingsError
from crm_portfolio.settings._settings import LAYERS


@attrs.frozen
class SomeWhereSettings:
    value: Any


def takes(check: Any, value: Any) -> bool:
    try:
        check(SomeWhereSettings(value), attrs.fields(SomeWhereSettings).value, value)
    except SettingsError:
        return False
    return True


@pytest.mark.parametrize(
    ("check", "taken", "refused"),
    [
        (is_share, (0, 0.5, 1), (-0.001, 1.001)),
        (is_part, (0.001, 1), (0, 1.001)),
        (is_inside, (0.001, 0.999), (0, 1)),
        (is_above, (1e-9, 1e9), (0, -1, inf)),
        (is_no_less, (0, 1e9), (-1e-9,)),
        (is_count, (1, 2), (0, -1)),
        (is_at_least(3), (3, 4), (2,)),
    ],
)
def test_each_ends_where_it_says(
    check: Any, taken: tuple[float, ...], refused: tuple[float, ...]
) -> None:
    assert all(takes(check, each) for each in (*taken, None))
    assert not any(takes(check, each) for each in (*refused, nan))


def test_the_message_names_the_key_as_the_file_has_it() -> None:
    with pytest.raises(SettingsError) as refused:
        is_share(SomeWhereSettings(2), attrs.fields(SomeWhereSettings).value, 2)
    assert str(refused.value) == "some_where.value is a share from 0 to 1, not 2"


@pytest.mark.parametrize("name", LAYERS)
def test_what_a_class_refuses_is_no_default_of_it(name: str) -> None:
    """All defaults pass, so that a file that says nothing is never at fault."""
    attrs.validate(getattr(Settings(), name))
