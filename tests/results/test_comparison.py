"""Does a comparison say who moves, from where to where, why, and what moves with them?"""

from __future__ import annotations

import json
import pickle
from datetime import date

import pyarrow as pa
import pytest

from crm_portfolio import analysis, samples
from crm_portfolio._frames import from_arrow, to_arrow
from crm_portfolio.analysis import Bands, Quantiles, Slices, TiersSettings
from crm_portfolio.portfolio import Portfolio


@pytest.fixture(scope="module")
def firm():
    """The firm, with time sheets of its three largest accounts."""
    effort = pa.table(
        {
            "account_id": ["A01", "A05", "A05", "A06"],
            "worked_on": pa.array([date(2025, 9, 1)] * 4, pa.date32()),
            "minutes": [600.0, 30.0, 60.0, 45.0],
        }
    )
    return samples.firm().with_tables(effort=effort)


@pytest.fixture(scope="module")
def moved(firm):
    before = analysis.tiers(firm, TiersSettings(method=Slices(4)))
    return analysis.tiers(firm, TiersSettings(method=Quantiles(4))).compared_with(
        before
    )


def test_each_tier_has_its_accounts_revenue_and_hours_before_and_after(moved):
    """By hand: A05 and A06 (98,000 and 96,000; 90 and 45 minutes) join A01 in A."""
    rows = to_arrow(moved.groups).to_pylist()
    assert rows[0] == {
        "tier": "A",
        "account_count_before": 1,
        "account_count_after": 3,
        "revenue_before": 260_000.0,
        "revenue_after": 454_000.0,
        "hours_before": 10.0,
        "hours_after": 12.25,
    }
    assert rows[1]["hours_before"] == 2.25
    assert rows[1]["hours_after"] is None
    assert [row["tier"] for row in rows] == ["A", "B", "C", "D", "new", "none"]


def test_nothing_is_lost_or_gained_by_moving(moved):
    groups = to_arrow(moved.groups)
    for figure in ("account_count", "revenue", "hours"):
        before, after = (
            sum(each or 0 for each in groups[f"{figure}_{when}"].to_pylist())
            for when in ("before", "after")
        )
        assert before == pytest.approx(after)


def test_a_group_that_nobody_is_in_any_more_holds_nothing(firm):
    """Nothing is known, unlike the hours of accounts for which nobody noted any."""
    before = analysis.tiers(firm)
    after = analysis.tiers(firm, TiersSettings(method=Slices(3)))
    rows = to_arrow(after.compared_with(before).groups).to_pylist()
    (gone,) = [row for row in rows if row["tier"] == "D"]
    assert gone["account_count_before"] == 4
    assert gone["hours_before"] is None
    for figure in ("account_count", "revenue", "hours"):
        assert gone[f"{figure}_after"] == 0


def test_the_rules_that_changed_are_named(moved, firm):
    assert moved.changed == {"settings.method.kind": ("Slices", "Quantiles")}
    banded = analysis.tiers(firm, TiersSettings(method=Bands((90_000,))))
    back = banded.compared_with(moved._before)
    assert back.changed == {
        "settings.method.kind": ("Slices", "Bands"),
        "settings.method.edges.1": (None, 90_000),
        "settings.method.count": (4, None),
    }


def test_each_that_moved_is_told_why_it_is_where_it_is(moved):
    rows = {row["account_id"]: row for row in to_arrow(moved.told()).to_pylist()}
    assert list(rows) == ["A03", "A05", "A06", "A07", "A08", "A10"]
    assert rows["A05"]["why"].startswith("Tier A: 98,000")
    assert "2nd of 10 accounts, in 4 groups" in rows["A05"]["why"]
    french = to_arrow(moved.told(lang="fr"))["why"][1].as_py()
    assert french.startswith("Tranche A : 98")


def test_an_explanation_says_from_where_to_where_by_which_rules(moved):
    lines = moved.explain("A05").splitlines()
    assert lines[0] == "From B to A."
    assert lines[1] == "Before:"
    assert "4 slices" in lines[2]
    now = lines.index("Now:")
    assert "4 groups of about equal number" in lines[now + 1]
    assert moved.explain("A01").splitlines()[0] == "Still A."
    before, after = moved.reasons("A05")
    assert (before[0].code, after[0].code) == ("tier_slice", "tier_quantile")


def test_who_is_known_to_one_side_only_is_explained_by_that_side(firm, moved):
    fewer = analysis.tiers(firm.only([f"A{at:02}" for at in range(2, 14)]))
    both = fewer.compared_with(analysis.tiers(firm))
    assert both.left == ("A01",)
    assert both.explain("A01") == analysis.tiers(firm).explain("A01")
    assert "A01" not in to_arrow(both.frame)["account_id"].to_pylist()


def test_unknown_is_no_other_unknown_and_differs_from_every_tier():
    def book(**amounts: float | None):
        ids = sorted(amounts)
        sale = pa.table(
            {
                "opportunity_id": ids,
                "account_id": ids,
                "status": ["won"] * len(ids),
                "closed_on": pa.array([date(2025, 9, 1)] * len(ids)),
                "amount": pa.array([amounts[each] for each in ids], pa.float64()),
            }
        )
        account = pa.table({"account_id": ids})
        return analysis.tiers(
            Portfolio.from_frames(
                as_of=date(2026, 6, 30),
                currency="EUR",
                account=account,
                opportunity=sale,
            ),
            TiersSettings(method=Slices(1)),
        )

    moved = book(A=5.0, B=None, C=None, D=5.0).compared_with(
        book(A=None, B=5.0, C=None, D=5.0)
    )
    assert moved.moves == {("A", None): 1, (None, "A"): 1}
    rows = to_arrow(moved.frame).select(["account_id", "before", "after"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [("A", None, "A"), ("B", "A", None)]
    unknown = to_arrow(moved.groups).to_pylist()[-1]
    assert (unknown["tier"], unknown["account_count_after"]) == (None, 2)
    assert unknown["revenue_after"] is None
    assert "unknown" in moved.explain("B").splitlines()[0]


def test_it_works_for_other_analyses_than_tiers(firm):
    other = analysis.ConcentrationSettings(dependent_share=0.05, major_share=0.04)
    before = analysis.concentration(firm)
    moved = analysis.concentration(firm, other).compared_with(before)
    assert moved.column == "dependence"
    rows = to_arrow(moved.groups).to_pylist()
    assert "revenue_before" in rows[0]
    assert "hours_before" not in rows[0]
    assert sum(row["account_count_after"] for row in rows) == 13


def test_all_of_it_is_json_that_can_be_kept(moved):
    kept = moved.to_dict()
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept
    assert kept["moves"][0] == {"before": "B", "after": "A", "n": 2}
    assert kept["changed"]["settings.method.kind"] == {
        "before": "Slices",
        "after": "Quantiles",
    }
    again = pickle.loads(pickle.dumps(moved))
    assert again.to_dict() == kept


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
def test_its_frames_are_of_the_kind_that_went_in(backend):
    firm = samples.firm(backend=backend)
    moved = analysis.tiers(firm, TiersSettings(method=Slices(2))).compared_with(
        analysis.tiers(firm)
    )
    like = type(from_arrow(pa.table({"n": [1]}), backend))
    for frame in (moved.frame, moved.groups, moved.told()):
        assert isinstance(frame, like)
