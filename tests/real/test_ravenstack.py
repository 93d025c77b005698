"""Do subscriptions, tickets and departures say what the data's README says of them?"""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from loaders import ravenstack_tables, text_csv
from shapes import Shape, running

from crm_portfolio._frames import to_arrow


@pytest.fixture(scope="module")
def source(shared_data: Path) -> Path:
    return shared_data / "ravenstack_saas"


@pytest.fixture(scope="module")
def shape(shared_data: Path) -> Shape:
    return running(shared_data)


@pytest.fixture(scope="module")
def subscriptions(source: Path) -> pd.DataFrame:
    return pd.read_csv(source / "ravenstack_subscriptions.csv")


@pytest.fixture(scope="module")
def everything(source: Path) -> dict[str, pa.Table]:
    return ravenstack_tables(source, date(2024, 12, 31))


def test_a_fifth_of_the_accounts_hold_two_fifths_of_what_runs(
    shape: Shape, subscriptions: pd.DataFrame
) -> None:
    """README: running MRR 10,159,608 over all 500; the top 20 % (100) hold 43.343 %.

    The README cuts where this rounds: it is 43.3443 %.
    """
    figures = shape.figures
    assert (figures["n"], figures["total"], figures["top_k"]) == (500, 10_159_608, 100)
    runs = subscriptions[subscriptions["end_date"].isna()]
    by_account = runs.groupby("account_id")["mrr_amount"].sum()
    counted = by_account.nlargest(100).sum() / by_account.sum()
    assert figures["share_of_top_20pct"] == pytest.approx(counted)
    assert figures["major_count"] == 0
    assert 43.343 <= 100 * figures["share_of_top_20pct"] < 43.345


def test_an_account_holds_many_subscriptions_at_once(
    shape: Shape, subscriptions: pd.DataFrame
) -> None:
    """README: 4,514 run, mean 9.03 each; MRR of all 11,338,747; ARR is 12 times MRR."""
    lines = to_arrow(shape.shares.frame)["line_count"]
    assert pc.sum(lines).as_py() == 4_514
    assert round(pc.mean(lines).as_py(), 2) == 9.03
    assert subscriptions["mrr_amount"].sum() == 11_338_747
    assert (subscriptions["arr_amount"] == 12 * subscriptions["mrr_amount"]).all()


def test_no_mark_is_below_three_and_two_tickets_in_five_have_none(
    source: Path, everything: dict[str, pa.Table]
) -> None:
    """README: satisfaction_score blank on 41.25 % of 2,000 tickets."""
    marks = everything["rating"]["value"]
    assert pc.min(marks).as_py() == 6.0
    rows = text_csv(source / "ravenstack_support_tickets.csv")
    blank = sum(row["satisfaction_score"] is None for row in rows)
    assert (len(rows), blank / len(rows)) == (2_000, 0.4125)


def test_the_tickets_are_spread_evenly_over_their_priorities(source: Path) -> None:
    """README: urgent 514, high 510, medium 491, low 485, over 492 accounts."""
    rows = text_csv(source / "ravenstack_support_tickets.csv")
    assert Counter(row["priority"] for row in rows) == {
        "urgent": 514,
        "high": 510,
        "medium": 491,
        "low": 485,
    }
    assert len({row["account_id"] for row in rows}) == 492
    accounts = text_csv(source / "ravenstack_accounts.csv")
    signed = {row["account_id"]: str(row["signup_date"]) for row in accounts}
    early = [str(r["submitted_at"])[:10] < signed[r["account_id"]] for r in rows]
    assert sum(early) == 1_077


def test_reasons_to_leave_are_about_equally_frequent(source: Path) -> None:
    """README: features 114, support 104, budget 104, unknown 95, competitor 92, pricing 91."""
    rows = text_csv(source / "ravenstack_churn_events.csv")
    assert Counter(row["reason_code"] for row in rows) == {
        "features": 114,
        "support": 104,
        "budget": 104,
        "unknown": 95,
        "competitor": 92,
        "pricing": 91,
    }
    assert sum(row["feedback_text"] is None for row in rows) == 148


def test_the_flag_of_an_account_disagrees_with_its_events(source: Path) -> None:
    """README: 110 flagged, 352 with an event; 35 flagged without, 277 not flagged."""
    accounts = text_csv(source / "ravenstack_accounts.csv")
    flags = {row["churn_flag"] for row in accounts}
    assert len(flags) == 2
    flagged = {
        r["account_id"] for r in accounts if str(r["churn_flag"]).upper() == "TRUE"
    }
    events = text_csv(source / "ravenstack_churn_events.csv")
    having = {row["account_id"] for row in events}
    found = (len(flagged), len(having), len(flagged - having), len(having - flagged))
    assert found == (110, 352, 35, 277)


def test_it_is_of_two_years(
    subscriptions: pd.DataFrame, everything: dict[str, pa.Table]
) -> None:
    """README: dates 2023-01-01 to 2024-12-31."""
    lines = everything["revenue_line"]["booked_on"]
    assert pc.min(lines).as_py() >= date(2023, 1, 1)
    assert pc.max(lines).as_py() <= date(2024, 12, 31)
    assert subscriptions["start_date"].max() <= "2024-12-31"
