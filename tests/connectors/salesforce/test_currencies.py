"""Are opportunities in several currencies converted by the day they closed?"""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from crm_portfolio import Portfolio, pull
from crm_portfolio.errors import RightMissingError, SchemaError
from crm_portfolio.simulator import Salesforce as Simulator

AS_OF = date(2026, 6, 30)
TABLES = {
    "account": pa.table({"account_id": ["A"], "name": ["Acme"]}),
    "opportunity": pa.table(
        {
            "opportunity_id": ["1", "2", "3", "4", "5"],
            "account_id": ["A"] * 5,
            "stage": ["Closed Won"] * 4 + ["Prospecting"],
            "status": ["won"] * 4 + ["open"],
            "amount": [100.0, 1000.1, 1000.1, 250_050.0, 10.03],
            "currency": ["EUR", "USD", "USD", "JPY", "USD"],
            "closed_on": [
                date(2026, 1, 5),
                date(2026, 2, 28),
                date(2026, 3, 1),
                date(2026, 2, 1),
                None,
            ],
            "expected_close_on": [*[None] * 4, date(2026, 9, 1)],
        }
    ),
    "exchange_rate": pa.table(
        {
            "currency": ["USD", "USD", "JPY"],
            "base": ["EUR"] * 3,
            "from_on": [date(2026, 1, 1), date(2026, 3, 1), date(2026, 1, 1)],
            "rate": [0.8, 0.5, 0.01],
        }
    ),
}


@pytest.fixture
def org():
    with Simulator(TABLES, currency="EUR") as running:
        yield running


def test_amounts_are_converted_to_the_cent_at_the_dated_rate_of_their_day(
    org, connected
) -> None:
    book = pull(connected(org), as_of=AS_OF, backend="pyarrow")
    keys = {found: key for key, found in org.ids("opportunity").items()}
    rows = {keys[r["opportunity_id"]]: r for r in book["opportunity"].to_pylist()}
    assert {key: row["amount"] for key, row in rows.items()} == {
        "1": 100.0,
        "2": 800.08,
        "3": 500.05,
        "4": 2500.5,
        "5": 5.02,  # 5.015 to the even cent
    }
    assert rows["3"]["original_amount"] == 1000.1
    rates = book["exchange_rate"].to_pylist()
    since = [rate["from_on"] for rate in rates if rate["currency"] == "USD"]
    assert {date(2026, 1, 1), date(2026, 3, 1)} <= set(since)
    assert "home_amount" not in book["opportunity"].column_names


def test_without_rates_amounts_in_several_currencies_are_refused(
    org, connected
) -> None:
    crm = connected(org)
    frames = {
        table: pa.concat_tables(batch.rows for batch in crm.pull(table))
        for table in ("account", "opportunity")
    }
    with pytest.raises(SchemaError, match="mixed_currencies") as caught:
        Portfolio.from_frames(as_of=AS_OF, currency="EUR", **frames)
    rows = caught.value.faults.to_pylist()
    assert sorted(row["value"] for row in rows) == ["JPY", "USD"]


def test_a_login_that_may_not_read_the_rates_is_refused_by_name(org, connected) -> None:
    org.revoke_right("Read CurrencyType")
    with pytest.raises(RightMissingError, match="CurrencyType"):
        pull(connected(org), as_of=AS_OF)
