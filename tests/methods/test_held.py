from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from crm_portfolio._methods._held import tier_that_stands

AS_OF, CLOSE, EARLIER = date(2026, 6, 15), date(2026, 5, 31), date(2025, 3, 31)


def standing(by_rule: str | None = "B", **held: object) -> dict[str, object]:
    account = pa.table(
        {"account_id": ["A"], **{name: [each] for name, each in held.items()}}
    )
    found = tier_that_stands(
        account, pa.array([by_rule], pa.string()), as_of=AS_OF, close=CLOSE
    )
    return {name: column.to_pylist()[0] for name, column in found.items()}


def test_an_org_without_our_fields_gets_the_rule_since_the_close():
    found = standing()
    assert (found["tier"], found["tier_since_on"], found["is_pinned"]) == (
        "B",
        CLOSE,
        False,
    )
    assert found["tier_before"] is None


def test_the_day_of_the_crm_stays_while_the_tier_does():
    assert standing(tier="B", tier_since_on=EARLIER)["tier_since_on"] == EARLIER
    assert standing(tier="A", tier_since_on=EARLIER)["tier_since_on"] == CLOSE
    assert standing(tier=None, tier_since_on=EARLIER)["tier_since_on"] == CLOSE


def test_an_unknown_tier_has_no_day():
    found = standing(None, tier="B", tier_since_on=EARLIER)
    assert found["tier"] is found["tier_since_on"] is None


@pytest.mark.parametrize(
    ("until", "stands"), [(None, True), (AS_OF, True), (date(2026, 6, 14), False)]
)
def test_a_pin_holds_to_the_end_of_its_last_day(until, stands):
    pin = {"tier_pinned": "A", "tier_pinned_by": "005U"}
    days = {} if until is None else {"tier_pinned_until_on": until}
    found = standing(**pin, **days)
    assert found["is_pinned"] is stands
    assert found["tier"] == ("A" if stands else "B")
    assert found["pinned_by"] == ("005U" if stands else None)


def test_the_day_of_a_pinned_tier_is_that_of_the_tier_it_is_pinned_to():
    found = standing(tier="A", tier_since_on=EARLIER, tier_pinned="A")
    assert (found["tier"], found["tier_since_on"]) == ("A", EARLIER)
