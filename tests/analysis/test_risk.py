"""Does the risk level take the worst that is known, and say from what?"""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import attrs
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio import samples
from crm_portfolio._frames import BACKENDS, from_arrow
from crm_portfolio._methods._risk import silence
from crm_portfolio._wording import sentence
from crm_portfolio.analysis import RiskSettings, Slices, TiersSettings, risk, tiers
from crm_portfolio.errors import MissingTableError, SettingsError
from crm_portfolio.portfolio import Period, Portfolio

AS_OF = date(2026, 6, 30)
DAY = timedelta(days=1)
COMPONENTS = ("silence", "erosion", "payment", "relationship", "renewal")
SCHEMAS = {
    "account": {"account_id": pa.string(), "name": pa.string()},
    "revenue_line": {
        "line_id": pa.string(),
        "account_id": pa.string(),
        "booked_on": pa.date32(),
        "amount": pa.float64(),
    },
    "invoice": {
        "invoice_id": pa.string(),
        "account_id": pa.string(),
        "payer_id": pa.string(),
        "issued_on": pa.date32(),
        "due_on": pa.date32(),
        "paid_on": pa.date32(),
        "amount": pa.float64(),
        "is_disputed": pa.bool_(),
    },
    "contract": {
        "contract_id": pa.string(),
        "account_id": pa.string(),
        "starts_on": pa.date32(),
        "ends_on": pa.date32(),
        "auto_renews": pa.bool_(),
    },
    "opportunity": {
        "opportunity_id": pa.string(),
        "account_id": pa.string(),
        "status": pa.string(),
        "kind": pa.string(),
        "closed_on": pa.date32(),
        "amount": pa.float64(),
        "expected_close_on": pa.date32(),
    },
    "rating": {
        "account_id": pa.string(),
        "criterion": pa.string(),
        "value": pa.float64(),
        "rated_by": pa.string(),
        "rated_on": pa.date32(),
    },
}
Rows = list[dict[str, Any]]


def book(as_of: date = AS_OF, backend: Any = "pyarrow", **tables: Rows) -> Portfolio:
    """A portfolio of rows; keys and the names of accounts are made up."""
    tables.setdefault("account", [{"account_id": each} for each in "ABCD"])
    frames = {}
    for name, rows in tables.items():
        kinds = SCHEMAS[name]
        key = next(iter(kinds))
        full = [
            {key: f"{at:04}", **row} if key != "account_id" else row
            for at, row in enumerate(rows)
        ]
        frames[name] = from_arrow(
            pa.table(
                {
                    column: pa.array([row.get(column) for row in full], kind)
                    for column, kind in kinds.items()
                }
            ),
            backend,
        )
    frames.setdefault("revenue_line", from_arrow(_NO_LINE, backend))
    return Portfolio.from_frames(as_of=as_of, currency="EUR", **frames)


_NO_LINE = pa.schema(list(SCHEMAS["revenue_line"].items())).empty_table()


def line(account: str, on: date, amount: float | None = 100.0) -> dict[str, Any]:
    return {"account_id": account, "booked_on": on, "amount": amount}


def every(days: int, account: str, *, count: int, last: date) -> Rows:
    return [line(account, last - timedelta(days=days * at)) for at in range(count)]


def bill(account: str, due: date, paid: date | None, **more: Any) -> dict[str, Any]:
    own = {"account_id": account, "issued_on": due - 30 * DAY, "due_on": due}
    return {**own, "paid_on": paid, "amount": 100.0, **more}


def row_of(result: Any, account: str = "A") -> dict[str, Any]:
    return dict(result._row(account))


def level(portfolio: Portfolio, component: str, account: str = "A", **settings: Any):
    result = risk(portfolio, RiskSettings(**settings))
    return row_of(result, account)[f"{component}_level"]


# Silence


def test_the_alert_uses_the_gamma_form():
    """Sheet 9.1 [H]: six gaps in 180 days, 60 days silent: .177979; Poisson .135335."""
    lines = every(30, "A", count=7, last=AS_OF - 60 * DAY)
    row = row_of(risk(book(revenue_line=lines)))
    assert round(row["silence_index"], 6) == 0.177979
    assert (row["silence_level"], row["gap_days"]) == ("medium", 30.0)
    assert row["silent_since_on"] == AS_OF - 60 * DAY
    own = RiskSettings(silence=(0.17, 0.05, 0.01))
    assert row_of(risk(book(revenue_line=lines), own))["silence_level"] == "low"


def test_an_index_at_the_threshold_is_not_below_it():
    lines = every(30, "A", count=7, last=AS_OF - 60 * DAY)
    gaps, span, silent = (pa.array([n]).to_numpy() for n in (6, 180, 60))
    index = float(silence(gaps, span, silent)[0])
    portfolio = book(revenue_line=lines)
    assert level(portfolio, "silence", silence=(index, 0.05, 0.01)) == "low"
    above = index + 1e-9
    assert level(portfolio, "silence", silence=(above, 0.05, 0.01)) == "medium"


