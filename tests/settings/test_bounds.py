"""Are the bounds of a number found by asking its class?"""

from __future__ import annotations

import attrs
import pytest

from crm_portfolio.errors import SettingsError
from crm_portfolio.settings._bounds import Bounds, bounds_of


def _between(low: float, high: float):
    def validated(_: object, __: object, value: float) -> None:
        if value is not None and not low <= value < high:
            raise SettingsError("no")

    return validated


def _above_its_neighbour(own, _, value: float) -> None:
    if value <= own.low:
        raise SettingsError("high is above low")


@attrs.frozen
class Chosen:
    low: float = attrs.field(default=0.5, validator=_between(0.25, 1))
    high: float = attrs.field(default=2.0, validator=_above_its_neighbour)
    count: int = attrs.field(default=4, validator=_between(-3, 27))
    often: int | None = attrs.field(default=None, validator=_between(5, 8))
    free: float = 1.0
    later: int = 3
    word: str = "x"

    def __attrs_post_init__(self) -> None:
        if self.later < 2:
            raise SettingsError("later is at least 2")
        if self.low > self.high:
            raise SettingsError("low is not above high")


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        ("low", Bounds(0.25, 1.0, is_open_above=True)),
        ("high", Bounds()),  # it hangs on its neighbour
        ("count", Bounds(-3, 26)),
        ("free", Bounds()),
        ("later", Bounds(2)),
        ("word", Bounds()),
    ],
)
def test_they_are(name: str, bounds: Bounds) -> None:
    assert bounds_of(Chosen, name) == bounds


def test_a_number_that_none_of_those_tried_fits_has_no_bounds_told() -> None:
    assert bounds_of(Chosen, "often") == Bounds()
