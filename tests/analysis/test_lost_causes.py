"""Are reasons, rates and causes told with n, and with how sure they are?"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._rates import difference_bounds, wilson
from crm_portfolio._methods._shrinkage import beta_binomial
from crm_portfolio.analysis._lost._causes import Reasons, plain, rate_table
from crm_portfolio.analysis._lost._counts import (
    NO_COUNTS,
    by_month,
    load_names,
    named_months,
    rate_counts,
    response,
    told_loads,
    trends,
)


def cells(*rows):
    """Rows of reason, teller, how many, and what they come to in minor units."""
    reasons, tellers, counts, minors = zip(*rows, strict=True) if rows else [()] * 4
    return pa.table(
        {
            "loss_reason": pa.array(reasons, pa.string()),
            "loss_reason_by": pa.array(tellers, pa.string()),
            "cell": pa.array(range(len(rows)), pa.int64()),
            "is_priced": pa.array([int(m is not None) for m in minors], pa.int64()),
            "count": pa.array(counts, pa.int64()),
            "minor": pa.array([m or 0 for m in minors], pa.int64()),
        }
    )


def told(found):
    return {row["reason"]: row for row in found.table.to_pylist()}


def test_twelve_of_forty_is_told_as_sheet_6_3_tells_it():
    """Sheet 6.3 [H]: 12/40: Wilson .1807-.4543."""
    found = Reasons.of(cells(("price", "", 12, 900), ("late", "", 28, 100)), digits=2)
    price = told(found)["price"]
    assert price["count_share"] == 0.3
    assert price["count_share_low"] == pytest.approx(0.1807, abs=5e-5)
    assert price["count_share_high"] == pytest.approx(0.4543, abs=5e-5)
    assert (price["amount"], price["amount_share"]) == (9.0, 0.9)


def test_reasons_that_give_none_come_first_however_few():
    rows = [("price", "", 50, 1), ("Not-Specified", "", 2, 1), ("", "", 3, 1)]
    found = Reasons.of(cells(*rows, ("fit", "", 60, 1)), digits=2).table
    assert found["reason"].to_pylist() == [None, "Not-Specified", "fit", "price"]
    assert found["is_unknown"].to_pylist() == [True, True, False, False]
    assert found["cum_count_share"].to_pylist()[-1] == 1


@pytest.mark.parametrize(("unknown", "is_readable"), [(3, True), (4, False)])
def test_above_thirty_per_cent_unknown_reasons_are_no_ranking(unknown, is_readable):
    """Exactly 30 % is still readable."""
    rows = cells(("", "", unknown, 1), ("price", "", 10 - unknown, 1))
    found = Reasons.of(rows, digits=2)
    assert found.is_readable is is_readable
    summary = found.summary()
    assert summary["unknown_share"] == unknown / 10
    low, high = wilson(unknown, 10)
    assert summary["unknown_share_low"] == pytest.approx(low)
    assert summary["unknown_share_high"] == pytest.approx(high)


def test_what_clients_say_is_kept_apart_from_what_sellers_say():
    rows = cells(
        ("price", "seller", 9, 900),
        ("price", "client", 1, 100),
        ("service", "client", 3, None),
        ("price", "", 5, 10),
    )
    table = Reasons.of(rows, digits=2).table
    shares = {
        (row["stated_by"], row["reason"]): row["count_share"]
        for row in table.to_pylist()
    }
    assert shares == {
        ("client", "service"): 0.75,
        ("client", "price"): 0.25,
        ("seller", "price"): 1,
        (None, "price"): 1,
    }
    service = table.slice(0, 1).to_pylist()[0]
    assert service["priced_count"] == 0
    assert service["amount"] is None
    summary = Reasons.of(rows, digits=2).summary()["stated_by"]
    assert summary["client"]["first_reason"] == "service"
    assert summary["seller"]["first_count"] == 9


def test_of_nothing_lost_nothing_is_known():
    found = Reasons.of(cells(), digits=2)
    assert found.is_readable is None
    assert found.summary()["unknown_share"] is None
    assert found.table.num_rows == 0


def test_the_interval_of_amounts_is_drawn_by_the_seed():
    draw = np.random.default_rng(3)
    rows = cells(
        *((name, "", 1, int(draw.lognormal(9, 1))) for name in "aab" for _ in range(20))
    )
    one, same, other = (
        Reasons.of(rows, digits=2, seed=seed, draws=200).table for seed in (1, 1, 2)
    )
    assert one.equals(same)
    assert not one.equals(other)
    for row in one.to_pylist():
        assert row["amount_share_low"] < row["amount_share"] < row["amount_share_high"]


def test_reasons_are_the_same_however_the_crm_spells_them():
    assert plain(" Not_A-fit ") == plain("not a FIT") == "not a fit"


def counts(rows):
    names = ("rate", "by", "group", "count", "of_count")
    kinds = dict(zip(names, NO_COUNTS.schema.types, strict=True))
    return pa.table(
        {
            name: pa.array([row[at] for row in rows], kinds[name])
            for at, name in enumerate(names)
        }
    )


groups = st.lists(
    st.integers(0, 40).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))),
    min_size=1,
    max_size=15,
)


@given(groups)
def test_a_shrunken_rate_stands_beside_its_raw_one_and_n(found):
    """Sheet 11.11, and 6.4: print the rate, its 90 % interval and the raw rate."""
    rows = [("lost", "source", f"s{at}", k, n) for at, (k, n) in enumerate(found)]
    table = rate_table(counts(rows)).to_pylist()
    assert [(row["count"], row["of_count"]) for row in table] == found
    shrunken = beta_binomial([k for k, _ in found], [n for _, n in found])
    for row, rate in zip(table, shrunken.rates, strict=True):
        if row["shrunken_rate"] is None:
            assert np.isnan(rate)
            continue
        assert row["shrunken_rate"] == pytest.approx(rate)
        assert row["rate_low"] <= row["rate_high"]
        raw, prior = row["raw_rate"], row["prior_rate"]
        if raw is not None:
            low, high = sorted([raw, prior])
            assert low - 1e-9 <= row["shrunken_rate"] <= high + 1e-9


def test_a_group_that_nobody_noted_is_drawn_to_the_others_and_teaches_them_nothing():
    known = [("lost", "source", "web", 3, 10), ("lost", "source", "fair", 1, 10)]
    without = rate_table(counts(known)).to_pylist()
    beside = rate_table(counts([*known, ("lost", "source", None, 90, 90)])).to_pylist()
    assert beside[:2] == without
    assert beside[2]["prior_rate"] == 0.2
    assert beside[2]["raw_rate"] == 1
    assert beside[2]["shrunken_rate"] == pytest.approx((4 + 90) / (20 + 90))


def tallies(rows):
    names = ("by", "group", "count", "is_hit")
    return pa.table({name: [row[at] for row in rows] for at, name in enumerate(names)})


def test_owners_are_told_by_the_load_of_the_like_and_never_one_by_one():
    loads = load_names(
        ["u1", "u2", "u3", "u4", "u5", "u6"], np.array([1, 2, 3, 7, 8, 9])
    )
    assert loads == dict.fromkeys(["u1", "u2", "u3"], "1-3") | dict.fromkeys(
        ["u4", "u5", "u6"], "7-9"
    )
    rows = [("owner_id", f"u{at}", 10, at == 4) for at in range(1, 7)]
    (found,) = rate_counts(
        "lost", tallies([*rows, ("owner_id", "", 2, True)]), ["owner_id"], loads
    )
    told = found.to_pylist()
    assert {row["by"] for row in told} == {"owner_load"}
    assert [(r["group"], r["count"], r["of_count"]) for r in told] == [
        ("1-3", 0, 30),
        ("7-9", 10, 30),
        (None, 2, 2),
    ]
    owners = dict(zip(loads, [1, 2, 3, 7, 8, 9], strict=True))
    assert [*told_loads(loads, owners)][1] == {
        "load": "7-9",
        "owner_count": 3,
        "open_count": 24,
    }


def test_two_owners_are_no_group_and_no_rate_is_told_of_them():
    loads = load_names(["u1", "u2"], np.array([1, 90]))
    rows = tallies([("owner_id", "u1", 5, True), ("owner_id", "u2", 5, False)])
    assert loads == {}
    assert [*rate_counts("lost", rows, ["owner_id"], loads)] == []


def test_a_column_that_says_nothing_is_left_out():
    rows = tallies([("source", "", 5, True), ("segment", "dairy", 5, True)])
    found = [*rate_counts("lost", rows, ["source", "segment"], {})]
    assert [each["by"][0].as_py() for each in found] == ["segment"]


def judged(rows):
    """Rows of record, month, class and how many."""
    names = ("record", "month", "class", "count")
    table = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    amounts = [100 * row[3] for row in rows]
    return pa.table(
        table
        | {"minor": amounts, "priced_count": table["count"], "imputed": [0] * len(rows)}
    )


@pytest.mark.parametrize(
    ("before", "last", "trend"),
    [(40, 10, "fell"), (10, 40, "rose"), (20, 18, "unproved"), (20, 20, "unproved")],
)
def test_a_cause_is_mended_only_when_the_interval_of_its_change_says_so(
    before, last, trend
):
    rows = [
        ("opportunity", 670, "missed_late", before),
        ("opportunity", 670, "pursued_lost", 100 - before),
        ("opportunity", 677, "missed_late", last),
        ("opportunity", 677, "pursued_lost", 100 - last),
        ("opportunity", 678, "missed_late", 999),
    ]
    (found,) = trends(judged(rows), 678, 6)
    assert (found["trend"], found["is_fixed"]) == (trend, trend == "fell")
    assert (found["before_count"], found["last_count"]) == (before, last)
    assert (found["before_of"], found["last_of"]) == (100, 100)
    low, high = difference_bounds(([last], [before]), ([100], [100]))
    assert found["change_low"] == pytest.approx(low[0], abs=1e-9)
    assert found["change_high"] == pytest.approx(high[0], abs=1e-9)


def test_without_a_time_before_nobody_knows_whether_a_cause_is_mended():
    (found,) = trends(judged([("enquiry", 677, "missed_unseen", 4)]), 678, 6)
    assert (found["record"], found["trend"]) == ("enquiry", "unknown")
    assert found["is_fixed"] is found["change"] is found["change_low"] is None


def test_missed_value_is_told_by_month_and_cause():
    rows = [
        ("opportunity", 676, "missed_late", 2),
        ("opportunity", 676, "missed_unseen", 1),
        ("opportunity", 676, None, 5),
        ("opportunity", 677, "pursued_lost", 5),
    ]
    found = by_month(judged(rows), 2).to_pylist()
    assert [(r["month"], r["cause"], r["count"], r["of_count"]) for r in found] == [
        ("2026-05", "missed_late", 2, 8),
        ("2026-05", "missed_unseen", 1, 8),
    ]
    assert [row["amount"] for row in found] == [2, 1]


def test_an_amount_nobody_knows_is_no_zero():
    rows = judged([("enquiry", 676, "missed_late", 2)])
    at = rows.column_names.index("priced_count")
    rows = rows.set_column(at, "priced_count", pa.array([0]))
    assert by_month(rows, 2)["amount"].to_pylist() == [None]


def test_months_are_named_and_an_unknown_one_is_not():
    assert named_months(np.array([0, 677, -1])).to_pylist() == [
        "1970-01",
        "2026-06",
        None,
    ]


def test_answers_are_told_in_working_hours_with_those_that_lack():
    counted = pa.table(
        {
            "is_answered": [1, 1, 1, 0, 0],
            "minutes": [30, 60, 2000, 10, 3000],
            "count": [2, 1, 1, 1, 1],
        }
    )
    found = response("enquiry", counted, 24)
    assert (found["answered_count"], found["unanswered_count"]) == (4, 2)
    assert found["overdue_count"] == 1
    assert found["median_hours"] == 0.75
    assert found["p90_hours"] == pytest.approx((60 + 0.7 * 1940) / 60)
    # Of who waits for ten minutes nobody knows yet, of who waits for 3,000 all do.
    assert found["within_1h_share"] == 3 / 5
    assert found["within_24h_share"] == 3 / 5
    assert found["within_limit_low"] == pytest.approx(wilson(3, 5)[0])
    assert found["unanswered_share"] == pytest.approx(2 / 6)


def test_without_any_record_no_share_is_known():
    empty = pa.table(
        {name: pa.array([], pa.int64()) for name in ("is_answered", "minutes", "count")}
    )
    found = response("enquiry", empty, 24)
    assert found["answered_count"] == 0
    assert found["median_hours"] is found["unanswered_share"] is None
    assert found["within_1h_share"] is found["within_1h_low"] is None