def test_several_lines_of_a_day_are_one_purchase_and_a_credit_note_is_none():
    lines = every(30, "A", count=7, last=AS_OF - 60 * DAY)
    more = [line("A", AS_OF - 60 * DAY, 5.0), line("A", AS_OF - DAY, -5.0)]
    row = row_of(risk(book(revenue_line=[*lines, *more])))
    assert (row["purchase_days"], row["silent_days"]) == (7, 60)


def sold(account: str, on: date | None, amount: float | None = 100.0) -> dict[str, Any]:
    own = {"account_id": account, "status": "won", "closed_on": on}
    return {**own, "amount": amount}


QUARTERS = [(1, 15), (4, 15), (7, 15), (10, 15)]


def of_years(account: str, **amounts: list[float | None]) -> Rows:
    """A won deal in each quarter of the years that end with June."""
    return [
        sold(account, date(int(name[1:]) - (month > 6), month, day), amount)
        for name, each in amounts.items()
        for (month, day), amount in zip(QUARTERS, each, strict=True)
    ]


def test_who_bought_for_an_unknown_amount_is_not_silent():
    deals = of_years("A", y2024=[9.0] * 4, y2025=[9.0] * 4, y2026=[None] * 4)
    deals += of_years("B", y2024=[9.0] * 4, y2025=[9.0] * 4)
    result = risk(book(opportunity=deals), RiskSettings(measure="booked"))
    row = row_of(result)
    assert (row["silence_level"], row["silent_since_on"]) == ("low", date(2026, 4, 15))
    assert row["purchase_days"] == 12
    assert row["risk_reasons"] == "No danger is known."
    assert row_of(result, "B")["silence_level"] == "high"


def test_a_season_with_an_unknown_purchase_was_not_silent():
    weeks = [date(2025, 5, 1) + 7 * at * DAY for at in range(9)]
    deals = [sold("A", on - 364 * DAY * year) for on in weeks for year in (0, 1)]
    settings = RiskSettings(measure="booked")
    winter = date(2025, 12, 31)
    calm = risk(book(as_of=winter, opportunity=deals), settings)
    assert row_of(calm)["silence_rhythm"] == "season"
    deals.append(sold("A", date(2024, 10, 1), None))
    alarmed = risk(book(as_of=winter, opportunity=deals), settings)
    assert row_of(alarmed)["silence_level"] == "critical"


def test_who_bought_too_seldom_borrows_the_rhythm_of_the_middle_of_its_tier():
    accounts = [{"account_id": each} for each in "ABCDEFG"]
    lines = [
        each
        for at, account in enumerate("BCDEF")
        for each in every(20 + 5 * at, account, count=9, last=AS_OF - 5 * DAY)
    ]
    lines += every(30, "A", count=2, last=AS_OF - 90 * DAY)
    portfolio = book(account=accounts, revenue_line=lines)
    same = TiersSettings(method=Slices(1))
    result = risk(portfolio, tiers=tiers(portfolio, same))
    row = row_of(result)
    assert row["silence_rhythm"] == "tier"
    assert row["gap_days"] == 30.0
    assert row["silence_index"] == pytest.approx((1 + 90 / 240) ** -8, rel=1e-11)
    assert row["silence_level"] == "medium"
    codes = {each.code: each for each in result.warnings}
    assert codes["risk_rhythm_of_tier"].values == {"n": 1}


def test_a_tier_without_a_rhythm_leaves_the_silence_unknown():
    lines = every(30, "A", count=2, last=AS_OF - 90 * DAY)
    lines += every(30, "B", count=9, last=AS_OF)
    result = risk(book(revenue_line=lines))
    row = row_of(result)
    assert (row["silence_level"], row["silence_index"]) == (None, None)
    assert "bought on 2 days" in result.explain("A")
    assert row_of(result, "C")["purchase_days"] == 0


def test_the_same_weeks_a_year_before_were_silent_too():
    summer = [
        date(year, 5, 1) + 7 * at * DAY for year in (2024, 2025) for at in range(9)
    ]
    lines = [line("A", on) for on in summer]
    winter = book(as_of=date(2025, 12, 31), revenue_line=lines)
    assert level(winter, "silence", same_season=False) == "critical"
    result = risk(winter)
    row = row_of(result)
    assert (row["silence_level"], row["silence_rhythm"]) == ("low", "season")
    assert "same weeks a year before" in result.explain("A")
    may = book(as_of=date(2026, 5, 31), revenue_line=lines)
    assert level(may, "silence") == "critical"


def test_who_left_long_ago_is_not_warned_of_for_ever():
    lines = every(30, "A", count=7, last=AS_OF - 731 * DAY)
    row = row_of(risk(book(revenue_line=lines)))
    assert (row["silence_level"], row["silence_rhythm"]) == (None, "gone")
    assert row["risk_level"] == "unknown"
    later = every(30, "A", count=7, last=AS_OF - 730 * DAY)
    assert level(book(revenue_line=later), "silence") == "critical"


