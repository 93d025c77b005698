"""Is a simulator behind a reset what a new one is, to the last table?"""

from __future__ import annotations

from typing import Any

from crm_portfolio import samples
from crm_portfolio.connectors import hubspot, salesforce
from crm_portfolio.connectors.hubspot._login import login_from as hubspot_login
from crm_portfolio.connectors.salesforce._login import login_from as salesforce_login
from crm_portfolio.protocols import Change
from crm_portfolio.schema import HUMAN, MANAGED
from crm_portfolio.simulator import HubSpot, Salesforce
from crm_portfolio.simulator._store import Store

BOOK = samples.book()


def content(store: Store) -> dict[str, Any]:
    """Every table, with its columns and the order of its rows."""
    found = store.rows(
        "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main' "
        "AND NOT temporary ORDER BY 1"
    )
    return {
        name: (
            store.rows(f'SELECT * FROM (DESCRIBE "{name}")'),
            store.rows(f'SELECT * FROM "{name}" ORDER BY rowid'),
        )
        for (name,) in found
    }


def written(crm: Any, account_id: str) -> None:
    """Fields made, and one of them written."""
    list(crm.provision((*MANAGED["account"], *HUMAN["account"]), dry_run=False))
    assert [
        o.state for o in crm.write("account", [Change(account_id, "tier", None, "A")])
    ]
    list(crm.pull("opportunity"))


def test_a_portal_is_as_new() -> None:
    with HubSpot(BOOK.tables, currency="EUR") as used:
        with HubSpot(BOOK.tables, currency="EUR") as new:
            first, state = content(new._portal.store), new.state
            one_id = new._portal.new_id()
        ids = list(used.ids("account").values())
        deal = next(iter(used.ids("opportunity").values()))
        for _ in range(2):
            used.clock.advance(86_400)
            used.edit("companies", ids[0], {"name": "Other"})
            used.edit("deals", deal, {"amount": "12"})
            used.delete("companies", ids[1])
            used.merge("companies", ids[2], ids[3])
            used.purge("companies", ids[4])
            used.link("companies", ids[0], "deals", deal)
            login = hubspot_login(used.environment)
            written(hubspot.HubSpot(login), ids[0])
            assert content(used._portal.store) != first
            used.reset()
            assert content(used._portal.store) == first
            assert used.state == state
            assert used._portal.new_id() == one_id
            used.reset()


def test_an_org_is_as_new() -> None:
    with Salesforce(BOOK.tables, currency="EUR") as used:
        with Salesforce(BOOK.tables, currency="EUR") as new:
            first, state = content(new._org.store), new.state
        ids = list(used.ids("account").values())
        for _ in range(2):
            used.clock.advance(86_400)
            used.edit("Account", ids[0], {"Name": "Other"})
            used.delete("Account", ids[1])
            used.merge("Account", ids[2], ids[3])
            used.hard_delete("Account", ids[4])
            used.hide_field("Account", "Industry")
            login = salesforce_login(used.environment)
            written(salesforce.Salesforce(login), ids[0])
            assert content(used._org.store) != first
            used.reset()
            assert content(used._org.store) == first
            assert used.state == state
