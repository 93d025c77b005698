"""Two spellings of one value are equal; a stamp shows edits by people."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio._managed import (
    FIELDS,
    STAMP,
    VALUES,
    canonical,
    is_own,
    run_of,
    stamp,
)
from crm_portfolio.errors import SettingsError

OF_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "day": st.dates(),
    "integer": st.integers(0, 10**9),
    "share": st.floats(-1, 2),
    "code": st.text(max_size=20),
    "text": st.text(),
}
COLUMN_AND_VALUE = st.sampled_from(sorted(FIELDS)).flatmap(
    lambda column: st.tuples(st.just(column), st.none() | OF_TYPE[FIELDS[column].type])
)
VALUES_OF_AN_ACCOUNT = st.fixed_dictionaries(
    {}, optional={c: st.none() | OF_TYPE[FIELDS[c].type] for c in VALUES["account"]}
)


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("tier", "A", "A"),
        ("tier", "A \t ", "A"),
        ("tier", " A", " A"),
        ("tier", "", None),
        ("tier", "   ", None),
        ("tier", None, None),
        ("tier_since_on", date(2026, 6, 30), date(2026, 6, 30)),
        ("tier_since_on", datetime(2026, 6, 30, 12, tzinfo=UTC), date(2026, 6, 30)),
        ("tier_since_on", "2026-06-30", date(2026, 6, 30)),
        ("tier_since_on", "2026-06-30T00:00:00.000+0000", date(2026, 6, 30)),
        ("tier_since_on", "2026-06-30T00:00:00Z", date(2026, 6, 30)),
        ("tier_since_on", "2026-06-30 ", date(2026, 6, 30)),
        ("tier_since_on", "", None),
        ("portfolio_rank", 12, 12),
        ("portfolio_rank", 12.0, 12),
        ("portfolio_rank", "12", 12),
        ("portfolio_rank", "12.0", 12),
        ("portfolio_rank", math.nan, None),
        ("revenue_share", 0.12345678, 0.123457),
        ("revenue_share", 1, 1.0),
        ("revenue_share", "0.50", 0.5),
        ("revenue_share", 0.0000004, 0.0),
        ("revenue_share", math.nan, None),
        ("tier", "A" * 300, "A" * 300),
        ("tier_pinned_by", "x" * 300, "x" * 255),
        ("tier_pinned_by", "x" * 254 + " y", "x" * 254),
    ],
)
def test_one_value_has_one_form(column: str, value: object, expected: object) -> None:
    found = canonical(column, value)
    assert found == expected
    assert type(found) is type(expected)


def test_there_is_no_negative_zero() -> None:
    assert math.copysign(1, canonical("revenue_share", -1e-9)) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("portfolio_rank", 1.5, "^1.5 is not a whole number$"),
        ("portfolio_rank", "first", "first"),
        ("revenue_share", math.inf, "^inf is not a finite number$"),
        ("revenue_share", "half", "half"),
        ("tier_since_on", "30/06/2026", "30/06/2026"),
    ],
)
def test_what_a_field_cannot_hold_is_refused(
    column: str, value: object, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        canonical(column, value)


def test_a_column_that_is_not_managed_is_refused_with_a_suggestion() -> None:
    with pytest.raises(
        SettingsError, match=r"^'teir' is no managed field; did you mean 'tier'\?$"
    ):
        canonical("teir", "A")


@given(COLUMN_AND_VALUE)
@settings(deadline=None)
def test_the_canonical_form_is_its_own_canonical_form(pair: tuple[str, object]) -> None:
    column, value = pair
    once = canonical(column, value)
    assert canonical(column, once) == once
    assert type(canonical(column, once)) is type(once)


@given(VALUES_OF_AN_ACCOUNT)
@settings(deadline=None)
def test_a_stamp_fits_the_values_it_was_made_of(values: dict[str, object]) -> None:
    mark = stamp("0a1b", values)
    assert is_own(mark, values)
    assert len(mark) <= FIELDS[STAMP].max_length
    assert canonical(STAMP, mark) == mark


@given(VALUES_OF_AN_ACCOUNT, COLUMN_AND_VALUE)
@settings(deadline=None)
def test_a_stamp_shows_every_edit(
    values: dict[str, object], edit: tuple[str, object]
) -> None:
    column, value = edit
    ours = {name for columns in VALUES.values() for name in columns}
    before = canonical(column, values.get(column)) if column in ours else None
    changed = column in ours and canonical(column, value) != before
    assert is_own(stamp("r", values), {**values, column: value}) is not changed


def test_a_field_that_comes_later_and_is_empty_leaves_the_stamp_valid() -> None:
    mark = stamp("r", {"tier": "A"})
    assert is_own(mark, {"tier": "A", "dependence": None, STAMP: mark})
    assert not is_own(mark, {"tier": "A", "dependence": "none"})


def test_the_spelling_of_a_value_does_not_matter_to_a_stamp() -> None:
    mark = stamp("r", {"revenue_share": 0.5, "tier_since_on": date(2026, 6, 30)})
    assert is_own(mark, {"revenue_share": "0.500000", "tier_since_on": "2026-06-30"})


def test_the_same_value_in_another_field_does_not_fit() -> None:
    assert not is_own(stamp("r", {"tier": "none"}), {"dependence": "none"})


@pytest.mark.parametrize("mark", [None, "", "v1", "v2:r:0123456789abcdef", "by hand"])
def test_no_stamp_or_a_foreign_one_is_not_ours(mark: str | None) -> None:
    assert not is_own(mark, {})


def test_a_stamp_names_its_run() -> None:
    assert stamp("0a1b2c", {}).startswith("v1:0a1b2c:")


def test_the_run_of_a_stamp_is_told_and_of_no_other_text() -> None:
    assert run_of(stamp("0a1b2c", {"tier": "A"})) == "0a1b2c"
    for mark in (None, "", "v1", "v2:r:0123456789abcdef", "by hand"):
        assert run_of(mark) is None


def test_stamps_written_by_earlier_versions_stay_valid() -> None:
    values = {
        "tier": "A",
        "tier_since_on": date(2026, 6, 30),
        "portfolio_rank": 1,
        "revenue_share": 0.25,
        "dependence": "dependent",
    }
    assert stamp("0a1b", values) == "v1:0a1b:1e36cc2b98bdcb66"
    # An empty field is not in the hash: {"tier":"A"} is all there is.
    assert stamp("0a1b", {"tier": "A"}) == "v1:0a1b:aa8cc45fcbc8a71f"