def test_under_contract_the_end_counts_and_not_the_silence():
    lines = every(30, "A", count=7, last=AS_OF - 300 * DAY)
    runs = [{"account_id": "A", "starts_on": date(2025, 1, 1)}]
    result = risk(book(revenue_line=lines, contract=runs))
    row = row_of(result)
    assert (row["silence_level"], row["silence_rhythm"]) == (None, "contract")
    assert row["renewal_level"] == "low"
    assert "silence" not in row["unknown_components"]
    assert "A contract runs" in result.explain("A")


# Erosion


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        *((80.01, "low"), (80.0, "medium"), (60.01, "medium"), (60.0, "high")),
        *((30.01, "high"), (30.0, "critical"), (-5.0, "critical"), (180.0, "low")),
    ],
)
def test_erosion_at_its_thresholds(now, expected):
    lines = [line("A", date(2024, 7, 1), 100.0), line("A", date(2025, 8, 1), now)]
    assert level(book(revenue_line=lines), "erosion") == expected


def test_erosion_says_since_which_close():
    lines = [line("A", date(2023, 7, 1) + 30 * at * DAY) for at in range(30)]
    lines += [line("B", date(2023, 7, 1) + 90 * at * DAY) for at in range(13)]
    result = risk(book(revenue_line=lines))
    row = row_of(result)
    assert row["erosion_level"] == "high"
    for months in range(1, 12):  # at each close by itself
        close = Period.last_months(12).at(AS_OF).months_before_end(months) - DAY
        then = row_of(risk(book(as_of=close, revenue_line=lines)))
        is_as_grave = then["erosion_level"] in ("high", "critical")
        assert is_as_grave == (close >= row["eroded_since_on"])
        if not is_as_grave:
            break
    assert "since the close of" in row["risk_reasons"]


def test_a_short_book_knows_erosion_but_not_that_there_is_none():
    lines = [line("A", date(2025, 5, 1), 100.0), line("A", date(2025, 8, 1), 50.0)]
    lines += [line("B", date(2025, 5, 1), 100.0), line("B", date(2025, 8, 1), 500.0)]
    result = risk(book(revenue_line=lines))
    assert row_of(result, "A")["erosion_level"] == "high"
    assert row_of(result, "B")["erosion_level"] is None
    assert "risk_history_short" not in {each.code for each in result.warnings}
    alone = risk(book(revenue_line=lines[2:]))
    assert "risk_history_short" in {each.code for each in alone.warnings}


def test_a_fixed_period_is_held_against_the_days_before_it():
    year = Period.between(date(2025, 1, 1), date(2026, 1, 1))
    lines = [line("A", date(2024, 1, 2), 100.0), line("A", date(2025, 8, 1), 30.0)]
    row = row_of(risk(book(revenue_line=lines), RiskSettings(period=year)))
    assert row["erosion_level"] == "critical"
    assert row["eroded_since_on"] == date(2025, 12, 31)


@pytest.mark.parametrize(
    ("starts_on", "ends_on", "amount", "expected"),
    [
        (date(2024, 7, 1), date(2027, 6, 30), None, None),  # three years, paid ahead
        (date(2024, 7, 1), None, None, None),  # goes on by itself
        (date(2024, 7, 1), date(2026, 6, 29), None, "critical"),  # ended before
        (date(2025, 8, 1), date(2027, 6, 30), None, "critical"),  # began within
        (date(2024, 7, 1), date(2027, 6, 30), 10.0, "critical"),  # billed within, less
    ],
)
def test_what_a_running_contract_bills_elsewhen_is_no_erosion(
    starts_on, ends_on, amount, expected
):
    lines = [line("A", date(2024, 7, 15), 3_000.0), line("B", date(2023, 1, 1))]
    if amount:
        lines.append(line("A", date(2025, 8, 15), amount))
    agreed = {"account_id": "A", "starts_on": starts_on, "ends_on": ends_on}
    result = risk(book(revenue_line=lines, contract=[agreed]))
    assert row_of(result)["erosion_level"] == expected
    assert ("nothing was billed" in result.explain("A")) == (expected is None)


def test_what_contracts_in_a_row_bill_elsewhen_is_no_erosion():
    lines = [line("A", date(2024, 7, 15), 3_000.0), line("B", date(2023, 1, 1))]
    spans = [(date(2026, 1, 1), None), (date(2024, 7, 1), date(2025, 12, 31))]
    agreed = [
        {"contract_id": f"K{at}", "account_id": "A", "starts_on": start, "ends_on": end}
        for at, (start, end) in enumerate(spans)
    ]
    row = row_of(risk(book(revenue_line=lines, contract=agreed)))
    assert (row["erosion_level"], row["is_billed_elsewhen"]) == (None, True)


