"""What came after a day on which the levels of risk were told?

Only what was known that day goes in; what came later is looked up in the files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from loaders import cdnow_tables, ravenstack_tables, receivables_tables, text_csv

from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import RiskResult, RiskSettings, risk
from crm_portfolio.portfolio import Period, Portfolio

LEVELS = ("low", "medium", "high", "critical")
WARNED = LEVELS[1:]
END_OF_YEAR = date(2012, 12, 31)  # of the receivables
HALF_TIME = date(2024, 6, 30)  # of the subscriptions
END_OF_CALIBRATION = date(1997, 9, 30)  # of the purchases
HALF_YEARS = RiskSettings(period=Period.last_months(6), horizon_months=6)


def book(tables: Mapping[str, pa.Table], day: date) -> Portfolio:
    return Portfolio.from_frames(as_of=day, currency="USD", **tables)


def by_level(result: RiskResult, column: str = "risk_level") -> dict[str, list[str]]:
    frame = to_arrow(result.frame)
    found: dict[str, list[str]] = defaultdict(list)
    for account, level in zip(
        frame["account_id"].to_pylist(), frame[column].to_pylist(), strict=True
    ):
        found[level or "unknown"].append(account)
    return dict(found)


def rate(accounts: Iterable[str], among: set[str]) -> float:
    asked = list(accounts)
    return sum(each in among for each in asked) / len(asked)


@cache
def payers(data: Path) -> RiskResult:
    """How the receivables' customers paid by the end of 2012, by thresholds that fit."""
    tables = receivables_tables(data / "ibm_receivables", END_OF_YEAR)
    tables["invoice"] = tables["invoice"].drop_columns(["is_disputed"])
    return risk(book(tables, END_OF_YEAR), RiskSettings(days_late=(2.0, 5.0, 10.0)))


def days_late_after(data: Path) -> dict[str, tuple[int, float]]:
    """By level: how many customers, and how late 2013's invoices were paid, by amount."""
    late: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in text_csv(data / "ibm_receivables" / "accounts_receivable.csv"):
        if str(row["InvoiceDate"]).endswith("2013"):
            amount = float(str(row["InvoiceAmount"]))
            late[str(row["customerID"])][0] += amount * int(str(row["DaysLate"]))
            late[str(row["customerID"])][1] += amount
    found = by_level(payers(data), "payment_level")
    return {
        level: (
            len(found[level]),
            sum(late[each][0] for each in found[level])
            / sum(late[each][1] for each in found[level]),
        )
        for level in LEVELS
    }


@cache
def learned_from_events(data: Path) -> RiskResult:
    """RavenStack at its end, its churn events told as departures, by half-years."""
    last = date(2024, 12, 31)
    subscribed = book(ravenstack_tables(data / "ravenstack_saas", last), last)
    return risk(subscribed, HALF_YEARS, departures=departures(data))


@cache
def subscribers(data: Path) -> RiskResult:
    """RavenStack as known on 30 June 2024."""
    tables = ravenstack_tables(data / "ravenstack_saas", HALF_TIME)
    return risk(book(tables, HALF_TIME), RiskSettings(period=Period.last_months(6)))


def churned_after(data: Path) -> set[str]:
    """Whose churn events of RavenStack came later."""
    events = text_csv(data / "ravenstack_saas" / "ravenstack_churn_events.csv")
    return {
        str(row["account_id"])
        for row in events
        if date.fromisoformat(str(row["churn_date"])) > HALF_TIME
    }


def departures(data: Path) -> pa.Table:
    """Every churn event of RavenStack: who is said to have left, and when."""
    rows = text_csv(data / "ravenstack_saas" / "ravenstack_churn_events.csv")
    days = [date.fromisoformat(str(row["churn_date"])) for row in rows]
    return pa.table(
        {"account_id": [row["account_id"] for row in rows], "left_on": days}
    )


@cache
def shoppers(data: Path) -> RiskResult:
    """CDNOW as known on 30 September 1997."""
    tables = cdnow_tables(data / "cdnow")
    lines = tables["revenue_line"]
    is_past = pc.less_equal(lines["booked_on"], END_OF_CALIBRATION)
    known = {**tables, "revenue_line": lines.filter(is_past)}
    return risk(book(known, END_OF_CALIBRATION))


def come_back(data: Path) -> dict[str, list[float]]:
    """Which share bought in the 39 weeks after, by rhythm and level of silence."""
    lines = cdnow_tables(data / "cdnow")["revenue_line"]
    is_later = pc.greater(lines["booked_on"], END_OF_CALIBRATION)
    later = lines.filter(pc.and_(is_later, pc.greater(lines["amount"], 0)))
    bought = set(later["account_id"].to_pylist())
    frame = to_arrow(shoppers(data).frame)
    rates: dict[str, list[float]] = {}
    for rhythm in ("own", "tier"):
        of = frame.filter(pc.equal(frame["silence_rhythm"], rhythm))
        rates[rhythm] = [
            rate(
                of.filter(pc.equal(of["silence_level"], level))[
                    "account_id"
                ].to_pylist(),
                bought,
            )
            for level in LEVELS
        ]
    return rates
