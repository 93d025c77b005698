"""Are deals in several currencies converted to the cent, and held against HubSpot's own?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm_portfolio import pull
from crm_portfolio.errors import SchemaError
from crm_portfolio.simulator.hubspot import HubSpot as Simulator

AS_OF = date(2026, 6, 30)
DEALS = pa.table(
    {
        "opportunity_id": ["O1", "O2", "O3", "O4", "O5"],
        "account_id": ["A1"] * 5,
        "status": ["won", "won", "lost", "won", "open"],
        "amount": [100.0, 1000.1, 1000.1, 250_050.0, 10.015],
        "currency": ["EUR", "USD", "USD", "JPY", "USD"],
        "closed_on": [
            date(2026, 1, 5),
            date(2025, 12, 30),
            date(2026, 1, 3),
            date(2026, 2, 1),
            None,
        ],
    }
)
RATES = pa.table(
    {
        "currency": ["USD", "USD", "JPY"],
        "base": ["EUR"] * 3,
        "from_on": [date(2025, 1, 1), date(2026, 1, 1), date(2025, 1, 1)],
        "rate": [0.95, 0.9, 0.0061],
    }
)
TABLES = {
    "account": pa.table({"account_id": ["A1"], "name": ["One"]}),
    "opportunity": DEALS,
    "exchange_rate": RATES,
}
IN_EURO = {
    "O1": 100.0,
    "O2": 950.1,  # 950.095 to the even cent
    "O3": 900.09,
    "O4": 1525.3,  # 1525.305 to the even cent
    "O5": 9.01,
}


@pytest.fixture(scope="module")
def _running() -> Iterator[Simulator]:
    with Simulator(TABLES, currency="EUR", time_zone="Europe/Paris") as running:
        yield running


@pytest.fixture
def org(_running: Simulator) -> Simulator:
    _running.reset()
    return _running


def deals(org: Simulator, book) -> dict[str, dict[str, object]]:
    keys = {found: key for key, found in org.ids("opportunity").items()}
    rows = book["opportunity"].to_pylist()
    return {keys[row["opportunity_id"]]: row for row in rows}


def test_amounts_are_converted_to_the_cent_at_the_rate_of_the_day_they_closed(
    org, connected
) -> None:
    book = pull(connected(org), as_of=AS_OF, backend="pyarrow")
    found = deals(org, book)
    assert {key: row["amount"] for key, row in found.items()} == IN_EURO
    assert found["O3"]["original_amount"] == 1000.1
    assert found["O3"]["home_amount"] == pytest.approx(900.09)
    assert "home_amount_differs" not in book.faults["fault"].to_pylist()


@pytest.mark.parametrize("into", [False, True])
def test_exactly_the_deal_that_hubspot_converted_otherwise_is_reported(
    org, connected, tmp_path: Path, into: bool
) -> None:
    other = {"amount_in_home_currency": "920.5"}
    org.calculate("deals", org.ids("opportunity")["O3"], other)
    place = {"into": tmp_path / "book"} if into else {}
    book = pull(connected(org), as_of=AS_OF, backend="pyarrow", **place)
    found = deals(org, book)
    told = [
        (row["table"], row["column"], row["value"], row["effect"])
        for row in book.faults.to_pylist()
        if row["fault"] == "home_amount_differs"
    ]
    assert told == [("opportunity", "home_amount", "920.5", "kept")]
    assert found["O3"]["home_amount"] == 920.5
    assert {key: row["amount"] for key, row in found.items()} == IN_EURO


def test_a_pull_that_may_not_read_the_rates_is_refused_and_names_the_currencies(
    org, connected
) -> None:
    org.revoke_scope("settings.currencies.read")
    with pytest.raises(SchemaError, match="mixed_currencies") as caught:
        pull(connected(org, tables="all"), as_of=AS_OF)
    rows = caught.value.faults.to_pylist()
    assert sorted(row["value"] for row in rows) == ["JPY", "USD"]
    assert {row["hint"] for row in rows} == {
        "add an exchange_rate from JPY to EUR",
        "add an exchange_rate from USD to EUR",
    }


@pytest.mark.parametrize("rated", [[], ["USD"]], ids=["no rates", "not all"])
def test_a_portal_whose_rates_lack_a_currency_in_use_is_refused_and_names_it(
    connected, rated: list[str]
) -> None:
    rates = RATES.filter(pc.is_in(RATES["currency"], pa.array(rated, pa.string())))
    with Simulator({**TABLES, "exchange_rate": rates}, currency="EUR") as portal:
        crm = connected(portal, tables="all")
        assert "exchange_rate" in crm.tables()
        with pytest.raises(SchemaError, match="mixed_currencies") as caught:
            pull(crm, as_of=AS_OF)
    assert caught.value.exit_code == 7
    named = {row["value"] for row in caught.value.faults.to_pylist()}
    assert named == {"JPY", "USD"} - set(rated)


def test_hubspot_s_own_amount_is_asked_for_only_where_there_are_several_currencies(
    org, connected
) -> None:
    assert "home_amount" in connected(org).tables()["opportunity"]
    one = {"account": TABLES["account"], "opportunity": DEALS.slice(0, 1)}
    with Simulator(one, currency="EUR") as portal:
        crm = connected(portal)
        assert "home_amount" not in crm.tables()["opportunity"]
        own = {"opportunity": {"home_amount": "amount_in_home_currency"}}
        mine = connected(portal, fields=own)
        assert "home_amount" in mine.tables()["opportunity"]