@pytest.mark.parametrize("amounts", [(100.0, None), (None, 5.0)])
def test_unknown_amounts_leave_erosion_unknown(booked, amounts):
    days = (date(2024, 7, 1), date(2025, 8, 1))
    won = [("A", on, amount) for on, amount in zip(days, amounts, strict=True)]
    assert level(booked(["A"], won), "erosion") is None


# Which amounts are known of the year before and of this one, and what follows: a year
# is worth its known amounts at least, and no sale of an unknown amount less than nothing.
@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ([100.0] * 4, [100.0, None, None, None], None),
        ([100.0] * 4, [100.0, 100.0, 100.0, None], None),
        ([100.0] * 4, [100.0, 100.0, 150.0, None], "low"),
        ([100.0, 100.0, 100.0, None], [100.0] * 4, None),
        ([100.0, 100.0, 100.0, None], [40.0] * 4, "high"),
        ([100.0, 100.0, 100.0, None], [None, 5.0, 5.0, 5.0], None),
        ([None] * 4, [5.0] * 4, None),
    ],
)
@pytest.mark.parametrize(
    "period",
    [Period.last_months(12), Period.between(date(2025, 7, 1), date(2026, 7, 1))],
    ids=["rolling", "fixed"],
)
def test_erosion_takes_an_unknown_amount_for_no_loss(before, now, expected, period):
    deals = of_years("A", y2024=[100.0] * 4, y2025=before, y2026=now)
    settings = RiskSettings(measure="booked", period=period)
    result = risk(book(opportunity=deals), settings)
    row = row_of(result)
    assert row["erosion_level"] == expected
    assert row["revenue_change_share"] is None
    (said,) = [
        each
        for each in result.explain("A").splitlines()
        if each.startswith(("Revenue of the period is", "Whether it erodes"))
    ]
    known = {
        None: "Whether it erodes is unknown",
        "low": "no erosion",
        "high": "300 EUR at least in the one before",
    }
    assert known[expected] in said.replace("\N{NO-BREAK SPACE}", " ")


def test_a_deal_without_a_day_may_belong_to_either_period():
    deals = of_years("A", y2024=[9.0] * 4, y2025=[9.0] * 4, y2026=[1.0] * 4)
    settings = RiskSettings(measure="booked")
    assert row_of(risk(book(opportunity=deals), settings))["erosion_level"] == (
        "critical"
    )
    deals.append(sold("A", None))
    assert row_of(risk(book(opportunity=deals), settings))["erosion_level"] is None


# Payment


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        *((14, "low"), (15, "medium"), (29, "medium"), (30, "high")),
        *((59, "high"), (60, "critical"), (-5, "low")),
    ],
)
def test_payment_at_its_thresholds(days, expected):
    due = date(2026, 3, 1)
    bills = [bill("A", due, due + days * DAY)]
    assert level(book(invoice=bills), "payment") == expected


def test_the_days_late_of_the_sheet_by_account():
    """Sheet 7.5 [H]: (1000, 10) (500, 0) (2500, 30) (1000, -5): signed 16.0, floored 17.0."""
    due, rows = date(2026, 3, 1), ((1000, 10), (500, 0), (2500, 30), (1000, -5))
    bills = [bill("A", due, due + d * DAY, amount=float(a)) for a, d in rows]
    portfolio = book(invoice=bills)
    row = row_of(risk(portfolio))
    assert (row["days_late"], row["days_late_signed"]) == (17.0, 16.0)
    assert row["late_share"] == 0.7
    edges = (16.5, 30.0, 60.0)
    assert level(portfolio, "payment", days_late=edges) == "medium"
    signed = {"days_late_form": "signed", "days_late": edges}
    assert level(portfolio, "payment", **signed) == "low"


def test_an_unpaid_invoice_counts_as_late_as_it_is_by_now():
    bills = [bill("A", AS_OF - 40 * DAY, None), bill("B", AS_OF + 5 * DAY, None)]
    result = risk(book(invoice=bills))
    row = row_of(result)
    assert (row["payment_level"], row["days_late"]) == ("high", 40.0)
    assert row["risk_reasons"] == (
        "Pays 30 days late or more on average, unpaid since 21 May 2026."
    )
    assert row_of(result, "B")["payment_level"] is None


def test_what_is_unpaid_for_long_is_named_before_what_was_paid_late():
    bills = [
        bill("A", date(2025, 8, 1), date(2025, 8, 2), amount=10.0),
        bill("A", date(2026, 2, 1), None, amount=10_000.0),
    ]
    result = risk(book(invoice=bills))
    assert row_of(result)["risk_reasons"] == (
        "Pays 60 days late or more on average, unpaid since 1 February 2026."
    )
    said = result.explain("A").splitlines()
    assert "The oldest invoice it has not paid was due on 1 February 2026." in said
    assert "It last paid late on 2 August 2025." in said


