"""Do tickets, activities, enquiries, invoices, rates and custom objects come as they are?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from threading import Thread

import pyarrow as pa
import pytest

from crm_portfolio.connectors.hubspot import HubSpot, HubSpotSettings
from crm_portfolio.connectors.hubspot._login import login_from
from crm_portfolio.errors import RightMissingError, SettingsError
from crm_portfolio.protocols import Batching, Inspectable, Metered, Reconciling
from crm_portfolio.simulator.hubspot import Assumptions
from crm_portfolio.simulator.hubspot import HubSpot as Simulator
from crm_portfolio.simulator.hubspot._definitions import Property
from crm_portfolio.simulator.hubspot._kinds import Kind

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)
TABLES = {
    "account": pa.table({"account_id": ["A1", "A2"], "name": ["One", "Two"]}),
    "opportunity": pa.table(
        {
            "opportunity_id": ["O1"],
            "account_id": ["A1"],
            "status": ["open"],
            "currency": ["USD"],
            "amount": [100.0],
        }
    ),
    "owner": pa.table(
        {
            "owner_id": ["P1", "P2"],
            "name": ["Ada Lovelace", "Zoë Zhang"],
            "is_active": [True, False],
        }
    ),
    "activity": pa.table(
        {
            "activity_id": ["1", "2", "3"],
            "occurred_at": [NINE, NINE, TEN],
            "account_id": ["A1", "A1", "A2"],
            "opportunity_id": ["O1", None, None],
            "kind": ["call", "meeting", "mail"],
            "direction": ["in", None, "out"],
            "status": ["held", "cancelled", "held"],
            "minutes": [12.0, 45.0, None],
            "owner_id": ["P1", "P1", "P2"],
        }
    ),
    "ticket": pa.table(
        {
            "ticket_id": ["T1", "T2"],
            "opened_at": [NINE, NINE],
            "account_id": ["A1", None],
            "closed_at": [TEN, None],
            "priority": ["HIGH", None],
            "first_response_at": [TEN, None],
        }
    ),
    "enquiry": pa.table(
        {
            "enquiry_id": ["E1"],
            "created_at": [NINE],
            "account_id": ["A2"],
            "opportunity_id": ["O1"],
            "owner_id": ["P1"],
            "status": ["New"],
        }
    ),
    "invoice": pa.table(
        {
            "invoice_id": ["I1", "I2"],
            "account_id": ["A1", "A2"],
            "issued_on": [date(2026, 1, 5), date(2026, 2, 5)],
            "due_on": [date(2026, 2, 5), date(2026, 3, 5)],
            "paid_on": [date(2026, 2, 1), None],
            "amount": [119.0, 50.5],
            "currency": ["EUR", "EUR"],
            "open_amount": [0.0, 50.5],
            "is_cancelled": [False, True],
        }
    ),
    "exchange_rate": pa.table(
        {
            "currency": ["USD", "USD"],
            "base": ["EUR", "EUR"],
            "from_on": [date(2025, 1, 1), date(2026, 1, 1)],
            "rate": [0.95, 0.9],
        }
    ),
}


@pytest.fixture(scope="module")
def _running() -> Iterator[Simulator]:
    with Simulator(TABLES, currency="EUR", time_zone="Europe/Paris") as running:
        yield running


@pytest.fixture
def org(_running: Simulator) -> Simulator:
    _running.reset()
    return _running


def rows(org: Simulator, crm: HubSpot, table: str) -> list[dict[str, object]]:
    """Rows with the loader's own keys, in the order of the first of them."""
    keys = {
        f"{name}_id": {found: key for key, found in org.ids(name).items()}
        for name in TABLES
        if name != "exchange_rate"
    }
    found = [
        {name: keys.get(name, {}).get(value, value) for name, value in row.items()}
        for batch in crm.pull(table)
        for row in batch.rows.to_pylist()
    ]
    return sorted(found, key=lambda row: str(next(iter(row.values()))))


def expected(table: str) -> list[dict[str, object]]:
    return TABLES[table].to_pylist()


