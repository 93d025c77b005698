"""How do the shared data sets read as folders of our tables?

Nothing is mended: what the source spells wrong stays so, what it lacks stays unknown.
"""

from __future__ import annotations

import json
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