@pytest.mark.parametrize(("open_days", "named"), [(14, "last on"), (15, "unpaid")])
def test_what_is_unpaid_for_a_few_days_is_not_what_makes_it_late(open_days, named):
    bills = [
        bill("A", date(2026, 1, 1), date(2026, 5, 20), amount=900.0),
        bill("A", AS_OF - open_days * DAY, None),
    ]
    assert f", {named}" in row_of(risk(book(invoice=bills)))["risk_reasons"]


def test_a_contested_invoice_is_counted_apart():
    due = AS_OF - 90 * DAY
    bills = [bill("A", due, None, is_disputed=True), bill("A", due, due)]
    result = risk(book(invoice=bills))
    row = row_of(result)
    assert (row["payment_level"], row["disputed_invoice_count"]) == ("low", 1)
    assert "1 contested invoice is left out" in result.explain("A")


def test_who_pays_is_who_is_late():
    due = AS_OF - 70 * DAY
    result = risk(book(invoice=[bill("A", due, None, payer_id="B")]))
    assert row_of(result, "A")["payment_level"] is None
    assert row_of(result, "B")["payment_level"] == "critical"


# Relationship


def rated(value: float, by: str = "U1", on: date | None = AS_OF, **more: Any) -> Any:
    own = {"account_id": "A", "criterion": "relationship", "value": value}
    return {**own, "rated_by": by, "rated_on": on, **more}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((5.5, "low"), (5.0, "medium"), (3.5, "medium"), (3.0, "high")),
        *((1.5, "high"), (1.0, "critical"), (0.0, "critical")),
    ],
)
def test_relationship_at_its_thresholds(value, expected):
    assert level(book(rating=[rated(value)]), "relationship") == expected


def test_of_several_raters_the_middle_counts_and_they_are_told_to_differ():
    """Sheet 8.5: several raters: median, and flag spread > 3 points."""
    marks = [
        rated(9.0, "U1"),
        rated(5.0, "U2"),
        rated(2.0, "U3"),
        rated(0.0, "U1", date(2025, 1, 1)),
    ]
    result = risk(book(rating=marks))
    row = row_of(result)
    assert (row["relationship_rating"], row["rater_count"]) == (5.0, 3)
    assert (row["rating_spread"], row["raters_differ"]) == (7.0, True)
    assert "7 points apart" in result.explain("A")
    assert "risk_raters_differ" in {each.code for each in result.warnings}


def test_one_veto_is_enough_and_says_from_what():
    marks = [rated(9.0), rated(0.0, "U2", criterion="sanctions", on=date(2026, 2, 3))]
    result = risk(book(rating=marks))
    row = row_of(result)
    assert (row["risk_level"], row["veto"]) == ("critical", "sanctions")
    assert row["risk_reasons"] == "Veto of 3 February 2026."
    assert "The veto is sanctions" in result.explain("A")
    lifted = rated(10.0, "U2", criterion="sanctions")
    assert level(book(rating=[*marks, lifted]), "relationship") == "low"


def test_of_several_criteria_the_worst_counts():
    marks = [rated(9.0), rated(2.0, criterion="trust", on=date(2026, 1, 2))]
    chosen = RiskSettings(relationship_criteria=("relationship", "trust"))
    row = row_of(risk(book(rating=marks), chosen))
    assert (row["relationship_rating"], row["rated_on"]) == (2.0, date(2026, 1, 2))
    assert level(book(rating=marks), "relationship") == "low"


def test_an_old_rating_counts_and_is_pointed_out():
    result = risk(book(rating=[rated(2.0, on=date(2024, 1, 1))]))
    row = row_of(result)
    assert (row["relationship_level"], row["is_rating_old"]) == ("high", True)
    assert "ask for a new one" in result.explain("A")


# Renewal


def ends(on: date | None, **more: Any) -> dict[str, Any]:
    return {"account_id": "A", "starts_on": date(2025, 1, 1), "ends_on": on, **more}


SALE = {"account_id": "A", "status": "open", "expected_close_on": AS_OF}


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        *((120, "low"), (119, "medium"), (60, "medium"), (59, "high"), (30, "high")),
        *((29, "critical"), (0, "critical"), (-90, "critical"), (-91, None)),
    ],
)
def test_renewal_at_its_thresholds(days, expected):
    portfolio = book(contract=[ends(AS_OF + days * DAY)], opportunity=[])
    assert level(portfolio, "renewal") == expected


@pytest.mark.parametrize(
    ("contracts", "sales", "expected"),
    [
        ([ends(AS_OF)], [{**SALE, "kind": "renewal"}], "low"),
        ([ends(AS_OF)], [{**SALE, "kind": "renewal", "account_id": "B"}], "critical"),
        ([ends(AS_OF)], [{**SALE, "kind": "new"}], "critical"),
        ([ends(AS_OF)], [SALE], None),
        ([ends(AS_OF + 300 * DAY)], [SALE], "low"),
        ([ends(AS_OF, auto_renews=True)], [], "low"),
        ([ends(None)], [], "low"),
        ([ends(AS_OF), ends(None, starts_on=AS_OF + DAY)], [], "low"),
        ([ends(AS_OF), ends(None)], [], "critical"),
        ([ends(AS_OF - DAY), ends(None)], [], "low"),
    ],
)
def test_what_comes_after_the_contract(contracts, sales, expected):
    portfolio = book(contract=contracts, opportunity=sales)
    assert level(portfolio, "renewal") == expected