def test_activities_are_calls_meetings_and_mails_without_a_word_of_them(
    org, connected
) -> None:
    found = rows(org, connected(org), "activity")
    names = list(expected("activity")[0])
    assert [{n: row[n] for n in names} for row in found] == [
        {**row, "kind": {"mail": "email"}.get(row["kind"], row["kind"])}
        for row in expected("activity")
    ]
    assert set(found[0]) == set(names)


def test_activities_are_counted_without_a_call(org, connected) -> None:
    crm = connected(org, tables=("account",))
    first, second = rows(org, crm, "account")
    assert (first["activity_count"], second["activity_count"]) == (2, 1)
    assert first["last_activity_on"] == date(2026, 3, 2)
    assert crm.calls == 3  # identity, properties, a page


def test_a_meeting_with_two_accounts_is_nobody_s(org, connected) -> None:
    meeting, other = org.ids("activity")["2"], org.ids("account")["A2"]
    org.link("meetings", meeting, "companies", other)
    told = {row["activity_id"]: row for row in rows(org, connected(org), "activity")}
    assert told["2"]["account_id"] is None
    assert told["1"]["account_id"] == "A1"


def test_every_batch_of_a_table_has_the_same_columns(org, connected) -> None:
    schemas = [batch.rows.schema for batch in connected(org).pull("activity")]
    assert len(schemas) == 3
    assert len({frozenset(schema.names) for schema in schemas}) == 1
    assert len({schema.field("minutes").type for schema in schemas}) == 1


@pytest.mark.parametrize("shown", [1, 100])
def test_a_primary_company_counts_however_many_a_list_shows(connected, shown) -> None:
    known = Assumptions(inner_page=shown)
    with Simulator(TABLES, currency="EUR", assumptions=known) as org:
        ticket, other = org.ids("ticket")["T1"], org.ids("account")["A2"]
        assert int(other) > int(org.ids("account")["A1"])
        org.link("tickets", ticket, "companies", other, "Primary")
        assert rows(org, connected(org), "ticket")[0]["account_id"] == "A2"


@pytest.mark.parametrize("table", ["ticket", "enquiry", "invoice"])
def test_a_table_comes_as_it_is(org, connected, table) -> None:
    found = rows(org, connected(org), table)
    names = list(expected(table)[0])
    assert [{n: row[n] for n in names} for row in found] == expected(table)


def test_owners_are_those_who_are_here_and_those_who_have_left(org, connected) -> None:
    assert rows(org, connected(org), "owner") == expected("owner")


def test_rates_come_by_themselves_where_there_are_several_currencies(
    org, connected
) -> None:
    crm = connected(org)
    assert "exchange_rate" in crm.tables()
    assert rows(org, crm, "exchange_rate") == expected("exchange_rate")
    with Simulator({"account": TABLES["account"]}, currency="EUR") as one_currency:
        assert "exchange_rate" not in connected(one_currency).tables()


