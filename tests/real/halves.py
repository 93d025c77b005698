"""Which real books can be held against themselves a year before?"""

from __future__ import annotations

import gzip
import sqlite3
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from loaders import ravenstack_tables, reseller_tables, text_csv
from pyarrow import csv

from crm_portfolio import Portfolio

TEXT, DAY, NUMBER = pa.string(), pa.date32(), pa.float64()


@cache
def resellers(data: Path) -> Portfolio:
    """AdventureWorks with products, quantities, and unit prices before the discount."""
    folder = data / "adventureworks_resellers"
    sales = csv.read_csv(folder / "reseller_sales.csv.gz")
    products = text_csv(folder / "products.csv")
    # Versions of one product share their alternate key.
    of_version = {row["ProductKey"]: row["ProductAlternateKey"] for row in products}
    sold = [of_version[str(key)] for key in sales["ProductKey"].to_pylist()]
    tables = reseller_tables(folder)
    lines = tables["revenue_line"]
    for name, column, kind in (
        ("product_id", sold, TEXT),
        ("quantity", sales["OrderQuantity"].to_pylist(), NUMBER),
        ("list_price", sales["UnitPrice"].to_pylist(), NUMBER),
    ):
        lines = lines.append_column(name, pa.array(column, kind))
    known = sorted({row["ProductAlternateKey"] for row in products})
    return Portfolio.from_frames(
        as_of=date(2013, 11, 29),
        currency="USD",
        account=tables["account"],
        revenue_line=lines,
        product=pa.table({"product_id": known}),
    )


def sales_rows(data: Path) -> list[dict[str, Any]]:
    """The order lines as the file says them, amounts as text."""
    file = data / "adventureworks_resellers" / "reseller_sales.csv.gz"
    kinds = {"UnitPrice": TEXT, "ExtendedAmount": TEXT, "SalesAmount": TEXT}
    options = csv.ConvertOptions(column_types=kinds)
    rows: list[dict[str, Any]] = csv.read_csv(file, convert_options=options).to_pylist()
    return rows


@cache
def subscribers(data: Path) -> Portfolio:
    """RavenStack with its churn events, which do not agree with its subscriptions."""
    day, folder = date(2024, 12, 31), data / "ravenstack_saas"
    events = [
        (row["churn_event_id"], row["account_id"], row["churn_date"])
        for row in text_csv(folder / "ravenstack_churn_events.csv")
    ]
    return Portfolio.from_frames(
        as_of=day,
        currency="USD",
        event=pa.table(
            {
                "event_id": [key for key, _, _ in events],
                "account_id": [account for _, account, _ in events],
                "from_on": pa.array(
                    [date.fromisoformat(str(on)) for _, _, on in events], DAY
                ),
                "label": ["churn"] * len(events),
                "kind": ["churn"] * len(events),
            }
        ),
        **ravenstack_tables(folder, day),
    )


def npsp(data: Path) -> sqlite3.Connection:
    """The sample org of Salesforce's Nonprofit Success Pack, as the vendor ships it."""
    folder = data / "salesforce_sample" / "npsp_dev_org"
    found = sqlite3.connect(":memory:")
    with gzip.open(folder / "test_data.sql.gz", "rt", encoding="utf-8") as script:
        found.executescript(script.read())
    return found


@cache
def donors(data: Path) -> Portfolio:
    """Opportunities as they are, payments as invoices: paid, open, or written off."""
    source = npsp(data)
    accounts = [str(key) for (key,) in source.execute("select id from Account")]
    status = {"Closed Won": "won", "Closed Lost": "lost"}
    gifts = [
        (str(key), account or None, status.get(stage, "open"), on, amount)
        for key, account, stage, on, amount in source.execute(
            "select id, AccountId, stage_name, close_date, amount from Opportunity"
        )
    ]
    # A payment written off has no day of its own.
    whose = {key: (account, on) for key, account, _, on, _ in gifts}
    payments = [
        (
            *(str(key), whose[gift][0], paid_on or planned_on or whose[gift][1]),
            *(paid_on if paid == "True" else None, amount, written),
        )
        for key, gift, paid_on, planned_on, amount, paid, written in source.execute(
            "select id, npe01__Opportunity__c, npe01__Payment_Date__c, "
            "npe01__Scheduled_Date__c, npe01__Payment_Amount__c, "
            "npe01__Paid__c, npe01__Written_Off__c from npe01__OppPayment__c"
        )
        if whose[gift][0]
    ]
    source.close()
    return Portfolio.from_frames(
        as_of=date(2022, 12, 31),
        currency="USD",
        account=pa.table({"account_id": accounts}),
        opportunity=pa.table(
            {
                "opportunity_id": [row[0] for row in gifts],
                "account_id": pa.array([row[1] for row in gifts], TEXT),
                "status": [row[2] for row in gifts],
                "closed_on": pa.array(
                    [_day(row[3]) if row[2] != "open" else None for row in gifts], DAY
                ),
                "amount": pa.array([_number(row[4]) for row in gifts], NUMBER),
            }
        ),
        invoice=pa.table(
            {
                "invoice_id": [row[0] for row in payments],
                "account_id": pa.array([row[1] for row in payments], TEXT),
                "issued_on": pa.array([_day(row[2]) for row in payments], DAY),
                "paid_on": pa.array([_day(row[3]) for row in payments], DAY),
                "amount": pa.array([_number(row[4]) for row in payments], NUMBER),
                "is_cancelled": [row[5] == "True" for row in payments],
            }
        ),
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _number(text: str | None) -> float | None:
    return float(text) if text else None