YEAR = ends(date(2026, 7, 14), starts_on=date(2025, 7, 15))


def after(starts: date, until: date | None = date(2027, 6, 14)) -> dict[str, Any]:
    return ends(until, starts_on=starts)


def test_one_that_begins_before_the_end_may_be_the_renewal():
    early = after(date(2026, 6, 15))
    result = risk(book(contract=[YEAR, early], opportunity=[]))
    row = row_of(result)
    assert (row["renewal_level"], row["risk_level"]) == (None, "unknown")
    assert (row["contract_ends_on"], row["contract_overlaps"]) == (
        YEAR["ends_on"],
        True,
    )
    assert (
        "Its contract ends on 14 July 2026; another one that runs beyond that day may be "
        "its renewal."
    ) in result.explain("A")
    codes = {each.code: each.values for each in result.warnings}
    assert codes["risk_renewals_overlapped"] == {"n": 1}
    assert "risk_renewals_unsorted" not in codes


@pytest.mark.parametrize(
    ("contracts", "expected"),
    [
        # 120 days before the end and no earlier.
        ([YEAR, after(date(2026, 3, 16))], None),
        ([YEAR, after(date(2026, 3, 15))], "critical"),
        ([YEAR, after(date(2026, 6, 15), None)], None),
        ([YEAR, after(date(2026, 6, 15), YEAR["ends_on"])], "critical"),
        # An end of its own that is near counts for itself.
        ([YEAR, after(date(2026, 6, 15), AS_OF + 70 * DAY)], "medium"),
        ([YEAR, after(date(2026, 6, 15)), ends(AS_OF + 300 * DAY)], None),
        ([ends(AS_OF + 300 * DAY), after(AS_OF + 280 * DAY)], "low"),
        ([ends(AS_OF - DAY), after(AS_OF - 30 * DAY)], "low"),
    ],
)
def test_which_contract_may_be_the_renewal_of_another(contracts, expected):
    portfolio = book(contract=contracts, opportunity=[])
    assert level(portfolio, "renewal") == expected


@pytest.mark.parametrize(
    ("ends_on", "won_on", "expected"),
    [
        *((date(2026, 7, 14), date(2026, 6, 1), "low"),),
        *((date(2026, 7, 14), date(2026, 3, 16), "low"),),
        *((date(2026, 7, 14), date(2026, 3, 15), "critical"),),
        *((date(2026, 7, 14), None, "critical"),),
        *((date(2026, 6, 20), date(2026, 6, 25), "low"),),
        # What was won before the contract began is that contract.
        *((date(2025, 9, 1), date(2025, 7, 15), None),),
    ],
)
def test_a_renewal_won_as_the_end_drew_near_is_one(ends_on, won_on, expected):
    contract = ends(ends_on, starts_on=date(2025, 7, 15))
    sale = {"account_id": "A", "status": "won", "kind": "renewal", "closed_on": won_on}
    result = risk(book(contract=[contract], opportunity=[sale]))
    assert row_of(result)["renewal_level"] == expected
    is_said = "and a renewal was won on" in result.explain("A")
    assert is_said == (expected == "low")
    short = ends(date(2026, 7, 14), starts_on=date(2026, 6, 1))
    again = risk(book(contract=[short], opportunity=[sale]))
    assert row_of(again)["renewal_level"] == (
        "low" if won_on and won_on > date(2026, 6, 1) else "critical"
    )


def test_without_opportunities_nobody_knows_of_a_renewal():
    near, far = ends(AS_OF + 20 * DAY), ends(AS_OF + 300 * DAY)
    result = risk(book(contract=[near]))
    assert row_of(result)["renewal_level"] is None
    assert "whether a renewal is open is unknown" in result.explain("A")
    assert "risk_renewals_unsorted" in {each.code for each in result.warnings}
    assert level(book(contract=[far]), "renewal") == "low"


# All together


ALL = {
    "revenue_line": [
        *every(30, "A", count=26, last=date(2025, 12, 1)),
        *every(25, "B", count=30, last=AS_OF),
        *every(40, "C", count=12, last=date(2026, 3, 1)),
    ],
    "invoice": [
        bill("A", date(2026, 3, 1), date(2026, 5, 20)),
        bill("B", date(2026, 6, 20), None),
        bill("C", date(2026, 5, 25), None),
    ],
    "rating": [rated(3.0, on=date(2026, 1, 5)), rated(8.0, account_id="B")],
    "contract": [
        ends(date(2026, 6, 20)),
        ends(date(2026, 7, 20), account_id="D"),
        {
            "account_id": "C",
            "starts_on": date(2025, 1, 1),
            "ends_on": date(2026, 4, 30),
        },
    ],
    "opportunity": [],
}