def test_all_tables_come_side_by_side(org, connected) -> None:
    crm = connected(org, tables="all")
    found: dict[str, int] = {}

    def work(table: str) -> None:
        found[table] = sum(batch.rows.num_rows for batch in crm.pull(table))

    threads = [Thread(target=work, args=(table,)) for table in crm.tables()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected_counts = {name: table.num_rows for name, table in TABLES.items()}
    counts = {name: found[name] for name in expected_counts}
    assert counts == expected_counts
    assert org.api_calls == crm.calls


def test_stages_of_leads_have_their_names(org, connected) -> None:
    assert rows(org, connected(org), "enquiry")[0]["status"] == "New"


def test_an_object_of_one_s_own_feeds_any_table(org) -> None:
    settings = HubSpotSettings(
        tables=("revenue_line",),
        objects={"revenue_line": "invoices"},
        fields={
            "revenue_line": {
                "booked_on": "hs_invoice_date",
                "amount": "hs_amount_billed",
            }
        },
    )
    crm = HubSpot(login_from(org.environment), settings=settings)
    found = rows(org, crm, "revenue_line")
    assert [(row["account_id"], row["booked_on"], row["amount"]) for row in found] == [
        ("A1", date(2026, 1, 5), 119.0),
        ("A2", date(2026, 2, 5), 50.5),
    ]


def test_a_kind_that_one_may_not_read_is_named(org, connected) -> None:
    org.revoke_scope("sales-email-read")
    with pytest.raises(RightMissingError, match="sales-email-read"):
        rows(org, connected(org), "activity")
    crm = connected(org, tables="all")
    kinds = {row["kind"] for b in crm.pull("activity") for row in b.rows.to_pylist()}
    assert kinds == {"call", "meeting"}


def test_a_table_that_is_not_there_is_refused(org, connected) -> None:
    with pytest.raises(SettingsError, match="no table 'capacity'"):
        list(connected(org).pull("capacity"))


def test_the_connector_can_do_what_its_protocols_say(org, connected) -> None:
    crm = connected(org)
    assert isinstance(crm, Reconciling)
    assert isinstance(crm, Metered)
    assert isinstance(crm, Inspectable)
    assert isinstance(crm, Batching)


def test_a_fingerprint_changes_with_the_settings_and_the_names_of_stages(
    org, connected
) -> None:
    first = connected(org).fingerprint()
    assert connected(org).fingerprint() == first
    assert connected(org, loss_reason="closed_won_reason").fingerprint() != first


def test_a_fingerprint_changes_when_a_stage_is_renamed(org, connected) -> None:
    before = connected(org).fingerprint()
    stage = org._portal.pipelines["deals"][0]["stages"][0]
    stage["label"] = "Called otherwise"
    assert connected(org).fingerprint() != before


def test_a_custom_object_feeds_a_table_of_the_model(org, connected) -> None:
    portal, kind = org._portal, "p147_agreement"
    for name, type_, field_type in (
        ("begins", "date", "date"),
        ("yearly", "number", "number"),
        ("renews", "bool", "booleancheckbox"),
        ("hs_object_id", "number", "number"),
        ("hs_lastmodifieddate", "datetime", "date"),
    ):
        portal.definitions.add(kind, Property(name, name, type_, field_type, "facts"))
    portal.add_kind(Kind(kind, "p147_agreement", "2-777", "crm.objects.custom"))
    portal.links.add_plain(kind, "companies", 5_001)
    made = portal.create(
        kind,
        [{"begins": f"2026-01-{day:02}", "yearly": "1200.5"} for day in range(1, 32)]
        * 4,
    )
    company = org.ids("account")["A2"]
    org.link(kind, str(made[7]), "companies", company)
    org.clock.advance(3600)
    crm = connected(
        org,
        tables=("account",),
        objects={"contract": kind},
        fields={
            "contract": {
                "starts_on": "begins",
                "amount_per_year": "yearly",
                "auto_renews": "renews",
            }
        },
    )
    # Whoever names its object need not name the table.
    assert crm.tables()["contract"][:2] == ("contract_id", "account_id")
    assert "table contract: p147_agreement" in {f.what for f in crm.inspect()}
    batches = list(crm.pull("contract"))
    assert [batch.rows.num_rows for batch in batches] == [100, 24]
    assert batches[0].rows.slice(7, 1).to_pylist() == [
        {
            "contract_id": str(made[7]),
            "account_id": company,
            "starts_on": date(2026, 1, 8),
            "amount_per_year": 1200.5,
            "auto_renews": None,
        }
    ]
    org.clock.advance(3600)
    org.edit(kind, str(made[3]), {"yearly": "7"})
    found = [
        r
        for b in crm.pull("contract", since=batches[-1].cursor)
        for r in b.rows.to_pylist()
    ]
    assert [(row["contract_id"], row["amount_per_year"]) for row in found] == [
        (str(made[3]), 7.0)
    ]


def test_every_property_of_a_table_is_told_mapped_or_not(crm) -> None:
    told = {field.name: field for field in crm.fields("opportunity")}
    mapped = told["dealname"]
    assert (mapped.column, mapped.is_custom) == ("name", False)
    assert mapped.label
    assert any(not field.column for field in told.values())
    assert crm.fields("stage") == []
