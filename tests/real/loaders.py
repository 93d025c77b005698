"""How do the shared data sets read as folders of our tables?

Nothing is mended: what the source spells wrong stays so, what it lacks stays unknown.
"""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv

from crm_portfolio._folder import write_folder

PIPELINE = "default"


def text_csv(path: Path) -> list[dict[str, str | None]]:
    """Rows of text; an empty cell is None, ``NA`` is a name."""
    with path.open(encoding="utf-8-sig") as lines:
        names = lines.readline().strip().split(",")
    table = csv.read_csv(
        path,
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    return table.to_pylist()


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    names = list(rows[0])
    return pa.table(
        {name: pa.array([row[name] for row in rows], pa.string()) for name in names}
    )


def _units(millions: str | None) -> str | None:
    """Annual revenue is printed in millions with two decimals."""
    if millions is None:
        return None
    whole, _, part = millions.partition(".")
    return str(int(whole) * 1_000_000 + int(part.ljust(6, "0") or 0))


def maven_tables(source: Path) -> dict[str, pa.Table]:
    """The Maven CRM Sales Opportunities: names are the keys, as in the source."""
    accounts = [
        {
            "account_id": row["account"],
            "name": row["account"],
            "parent_id": row["subsidiary_of"],
            "segment": row["sector"],
            "country": row["office_location"],
            "account_turnover": _units(row["revenue"]),
            "employee_count": row["employees"],
        }
        for row in text_csv(source / "accounts.csv")
    ]
    owners = [
        {
            "owner_id": row["sales_agent"],
            "name": row["sales_agent"],
            "is_active": "true",
        }
        for row in text_csv(source / "sales_teams.csv")
    ]
    status = {"Prospecting": "open", "Engaging": "open", "Won": "won", "Lost": "lost"}
    stages = [
        {"pipeline": PIPELINE, "stage": stage, "position": str(at), "status": end}
        for at, (stage, end) in enumerate(status.items(), start=1)
    ]
    opportunities = [
        {
            "opportunity_id": row["opportunity_id"],
            "account_id": row["account"],
            "owner_id": row["sales_agent"],
            "pipeline": PIPELINE,
            "stage": row["deal_stage"],
            "status": status[str(row["deal_stage"])],
            "amount": row["close_value"],
            "product_id": row["product"],
            "created_at": row["engage_date"] and f"{row['engage_date']}T00:00:00Z",
            "closed_on": row["close_date"],
        }
        for row in text_csv(source / "sales_pipeline.csv")
    ]
    return {
        "account": _table(accounts),
        "owner": _table(owners),
        "stage": _table(stages),
        "opportunity": _table(opportunities),
    }


def maven_folder(source: Path, target: Path) -> Path:
    """Write the Maven tables as CSV, the way a person would hand them over."""
    write_folder(target, maven_tables(source), format="csv")
    return target


def tree_tables(source: Path) -> dict[str, pa.Table]:
    """The Developer Edition sample records; a reference is the key."""

    def records(name: str) -> list[dict[str, Any]]:
        content: dict[str, Any] = json.loads((source / f"{name}.json").read_text())
        return list(content["records"])

    def text(value: object) -> str | None:
        return None if value is None else str(value)

    accounts = [
        {
            "account_id": row["attributes"]["referenceId"],
            "name": row["Name"],
            "segment": row.get("Industry"),
            "account_turnover": text(row.get("AnnualRevenue")),
            "employee_count": text(row.get("NumberOfEmployees")),
        }
        for row in records("Account")
    ]
    opportunities = [
        {
            "opportunity_id": row["attributes"]["referenceId"],
            "account_id": row["AccountId"].removeprefix("@"),
            "stage": row["StageName"],
            "status": "won" if row["StageName"] == "Closed Won" else "open",
            "amount": text(row["Amount"]),
            "closed_on": row["CloseDate"] if row["StageName"] == "Closed Won" else None,
            "expected_close_on": (
                None if row["StageName"] == "Closed Won" else row["CloseDate"]
            ),
        }
        for row in records("Opportunity")
    ]
    stages = [
        {
            "pipeline": PIPELINE,
            "stage": "Perception Analysis",
            "position": "1",
            "status": "open",
        },
        {"pipeline": PIPELINE, "stage": "Closed Won", "position": "2", "status": "won"},
    ]
    return {
        "account": _table(accounts),
        "stage": _table(stages),
        "opportunity": _table(opportunities),
    }


def cdnow_tables(source: Path) -> dict[str, pa.Table]:
    """The CDNOW purchase log, one line an order: fixed width, blanks in front."""
    with gzip.open(source / "CDNOW_master.txt.gz", "rt", encoding="ascii") as lines:
        next(lines)
        rows = [line.split() for line in lines]
    customers = [row[0] for row in rows]
    days = [date(int(d[:4]), int(d[4:6]), int(d[6:])) for _, d, _, _ in rows]
    return {
        "account": pa.table({"account_id": sorted(set(customers))}),
        "revenue_line": pa.table(
            {
                "line_id": [f"{at:06}" for at in range(len(rows))],
                "account_id": customers,
                "booked_on": pa.array(days, pa.date32()),
                "amount": [float(row[3]) for row in rows],
                "quantity": [float(row[2]) for row in rows],
            }
        ),
    }


def _until(text: str | None, day: date) -> date | None:
    """A day that was known by then."""
    found = date.fromisoformat(text) if text else None
    return found if found and found <= day else None


def _frame(rows: list[tuple[Any, ...]], **kinds: pa.DataType) -> pa.Table:
    return pa.table(
        {
            name: pa.array([row[at] for row in rows], kind)
            for at, (name, kind) in enumerate(kinds.items())
        }
    )


_TEXT, _DAY, _NUMBER, _FLAG = pa.string(), pa.date32(), pa.float64(), pa.bool_()


def receivables_tables(source: Path, day: date) -> dict[str, pa.Table]:
    """IBM's receivables as they stood that day: what was paid later is open."""
    rows: list[dict[str, Any]] = [
        {
            **row,
            **{
                name: datetime.strptime(str(row[name]), "%m/%d/%Y").date()
                for name in ("InvoiceDate", "DueDate", "SettledDate")
            },
        }
        for row in text_csv(source / "accounts_receivable.csv")
    ]
    known = [row for row in rows if row["InvoiceDate"] <= day]
    invoices = [
        (
            *(row["invoiceNumber"], row["customerID"]),
            *(row["InvoiceDate"], row["DueDate"]),
            row["SettledDate"] if row["SettledDate"] <= day else None,
            float(row["InvoiceAmount"]),
            row["Disputed"] == "Yes",
        )
        for row in known
    ]
    table = _frame(
        invoices,
        invoice_id=_TEXT,
        account_id=_TEXT,
        issued_on=_DAY,
        due_on=_DAY,
        paid_on=_DAY,
        amount=_NUMBER,
        is_disputed=_FLAG,
    )
    lines = table.select(["invoice_id", "account_id", "issued_on", "amount"])
    customers = sorted({str(row["customerID"]) for row in rows})
    return {
        "account": pa.table({"account_id": customers}),
        "invoice": table,
        "revenue_line": lines.rename_columns(
            ["line_id", "account_id", "booked_on", "amount"]
        ),
    }


def ravenstack_tables(source: Path, day: date) -> dict[str, pa.Table]:
    """RavenStack as it stood that day: an end that came later is not known.

    A subscription is a contract and brings its monthly amount on its first day and on the
    first of each month after; the mark of a closed ticket (1 to 5) is doubled to a rating.
    """
    accounts = [
        (row["account_id"],)
        for row in text_csv(source / "ravenstack_accounts.csv")
        if _until(row["signup_date"], day)
    ]
    ids = {account for (account,) in accounts}

    def known(name: str, column: str) -> list[dict[str, str | None]]:
        rows = text_csv(source / f"ravenstack_{name}.csv")
        return [
            row
            for row in rows
            if row["account_id"] in ids and _until((row[column] or "")[:10], day)
        ]

    subscriptions = known("subscriptions", "start_date")
    contracts = [
        (
            *(row["subscription_id"], row["account_id"]),
            *(_until(row["start_date"], day), _until(row["end_date"], day)),
            row["auto_renew_flag"] == "TRUE" and not _until(row["end_date"], day),
        )
        for row in subscriptions
    ]
    recurring = [
        (f"{key}-{on}", account, on, float(str(row["mrr_amount"])), "recurring")
        for row, (key, account, starts, ends, _) in zip(
            subscriptions, contracts, strict=True
        )
        for on in _firsts(starts, min(ends or day, day))
    ]
    refunds = [
        (row["churn_event_id"], row["account_id"], row["churn_date"], -amount, "refund")
        for row in known("churn_events", "churn_date")
        if (amount := float(str(row["refund_amount_usd"]))) > 0
    ]
    marks = [
        (
            *(row["account_id"], "relationship"),
            2 * float(str(row["satisfaction_score"])),
            date.fromisoformat(str(row["closed_at"])[:10]),
        )
        for row in known("support_tickets", "closed_at")
        if row["satisfaction_score"]
    ]
    return {
        "account": _frame(accounts, account_id=_TEXT),
        "contract": _frame(
            contracts,
            contract_id=_TEXT,
            account_id=_TEXT,
            starts_on=_DAY,
            ends_on=_DAY,
            auto_renews=_FLAG,
        ),
        "revenue_line": _frame(
            [
                *recurring,
                *(
                    (*row[:2], date.fromisoformat(str(row[2])), *row[3:])
                    for row in refunds
                ),
            ],
            line_id=_TEXT,
            account_id=_TEXT,
            booked_on=_DAY,
            amount=_NUMBER,
            kind=_TEXT,
        ),
        "rating": _frame(
            marks,
            account_id=_TEXT,
            criterion=_TEXT,
            value=_NUMBER,
            rated_on=_DAY,
        ),
        "ticket": _frame(
            [
                (row["ticket_id"], row["account_id"], _morning(row["submitted_at"]))
                for row in known("support_tickets", "submitted_at")
            ],
            ticket_id=_TEXT,
            account_id=_TEXT,
            opened_at=pa.timestamp("us", "UTC"),
        ),
    }


def _morning(day: str | None) -> datetime:
    return datetime.fromisoformat(str(day)).replace(tzinfo=UTC)


def _firsts(starts: date | None, last: date) -> list[date]:
    """The first day, and the first of every month after it."""
    assert starts is not None
    months = range(starts.year * 12 + starts.month, last.year * 12 + last.month)
    return [
        *([starts] if starts <= last else []),
        *(date(month // 12, month % 12 + 1, 1) for month in months),
    ]


def wholesale_tables(source: Path) -> dict[str, pa.Table]:
    """A year's spend of each client, a line a category; the row is the key."""
    rows = text_csv(source / "wholesale_customers.csv")
    products = [name for name in rows[0] if name not in ("Channel", "Region")]
    lines = [
        (f"{at:03}-{each}", f"{at:03}", date(2013, 1, 1), float(str(row[each])), each)
        for at, row in enumerate(rows, start=1)
        for each in products
    ]
    return {
        "account": _frame(
            [
                (f"{at:03}", _CHANNELS[str(row["Channel"])])
                for at, row in enumerate(rows, start=1)
            ],
            account_id=_TEXT,
            segment=_TEXT,
        ),
        "revenue_line": _frame(
            lines,
            line_id=_TEXT,
            account_id=_TEXT,
            booked_on=_DAY,
            amount=_NUMBER,
            product_id=_TEXT,
        ),
        "product": pa.table({"product_id": products}),
    }


_CHANNELS = {"1": "hotels and restaurants", "2": "retail"}


def reseller_tables(source: Path) -> dict[str, pa.Table]:
    """AdventureWorks: what each reseller ordered, line by line, with the product's cost."""
    sales = csv.read_csv(source / "reseller_sales.csv.gz").to_pydict()
    resellers = csv.read_csv(source / "resellers.csv").to_pydict()
    names = ("SalesOrderNumber", "SalesOrderLineNumber", "ResellerKey", "OrderDate")
    columns = (*names, "SalesAmount", "TotalProductCost")
    lines = [
        (f"{order}-{line}", str(key), day, float(amount), float(cost))
        for order, line, key, day, amount, cost in zip(
            *(sales[name] for name in columns), strict=True
        )
    ]
    accounts = zip(
        *(resellers[name] for name in ("ResellerKey", "ResellerName", "BusinessType")),
        strict=True,
    )
    return {
        "account": _frame(
            [(str(key), name, kind) for key, name, kind in accounts],
            account_id=_TEXT,
            name=_TEXT,
            segment=_TEXT,
        ),
        "revenue_line": _frame(
            lines,
            line_id=_TEXT,
            account_id=_TEXT,
            booked_on=_DAY,
            amount=_NUMBER,
            cost=_NUMBER,
        ),
    }