def test_the_worst_known_component_is_the_level():
    result = risk(book(**ALL))
    order = ("low", "medium", "high", "critical")
    for account in "ABCD":
        row = row_of(result, account)
        levels = [row[f"{each}_level"] for each in COMPONENTS]
        known = [order.index(each) for each in levels if each]
        assert row["risk_level"] == order[max(known)]
        grave = [n for n, each in zip(COMPONENTS, levels) if each == row["risk_level"]]
        assert row["worst_component"] == (grave[0] if max(known) else None)
        unknown = [name for name, each in zip(COMPONENTS, levels) if each is None]
        if row["contract_runs"]:
            unknown.remove("silence")
        assert row["unknown_components"] == ", ".join(unknown)


def test_a_book_without_those_tables_says_what_it_does_not_know():
    result = risk(book(revenue_line=every(30, "A", count=26, last=AS_OF)))
    assert [each.code for each in result.warnings] == [
        *("index_not_probability", "risk_no_payment", "risk_no_relationship"),
        *("risk_no_renewal", "risk_odds_too_short"),
    ]
    assert row_of(result)["risk_level"] == "low"
    assert row_of(result)["unknown_components"] == "payment, relationship, renewal"
    assert row_of(result, "B")["risk_level"] == "unknown"
    assert row_of(result, "B")["risk_reasons"] == (
        "Nothing is known that could tell a danger."
    )


def test_a_book_without_any_revenue_table_cannot_be_judged():
    accounts = pa.table({"account_id": ["A"]})
    portfolio = Portfolio.from_frames(as_of=AS_OF, currency="EUR", account=accounts)
    with pytest.raises(MissingTableError, match="risk"):
        risk(portfolio)


def test_what_is_assigned_is_whole_reasons_the_gravest_first():
    result = risk(book(**ALL))
    table = result.assignments()
    assert table.column_names == ["account_id", "risk_level", "risk_reasons"]
    said = row_of(result)["risk_reasons"]
    assert said == (
        "Silent since 1 December 2025 (silence index under 0.01). Pays 60 days late or "
        "more on average, last on 20 May 2026. Contract end 20 June 2026, no renewal "
        "open (under 30 days). Revenue 40 % or more below the period before, since the "
        "close of 31 May 2026."
    )
    # One more would be cut: it is left out, and explain has it.
    left_out = "Relationship rated 3 of 10 or less on 5 January 2026."
    assert len(said) + 1 + len(left_out) > 255
    assert left_out in result.explain("A")
    for text in table["risk_reasons"].to_pylist():
        assert len(text) <= 255
        assert "\N{NO-BREAK SPACE}" not in text


def test_the_reasons_are_in_the_language_of_the_settings():
    french = risk(book(**ALL), RiskSettings(language="fr"))
    said = row_of(french)["risk_reasons"]
    assert said.startswith("Silence depuis le 1er décembre 2025")
    assert len(said) <= 255
    assert french.params["settings"]["language"] == "fr"
    english = row_of(risk(book(**ALL)))
    assert english["risk_level"] == row_of(french)["risk_level"]


@given(levels=st.tuples(*[st.integers(-1, 3)] * 5), day=st.dates(date(1999, 12, 28)))
def test_no_combination_of_dangers_is_cut_in_the_middle(levels, day):
    from crm_portfolio.analysis._dangers import Danger, written
    from crm_portfolio.analysis._dangers._reasons import THRESHOLDS, short

    codes = ("silence", "erosion", "payment_last", "veto", "renewal")
    settings = RiskSettings(language="fr")
    dangers = [
        Danger.made(
            name,
            pa.array([own], pa.int8()).to_numpy(),
            told_as=f"risk_{code}",
            told_on=pa.array([day], pa.date32()),
            columns={},
        )
        for name, code, own in zip(COMPONENTS, codes, levels, strict=True)
    ]
    text = written(dangers, settings)[0].as_py()
    assert 0 < len(text) <= 255
    ranked = sorted(
        (at for at in range(5) if levels[at] > 0), key=lambda at: (-levels[at], at)
    )
    whole = [
        sentence(
            short(
                f"risk_{codes[at]}",
                levels[at],
                day,
                getattr(settings, THRESHOLDS[COMPONENTS[at]]),
            ),
            "fr",
        ).replace("\N{NO-BREAK SPACE}", " ")
        for at in ranked
    ]
    held = [n for n in range(len(whole) + 1) if len(" ".join(whole[:n])) <= 255]
    assert text in (" ".join(whole[: max(held)]), "Aucun danger connu.") or not ranked


