"""Does a firm's list of paid invoices say what the data's README says of it?"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from foreseen import LEVELS
from loaders import text_csv
from shapes import Shape, receivables

from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import (
    ReceivablesResult,
    ReceivablesSettings,
    RiskSettings,
    risk,
)
from crm_portfolio.analysis import receivables as analysed
from crm_portfolio.portfolio import Period


@pytest.fixture(scope="module")
def shape(shared_data: Path) -> Shape:
    return receivables(shared_data)


@pytest.fixture(scope="module")
def invoices(shape: Shape) -> pd.DataFrame:
    return to_arrow(shape.book["invoice"]).to_pandas()


def test_a_fifth_of_the_customers_hold_little_more_than_a_quarter(shape: Shape) -> None:
    """README: total 147,703.18; 1080-NDGAE 2,646.81; the top 20 % (20) hold 28.882 %."""
    figures = shape.figures
    assert (figures["n"], figures["total"], figures["top_k"]) == (100, 147_703.18, 20)
    assert round(100 * figures["share_of_top_20pct"], 3) == 28.882
    assert figures["major_count"] == 0
    first = to_arrow(shape.shares.frame).slice(0, 1).to_pylist()[0]
    assert (first["account_id"], first["revenue"]) == ("1080-NDGAE", 2_646.81)


@pytest.mark.parametrize(
    ("year", "total", "count"), [(2012, 76_064.07, 1_277), (2013, 71_639.11, 1_189)]
)
def test_both_years_bring_about_the_same(
    shape: Shape, year: int, total: float, count: int
) -> None:
    """README: by invoice year 2012 76,064.07 (1,277), 2013 71,639.11 (1,189)."""
    period = Period.between(date(year, 1, 1), date(year + 1, 1, 1))
    frame = to_arrow(risk(shape.book, RiskSettings(period=period)).frame)
    assert round(pc.sum(frame["revenue"]).as_py(), 2) == total
    lines = to_arrow(shape.book["revenue_line"])
    assert pc.sum(pc.equal(pc.year(lines["booked_on"]), year)).as_py() == count


def test_the_invoices_are_all_there_and_keep_their_zeros(
    invoices: pd.DataFrame,
) -> None:
    """README: 2,466 unique invoices of 5.26 to 128.28, mean 59.8959; 10 characters."""
    assert len(invoices) == invoices["invoice_id"].nunique() == 2_466
    assert set(invoices["invoice_id"].str.len()) == {10}
    amounts = invoices["amount"]
    assert (amounts.min(), amounts.max()) == (5.26, 128.28)
    assert round(amounts.mean(), 4) == 59.8959


def test_every_invoice_has_thirty_days_and_is_paid_in_the_end(
    invoices: pd.DataFrame,
) -> None:
    """README: 2012-01-03 to 2013-12-02, settled by 2014-01-09, none open."""
    days = invoices[["issued_on", "due_on", "paid_on"]].apply(pd.to_datetime)
    assert set((days["due_on"] - days["issued_on"]).dt.days) == {30}
    assert days["paid_on"].notna().all()
    ends = [days["issued_on"].min(), days["issued_on"].max(), days["paid_on"].max()]
    assert [each.date().isoformat() for each in ends] == [
        *("2012-01-03", "2013-12-02", "2014-01-09"),
    ]


def test_what_is_contested_is_late_more_than_twice_as_often(
    invoices: pd.DataFrame,
) -> None:
    """README: 877 late (35.56 %), mean 3.4424, max 45; 68.27 % against 25.93 %."""
    paid, due = (pd.to_datetime(invoices[each]) for each in ("paid_on", "due_on"))
    days = (paid - due).dt.days.clip(lower=0)
    is_late = days > 0
    assert (is_late.sum(), round(100 * is_late.mean(), 2)) == (877, 35.56)
    assert (round(days.mean(), 4), days.max()) == (3.4424, 45)
    rates = is_late.groupby(invoices["is_disputed"]).mean()
    assert (round(100 * rates[True], 2), round(100 * rates[False], 2)) == (68.27, 25.93)
    by_customer = days.groupby(invoices["account_id"]).mean()
    assert by_customer.idxmax() == "2621-XCLEH"
    assert round(by_customer.max(), 1) == 19.6


def test_the_days_of_the_source_are_those_counted_here(
    shared_data: Path, invoices: pd.DataFrame
) -> None:
    """README: DaysToSettle mean 26.4449, by amount 26.7006; five countries."""
    rows = text_csv(shared_data / "ibm_receivables" / "accounts_receivable.csv")
    paid, issued = (pd.to_datetime(invoices[each]) for each in ("paid_on", "issued_on"))
    days = (paid - issued).dt.days
    told = {row["invoiceNumber"]: int(str(row["DaysToSettle"])) for row in rows}
    assert days.tolist() == invoices["invoice_id"].map(told).tolist()
    weighted = (days * invoices["amount"]).sum() / invoices["amount"].sum()
    assert days.mean() == pytest.approx(26.4449, abs=1e-4)
    assert round(weighted, 4) == 26.7006
    countries = pd.Series([row["countryCode"] for row in rows]).value_counts()
    assert countries.to_dict() == {
        "391": 616,
        "406": 561,
        "770": 506,
        "897": 396,
        "818": 387,
    }


def test_the_one_whose_payment_is_unknown_contested_every_invoice(
    shape: Shape, invoices: pd.DataFrame
) -> None:
    frame = to_arrow(risk(shape.book, RiskSettings(period=Period.all())).frame)
    is_known = pc.is_in(frame["payment_level"], pa.array(LEVELS))
    unknown = frame.filter(pc.invert(is_known))["account_id"].to_pylist()
    assert len(unknown) == 1
    assert invoices[invoices["account_id"].isin(unknown)]["is_disputed"].all()


@pytest.fixture(scope="module")
def told(shape: Shape) -> ReceivablesResult:
    return analysed(shape.book, ReceivablesSettings(period=Period.all()))


class TestTheAnalysis:
    """The same facts, from `receivables`."""

    def test_how_many_were_late_and_by_how_much(self, told: ReceivablesResult) -> None:
        """README: 877 late (35.56 %), mean 3.4424, by amount 3.5711, at most 45."""
        every = told.summary["payments"]["all"]
        assert (every["invoice_count"], every["late_count"]) == (2_466, 877)
        assert round(100 * every["late_count_share"], 2) == 35.56
        assert round(every["days_late"], 4) == 3.5711
        assert every["days_late_unweighted"] == pytest.approx(3.4424, abs=1e-4)
        assert every["worst_days_late"] == 45
        assert told.coverage == 1

    def test_what_is_contested_is_late_more_often(
        self, told: ReceivablesResult
    ) -> None:
        """README: 561 and 1,905 invoices; late 68.27 % against 25.93 %."""
        sides = told.summary["payments"]
        apart, fair = sides["disputed"], sides["undisputed"]
        assert (apart["invoice_count"], fair["invoice_count"]) == (561, 1_905)
        rates = [round(100 * each["late_count_share"], 2) for each in (apart, fair)]
        assert rates == [68.27, 25.93]

    def test_all_is_paid_in_the_end(self, told: ReceivablesResult) -> None:
        assert told.summary["receivables"]["open_amount"] == 0
        assert told.summary["dso"]["simple_days"] == 0
        assert told.summary["dso"]["count_back_days"] == 0
        assert told.summary["billed"]["amount"] == 147_703.18

    def test_on_a_day_of_the_past_what_was_paid_since_is_open(
        self, shape: Shape, invoices: pd.DataFrame
    ) -> None:
        """Terms are thirty days: no due date of an open invoice is further off."""
        day = date(2013, 6, 30)
        then = analysed(shape.book.at(day))
        days = invoices[["issued_on", "due_on", "paid_on"]].apply(pd.to_datetime)
        at = pd.Timestamp(day)
        is_open = (days["issued_on"] <= at) & (days["paid_on"] > at)
        held = then.summary["receivables"]
        assert held["open_amount"] == round(invoices["amount"][is_open].sum(), 2)
        aged = to_arrow(then.ageing).to_pylist()
        overdue = invoices["amount"][is_open & (days["due_on"] < at)].sum()
        told = sum(row["amount"] + row["disputed_amount"] for row in aged[1:])
        assert told == pytest.approx(overdue)
        days_of_sales = then.summary["dso"]
        assert 15 < days_of_sales["best_days"] < days_of_sales["simple_days"] < 40
        assert 20 < days_of_sales["count_back_days"] < 40

    def test_who_pays_latest(self, told: ReceivablesResult) -> None:
        """README: worst mean lateness 2621-XCLEH, 19.6 days, contested ones among them."""
        row = next(
            row
            for row in to_arrow(told.frame).to_pylist()
            if row["account_id"] == "2621-XCLEH"
        )
        assert row["pays"] in {"slow", "unknown"} or row["days_late"] > 5
        assert row["disputed_days_late"] > 15
