"""Do the cases of Salesforce's sample records arrive as tickets, and nothing of their text?

Like the leads they carry no moment: a sample org gets, and closes, them on the day it is
made.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from loaders import tree_tables

from crm_portfolio import Portfolio, connect, pull, simulator
from crm_portfolio._frames import to_arrow
from crm_portfolio.connectors.salesforce import SalesforceSettings

MADE_AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def cases(shared_data: Path) -> list[dict[str, Any]]:
    file = shared_data / "salesforce_sample" / "sobject_tree" / "Case.json"
    records: list[dict[str, Any]] = json.loads(file.read_text())["records"]
    return records


@pytest.fixture(scope="module")
def pulled(shared_data: Path, cases: list[dict[str, Any]]) -> Iterator[Portfolio]:
    tables = tree_tables(shared_data / "salesforce_sample" / "sobject_tree")
    tables["ticket"] = pa.table(
        {
            "ticket_id": [each["attributes"]["referenceId"] for each in cases],
            "account_id": [each["AccountId"].removeprefix("@") for each in cases],
            "opened_at": [MADE_AT] * len(cases),
            "closed_at": pa.array(
                [MADE_AT if each["Status"] == "Closed" else None for each in cases],
                pa.timestamp("us", "UTC"),
            ),
            "priority": [each["Priority"] for each in cases],
            "is_escalated": [each["IsEscalated"] for each in cases],
        }
    )
    with (
        simulator.Salesforce(data=tables, currency="USD") as org,
        pytest.MonkeyPatch.context() as environment,
    ):
        for name, value in org.environment.items():
            environment.setenv(name, value)
        chosen = SalesforceSettings(tables=("account", "ticket"))
        crm = connect("salesforce", settings=chosen)
        yield pull(crm, as_of=date(2026, 6, 30))


def test_five_cases_of_four_accounts_are_five_tickets(pulled: Portfolio) -> None:
    rows = to_arrow(pulled["ticket"]).to_pylist()
    assert len(rows) == 5
    assert sorted(Counter(row["account_id"] for row in rows).values()) == [1, 1, 1, 2]
    assert Counter(row["priority"] for row in rows) == {
        "Low": 3,
        "Medium": 1,
        "High": 1,
    }
    assert [row["is_escalated"] for row in rows] == [False] * 5
    assert sum(row["closed_at"] is None for row in rows) == 1


def test_one_that_is_closed_says_when_and_nobody_says_how_content(pulled) -> None:
    table = to_arrow(pulled["ticket"])
    assert {*table["closed_at"].drop_null().to_pylist()} == {MADE_AT}
    assert "satisfaction" not in table.column_names


def test_nothing_of_what_people_wrote_is_pulled(pulled: Portfolio, cases) -> None:
    held = str(to_arrow(pulled["ticket"]).to_pylist())
    texts = [
        each[name] for each in cases for name in ("Subject", "Reason", "ContactId")
    ]
    assert len(texts) == 15
    assert not [text for text in texts if text.removeprefix("@") in held]


def test_the_day_before_nobody_had_asked_for_anything(pulled: Portfolio) -> None:
    assert pulled.at(date(2026, 3, 1)).row_counts["ticket"] == 0
    assert pulled.at(date(2026, 3, 2)).row_counts["ticket"] == 5