def test_time_alone_changes_the_words_only_where_it_carries_a_component_over():
    """Design, quiet nights: a hundred days, three closes among them, and no event.

    Looked at every third night: what is compared is one look with the one before.
    """
    before = None
    changes = 0
    for night in range(0, 100, 3):
        result = risk(book(as_of=AS_OF + night * DAY, **ALL))
        now = {}
        for account in "ABCD":
            row = row_of(result, account)
            levels = [row[f"{each}_level"] for each in COMPONENTS]
            now[account] = (row["risk_level"], row["risk_reasons"]), levels
        for account in "ABCD" if before else "":
            if now[account][0] != before[account][0]:
                assert now[account][1] != before[account][1]
                changes += 1
        before = now
    assert 3 <= changes <= 20


def test_each_account_explains_its_dangers_with_their_evidence():
    said = risk(book(**ALL)).explain("A").splitlines()
    assert said[0] == (
        "Risk critical: the worst of 5 components known of five; an index, no "
        "probability."
    )
    assert any("80 days late on average, by amount, over 1 invoice" in s for s in said)
    assert any("silence index 0.00" in each for each in said)
    assert "Its contract ended on 20 June 2026; no renewal is open." in said


def test_what_the_frame_holds_adds_up_in_the_summary():
    result = risk(book(**ALL))
    levels = result.summary["levels"]
    assert sum(each["account_count"] for each in levels.values()) == 4
    for counts in result.summary["components"].values():
        assert sum(counts.values()) == 4
    shares = result.summary["known_share"]
    revenue = {row["account_id"]: row["revenue"] for row in result._table.to_pylist()}
    total = sum(revenue.values())
    assert shares["relationship"] == pytest.approx(
        (revenue["A"] + revenue["B"]) / total
    )
    assert shares["silence"] == 1.0
    order = ("critical", "high", "medium", "low", "unknown")
    found = result._table["risk_level"].to_pylist()
    assert found == sorted(found, key=order.index)


def test_every_backend_and_row_order_gives_the_same_bytes():
    results = [risk(book(backend=backend, **ALL)) for backend in BACKENDS]
    results.append(risk(book(**{name: rows[::-1] for name, rows in ALL.items()})))
    said = {json.dumps({**each.to_dict(), "params": 0}) for each in results}
    assert len(said) == 1


def test_params_echo_the_rule_of_the_tiers():
    one = book(**ALL)
    rules = (Slices(3), Slices(2))
    three, two = (risk(one, tiers=tiers(one, TiersSettings(method=r))) for r in rules)
    assert three.params["tiers"]["settings"]["method"] == {"kind": "Slices", "count": 3}
    assert two.compared_with(three).changed == {"tiers.settings.method.count": (3, 2)}


def test_tiers_of_another_portfolio_are_refused():
    with pytest.raises(SettingsError, match="tiers is of another portfolio"):
        risk(book(**ALL), tiers=tiers(samples.firm()))


def test_params_echo_every_threshold():
    chosen = RiskSettings(days_late=(10.0, 20.0, 40.0))
    echoed = risk(book(**ALL), chosen).params["settings"]
    names = {field.name for field in attrs.fields(RiskSettings)}
    assert set(echoed) == names - {"period", "measure"}
    assert echoed["days_late"] == [10.0, 20.0, 40.0]


def test_who_moves_when_the_rules_change():
    strict = risk(book(**ALL), RiskSettings(days_late=(1.0, 2.0, 5.0)))
    moved = strict.compared_with(risk(book(**ALL)))
    assert moved.moves == {("low", "critical"): 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"silence": (0.01, 0.05, 0.2)},
        {"erosion": (0.7, 0.4, 0.2)},
        {"rating": (5.0, 5.0, 1.0)},
        {"days_to_end": (30.0, 60.0, 120.0)},
        {"own_rhythm_gaps": 0},
        {"language": "de"},
    ],
)
def test_thresholds_go_to_the_gravest(wrong):
    with pytest.raises(SettingsError, match=f"risk.{next(iter(wrong))}"):
        RiskSettings(**wrong)


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_picture_counts_accounts_by_level_and_component(lang):
    figure = pytest.importorskip("matplotlib.figure")
    ax = figure.Figure().subplots()
    risk(book(**ALL)).plot(ax=ax, lang=lang)
    cells = [int(text.get_text()) for text in ax.texts]
    assert len(cells) == 6 * 5
    assert all(sum(cells[row : row + 5]) == 4 for row in range(0, 30, 5))
    assert ax.get_xlabel()
    assert ax.get_ylabel()


def test_the_firm_of_the_samples():
    result = risk(samples.firm())
    frame = result._table
    named = dict(zip(frame["account_id"].to_pylist(), frame["risk_level"].to_pylist()))
    assert {a: named[a] for a in ("A09", "A11", "A12", "A13")} == {
        "A09": "medium",
        "A11": "unknown",
        "A12": "critical",
        "A13": "critical",
    }
