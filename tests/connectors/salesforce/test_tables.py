"""Every table of the model that Salesforce has something for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pyarrow as pa
import pytest

from crm_portfolio.connectors.salesforce import SalesforceSettings
from crm_portfolio.connectors.salesforce._columns import json_table
from crm_portfolio.connectors.salesforce._loss_reason import candidates, found_field
from crm_portfolio.errors import (
    FieldNotFoundError,
    RightMissingError,
    SettingsError,
)
from crm_portfolio.protocols import Shaped
from crm_portfolio.simulator import Salesforce as Simulator
from crm_portfolio.simulator.salesforce import Switches

MOMENT = pa.timestamp("us", "UTC")


def at(day: int, hour: int = 9) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def moments(*said: datetime | None) -> pa.Array:
    return pa.array(said, MOMENT)


def whole(crm, table: str, **how) -> list[dict]:
    return pa.concat_tables(b.rows for b in crm.pull(table, **how)).to_pylist()


ACCOUNTS = pa.table({"account_id": ["A", "B"], "name": ["Acme", "Bolt"]})
DEALS = pa.table(
    {
        "opportunity_id": ["1", "2", "3"],
        "account_id": ["A", "A", "B"],
        "stage": ["Prospecting", "Closed Won", "Prospecting"],
        "status": ["open", "won", "open"],
        "amount": [100.0, 250.5, None],
        "probability": [0.1, 1.0, 0.1],
        "closed_on": pa.array([None, date(2026, 3, 9), None]),
        "expected_close_on": pa.array([date(2026, 9, 1), None, date(2026, 9, 2)]),
        "created_at": moments(at(1), at(1), at(1)),
    }
)
ACTIVITIES = pa.table(
    {
        "activity_id": ["1", "2", "3"],
        "occurred_at": moments(at(1), at(2), at(3)),
        "account_id": ["A", "B", "A"],
        "opportunity_id": ["1", None, None],
        "kind": ["call", "meeting", "email"],
        "direction": ["in", None, "out"],
        "status": ["held", "held", "open"],
        "minutes": [5.0, 30.0, None],
    }
)


# What is pulled


def test_only_what_is_asked_for_is_pulled_and_described(org, connected) -> None:
    crm = connected(org, tables=("account",))
    assert tuple(crm.tables()) == ("account",)
    assert org.calls["GET sobjects/{object}/describe"] == 1


def test_all_is_every_table_that_this_login_may_read(connected) -> None:
    with Simulator({"account": ACCOUNTS}) as org:
        org.revoke_right("Read Case")
        found = connected(org, tables="all").tables()
    assert set(found) == {
        "account",
        "opportunity",
        "opportunity_change",
        "stage",
        "owner",
        "activity",
        "enquiry",
        "contract",
    }


def test_a_table_asked_for_by_name_must_be_readable(connected) -> None:
    with Simulator({"account": ACCOUNTS}) as org:
        org.revoke_right("Read Case")
        with pytest.raises(RightMissingError, match="'Read on Case'"):
            connected(org, tables=("account", "ticket")).tables()


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"tables": "every"}, "or 'all'"),
        ({"tables": ("acount",)}, "did you mean 'account'"),
        ({"objects": {"account": "Client__c"}}, "always comes from its own object"),
        ({"objects": {"invoce": "Invoice__c"}}, "did you mean 'invoice'"),
        ({"objects": {"invoice": "Invoice c"}}, "write the API name"),
        ({"counts": ("lead",)}, "'activity' and 'contact'"),
        ({"loss_reason": "Loss Reason"}, "API name"),
        ({"bulk": "sometimes"}, "'auto', 'always' or 'never'"),
        ({"bulk_page_rows": 0}, "at least 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, problem) -> None:
    with pytest.raises(SettingsError, match=problem):
        SalesforceSettings(**wrong)


def test_a_table_without_an_object_is_refused_before_a_call(org, connected) -> None:
    with pytest.raises(SettingsError, match="name its object in objects"):
        connected(org, tables=("account", "invoice"))
    with pytest.raises(SettingsError, match="no table 'exchange_rate' is mapped"):
        connected(org, fields={"exchange_rate": {"rate": "X"}})
    assert org.calls == {}


# Activities, tickets, enquiries, contracts


def test_tasks_and_events_are_activities(connected) -> None:
    tables = {"account": ACCOUNTS, "opportunity": DEALS, "activity": ACTIVITIES}
    with Simulator(tables) as org:
        rows = whole(connected(org, tables=("activity",)), "activity")
        ids, deals = org.ids("account"), org.ids("opportunity")
    assert [
        (r["kind"], r["direction"], r["status"], r["minutes"], r["account_id"])
        for r in sorted(rows, key=lambda r: r["occurred_at"])
    ] == [
        ("call", "in", "held", 5.0, ids["A"]),
        ("meeting", None, "held", 30.0, ids["B"]),
        ("email", "out", "open", None, ids["A"]),
    ]
    about = {r["kind"]: r["opportunity_id"] for r in rows}
    assert about == {"call": deals["1"], "meeting": None, "email": None}


def test_archived_activities_come_too_and_deleted_ones_do_not(connected) -> None:
    tables = {"account": ACCOUNTS, "activity": ACTIVITIES}
    with Simulator(tables) as org:
        ids = org.ids("activity")
        org._org.store.rows('UPDATE "Task" SET "IsArchived" = true')
        org.delete("Event", ids["2"])
        for way in ("never", "always"):
            rows = whole(connected(org, bulk=way), "activity")
            assert {r["activity_id"] for r in rows} == {ids["1"], ids["3"]}


def test_no_person_and_no_text_is_asked_for(connected) -> None:
    with Simulator({"account": ACCOUNTS, "activity": ACTIVITIES}) as org:
        crm = connected(org, tables="all")
        for table in crm.tables():
            for layout in (
                crm._catalogue.layouts(crm._rest, table)
                if table in (crm._catalogue.objects)
                else ()
            ):
                asked = set(layout.sources)
                assert not asked & {
                    "WhoId",
                    "Subject",
                    "Description",
                    "Email",
                    "Phone",
                    "FirstName",
                    "LastName",
                    "Company",
                    "ContactId",
                    "SuppliedName",
                }
        leads = crm._catalogue.layouts(crm._rest, "enquiry")[0]
    assert "Name" not in leads.sources


def test_cases_are_tickets_and_contracts_contracts(connected) -> None:
    tickets = pa.table(
        {
            "ticket_id": ["1", "2"],
            "opened_at": moments(at(1), at(2)),
            "account_id": ["A", None],
            "closed_at": moments(at(3), None),
            "priority": ["High", "Low"],
            "is_escalated": [True, False],
        }
    )
    contracts = pa.table(
        {
            "contract_id": ["1"],
            "account_id": ["B"],
            "starts_on": [date(2026, 1, 1)],
            "ends_on": [date(2026, 12, 31)],
        }
    )
    enquiries = pa.table(
        {
            "enquiry_id": ["1"],
            "created_at": moments(at(1)),
            "source": ["Web"],
            "status": ["Open"],
            "segment": ["Energy"],
        }
    )
    tables = {
        "account": ACCOUNTS,
        "ticket": tickets,
        "contract": contracts,
        "enquiry": enquiries,
    }
    with Simulator(tables) as org:
        crm = connected(org)
        ids = org.ids("account")
        found = {table: whole(crm, table) for table in tables}
    opened = [(r["opened_at"], r["closed_at"], r["priority"]) for r in found["ticket"]]
    assert opened == [(at(1), at(3), "High"), (at(2), None, "Low")]
    assert [r["account_id"] for r in found["ticket"]] == [ids["A"], None]
    (contract,) = found["contract"]
    assert (contract["starts_on"], contract["ends_on"]) == (
        date(2026, 1, 1),
        date(2026, 12, 31),
    )
    (enquiry,) = found["enquiry"]
    assert (enquiry["source"], enquiry["segment"]) == ("Web", "Energy")


def test_counts_are_right_and_cost_a_query_a_page(connected) -> None:
    many = pa.table({"account_id": [f"A{place}" for place in range(700)]})
    deeds = pa.table(
        {
            "activity_id": [str(place) for place in range(60)],
            "occurred_at": moments(*[at(1)] * 60),
            "account_id": [f"A{place % 7}" for place in range(60)],
            "kind": ["call", "meeting"] * 30,
        }
    )
    with Simulator({"account": many, "activity": deeds}) as org:
        crm = connected(org, counts=("activity",), page_size=500, bulk="always")
        crm.org(), crm.tables()
        before = org.api_calls
        rows = whole(crm, "account")
        assert org.api_calls - before == 2 * (1 + 2)
        ids = org.ids("account")
    counts = {r["account_id"]: r["activity_count"] for r in rows}
    assert [counts[ids[f"A{place}"]] for place in range(8)] == [9, 9, 9, 9, 8, 8, 8, 0]


# Why it was lost


def described(*names: str, label: str = "", kind: str = "picklist") -> list[dict]:
    return [{"name": name, "label": label, "type": kind} for name in names]


@pytest.mark.parametrize(
    "name",
    [
        "Loss_Reason__c",
        "Closed_Lost_Reason__c",
        "Lost_Reason__c",
        "Reason_Lost__c",
        "Reason_for_Loss__c",
        "LossReason__c",
        "Opportunity_Lost_Reason__c",
    ],
)
def test_a_loss_reason_is_known_by_its_name(name) -> None:
    assert candidates(described("StageName", "LeadSource", name)) == (name,)


@pytest.mark.parametrize("label", ["Why lost?", "Motif de perte", "Verlustgrund"])
def test_a_loss_reason_is_known_by_its_label(label) -> None:
    assert candidates(described("X1__c", label=label)) == ("X1__c",)
    assert candidates(described("X1__c", label=label, kind="boolean")) == ()


def test_several_loss_reasons_are_an_error_that_names_them() -> None:
    both = described("Loss_Reason__c", "Lost_Reason__c")
    with pytest.raises(SettingsError, match=r"Loss_Reason__c, Lost_Reason__c"):
        found_field(both, None)
    assert found_field(both, "Lost_Reason__c") == "Lost_Reason__c"
    assert found_field(both, "") is None
    with pytest.raises(FieldNotFoundError, match="did you mean 'Lost_Reason__c'"):
        found_field(both, "Lost_Raeson__c")


def test_the_loss_reason_comes_without_being_asked_for(connected) -> None:
    deals = DEALS.append_column("loss_reason", pa.array(["Price", None, None]))
    with Simulator({"account": ACCOUNTS, "opportunity": deals}) as org:
        crm = connected(org)
        assert "loss_reason" in crm.tables()["opportunity"]
        ids = org.ids("opportunity")
        rows = {
            r["opportunity_id"]: r["loss_reason"] for r in whole(crm, "opportunity")
        }
        assert (
            "loss_reason" not in connected(org, loss_reason="").tables()["opportunity"]
        )
    assert rows[ids["1"]] == "Price"


# A person's own objects


def test_an_own_object_becomes_any_table(connected) -> None:
    """Here the cases: an object is an object."""
    tickets = pa.table(
        {
            "ticket_id": ["1", "2"],
            "opened_at": moments(at(1), at(2)),
            "account_id": ["A", "B"],
        }
    )
    settings = {
        "objects": {"revenue_line": "Case"},
        "fields": {
            "revenue_line": {
                "account_id": "AccountId",
                "booked_on": "CreatedDate",
                "reason": "Status",
                "kind": {"constant": "invoice"},
            }
        },
    }
    with Simulator({"account": ACCOUNTS, "ticket": tickets}) as org:
        crm = connected(org, **settings)
        columns = ("line_id", "account_id", "booked_on", "reason", "kind")
        assert crm.tables()["revenue_line"] == columns
        rows = whole(crm, "revenue_line")
        ids = org.ids("account")
    assert [(r["account_id"], r["booked_on"], r["kind"]) for r in rows] == [
        (ids["A"], date(2026, 3, 1), "invoice"),
        (ids["B"], date(2026, 3, 2), "invoice"),
    ]


def test_an_own_object_that_is_not_there_is_named(org, connected) -> None:
    crm = connected(org, objects={"invoice": "Invoice__c"})
    with pytest.raises(RightMissingError, match="Read on Invoice__c"):
        crm.tables()


# Currencies


def currencies() -> dict[str, pa.Table]:
    deals = DEALS.append_column("currency", pa.array(["EUR", "USD", "JPY"]))
    rates = pa.table(
        {
            "currency": ["USD", "USD", "JPY"],
            "base": ["EUR"] * 3,
            "from_on": [date(2026, 1, 1), date(2026, 3, 1), date(2026, 1, 1)],
            "rate": [0.8, 0.5, 0.01],
        }
    )
    return {"account": ACCOUNTS, "opportunity": deals, "exchange_rate": rates}


def test_rates_come_by_themselves_where_there_are_several_currencies(
    connected,
) -> None:
    with Simulator(currencies(), currency="EUR") as org:
        crm = connected(org)
        assert "exchange_rate" in crm.tables()
        rates = whole(crm, "exchange_rate")
        deals = {r["amount"]: r["currency"] for r in whole(crm, "opportunity")}
    assert deals == {100.0: "EUR", 250.5: "USD", None: "JPY"}
    said = {(r["currency"], r["from_on"]): r["rate"] for r in rates}
    assert {r["base"] for r in rates} == {"EUR"}
    assert said["USD", date(2026, 3, 1)] == pytest.approx(0.5)
    assert said["USD", date(2026, 1, 1)] == pytest.approx(0.8)
    assert said["JPY", date(2026, 1, 1)] == pytest.approx(0.01)
    assert len(said) == len(rates)


def test_one_currency_needs_no_rates(org, connected) -> None:
    assert "exchange_rate" not in connected(org).tables()


# What was before


def changes() -> pa.Table:
    return pa.table(
        {
            "opportunity_id": ["1", "1", "1", "2", "2"],
            "changed_at": moments(at(2), at(3), at(4), at(5), at(5, 10)),
            "field": ["stage", "amount", "owner_id", "stage", "amount"],
            "old": ["Qualification", "80", "W1", "Prospecting", "200"],
            "new": ["Prospecting", "100", "W2", "Closed Won", "250.5"],
        }
    )


OWNERS = pa.table({"owner_id": ["W1", "W2"], "name": ["Wim", "Wanda"]})


def told(rows: list[dict]) -> set[tuple]:
    return {
        (r["opportunity_id"], r["changed_at"], r["field"], r["old"], r["new"])
        for r in rows
    }


@pytest.mark.parametrize("way", ["never", "always"])
def test_changes_come_back_once_in_the_words_of_the_model(connected, way) -> None:
    tables = {
        "account": ACCOUNTS,
        "opportunity": DEALS,
        "owner": OWNERS,
        "opportunity_change": changes(),
    }
    with Simulator(tables) as org:
        rows = whole(connected(org, bulk=way), "opportunity_change")
        deals, owners = org.ids("opportunity"), org.ids("owner")
    assert len(told(rows)) == len(rows)
    said = {
        (deals[r["opportunity_id"]], r["changed_at"], r["field"], r["old"], r["new"])
        for r in changes().to_pylist()
        if r["field"] != "owner_id"
    }
    said.add((deals["1"], at(4), "owner_id", owners["W1"], owners["W2"]))
    assert said <= told(rows)
    # What else there is, is what each began with, and odds that followed the stage.
    assert {row[2] for row in told(rows) - said if row[3]} <= {"probability"}
    assert "Wim" not in str(rows)
    shares = {r["new"] for r in rows if r["field"] == "probability"}
    assert shares <= {"0.1", "0.5", "1"}


def test_only_new_changes_come_with_an_increment(connected) -> None:
    tables = {
        "account": ACCOUNTS,
        "opportunity": DEALS,
        "owner": OWNERS,
        "opportunity_change": changes(),
    }
    with Simulator(tables) as org:
        crm = connected(org)
        *_, last = crm.pull("opportunity_change")
        deal = org.ids("opportunity")["1"]
        before = last.cursor
        for place in range(3):
            org.clock.advance(3_600)
            values = {"StageName": "Qualification", "Amount": 500 + place}
            org.edit("Opportunity", deal, values)
            batches = list(crm.pull("opportunity_change", since=before))
            before = batches[-1].cursor
            rows = [r for b in batches for r in b.rows.to_pylist()]
            amounts = [(r["old"], r["new"]) for r in rows if r["field"] == "amount"]
            old = "100" if not place else str(499 + place)
            assert amounts == [(old, str(500 + place))]
            assert ("stage" in {r["field"] for r in rows}) == (place == 0)
            again = list(crm.pull("opportunity_change", since=before))
            assert sum(b.rows.num_rows for b in again) == 0
            before = again[-1].cursor


def test_a_history_cut_by_pages_is_the_same_history(connected) -> None:
    count = 260
    steps = ("Qualification", "Needs Analysis", "Value Proposition", "Prospecting")
    deals = pa.table(
        {
            "opportunity_id": [str(place) for place in range(count)],
            "account_id": ["A"] * count,
            "stage": ["Prospecting"] * count,
            "status": ["open"] * count,
            "amount": [float(place) for place in range(count)],
            "created_at": moments(*[at(1)] * count),
            "expected_close_on": [date(2026, 9, 1)] * count,
        }
    )
    history = pa.table(
        {
            "opportunity_id": [str(place // 3) for place in range(count * 3)],
            "changed_at": moments(
                *(
                    at(2 + place % 3) + timedelta(seconds=place)
                    for place in range(count * 3)
                )
            ),
            "field": ["stage"] * (count * 3),
            "old": [steps[place % 3] for place in range(count * 3)],
            "new": [steps[place % 3 + 1] for place in range(count * 3)],
        }
    )
    tables = {"account": ACCOUNTS, "opportunity": deals, "opportunity_change": history}
    with Simulator(tables) as org:
        small = {"page_size": 250, "bulk": "never"}
        batches = list(connected(org, **small).pull("opportunity_change"))
        assert len(batches) > 3
        expected = told(whole(connected(org), "opportunity_change"))
        rows = [r for b in batches for r in b.rows.to_pylist()]
        assert told(rows) == expected
        assert len(rows) == len(expected)
        stages = [(r["old"], r["new"]) for r in rows if r["field"] == "stage"]
        known = {(None, steps[0]), *pairwise(steps)}
        assert set(stages) == known
        for place, batch in enumerate(batches[:-1]):
            rest = whole(
                connected(org, **small), "opportunity_change", resume=batch.cursor
            )
            before = [r for b in batches[: place + 1] for r in b.rows.to_pylist()]
            assert told([*before, *rest]) == expected
            assert len(before) + len(rest) == len(expected)


# Fingerprint


def test_a_fingerprint_changes_with_whatever_shapes_the_tables(connected) -> None:
    reasons = DEALS.append_column("loss_reason", pa.array(["price"] * 3))
    with Simulator({"account": ACCOUNTS, "opportunity": DEALS}, currency="EUR") as org:
        shapes: list[dict] = [
            {},
            {"fields": {"account": {"segment": "Type"}}},
            {"fields": {"account": {"segment": {"constant": "all"}}}},
            {"objects": {"activity": "Account"}},
            {"counts": ("contact",)},
            {"currency": "USD"},
        ]
        said = [connected(org, **shape).fingerprint() for shape in shapes]
        assert connected(org, bulk="never", page_size=200).fingerprint() == said[0]
    assert len({*said}) == len(shapes)
    with Simulator(
        {"account": ACCOUNTS, "opportunity": reasons}, currency="EUR"
    ) as org:
        found = connected(org).fingerprint()
        assert connected(org, loss_reason="Loss_Reason__c").fingerprint() == found
        assert connected(org, loss_reason="").fingerprint() == said[0] != found


def test_a_fingerprint_costs_no_call_that_a_pull_does_not_make(connected) -> None:
    with Simulator({"account": ACCOUNTS, "opportunity": DEALS}, currency="EUR") as org:
        crm = connected(org)
        crm.tables()
        before = crm.calls
        assert isinstance(crm, Shaped)
        assert crm.fingerprint()
        assert crm.calls == before


# History


def test_the_history_of_a_number_is_told_in_numbers(connected) -> None:
    """Of any type: JSON has a number for a number there, and text for text."""
    deals = DEALS.append_column("discount_share", pa.array([0.25, None, 0.5]))
    tracked = Switches(tracked=("Amount", "NextStep", "Discount_Share__c"))
    ours = {"opportunity": {"discount_share": "Discount_Share__c"}}
    data = {"account": ACCOUNTS, "opportunity": deals}
    with Simulator(data, currency="EUR", switches=tracked) as org:
        org.clock.advance(3_600)
        values = {"Discount_Share__c": 0.75, "NextStep": "0.75", "Amount": 1.0}
        org.edit("Opportunity", org.ids("opportunity")["1"], values)
        changes = whole(connected(org, fields=ours), "opportunity_change")
    said = {(row["field"], row["old"], row["new"]) for row in changes}
    assert {("discount_share", "0.25", "0.75"), ("next_step", None, "0.75")} <= said


@pytest.mark.parametrize(
    ("value", "text"), [(None, None), ("a", "a"), (0.5, "0.5"), (True, "true")]
)
def test_a_value_of_any_type_is_its_spelling_in_json(value, text) -> None:
    kinds = {"Id": "id", "NewValue": "anyType"}
    rows = json_table([{"Id": "1", "NewValue": value}], tuple(kinds), kinds, "X")
    assert rows["NewValue"].to_pylist() == [text]


def test_every_field_of_a_table_is_told_mapped_or_not(connected) -> None:
    own = {"type": "Text", "length": 80, "label": "Main Competitor"}
    fields = {"Opportunity.Main_Competitor__c": own}
    with Simulator({"account": ACCOUNTS, "opportunity": DEALS}, fields=fields) as org:
        crm = connected(org)
        told = {field.name: field for field in crm.fields("opportunity")}
        assert {f.column for f in told.values()} >= {
            "opportunity_id",
            "amount",
            "stage",
        }
        mapped = told["Amount"]
        assert (mapped.column, mapped.is_custom) == ("amount", False)
        ours = told["Main_Competitor__c"]
        assert (ours.label, ours.column, ours.is_custom) == (
            "Main Competitor",
            "",
            True,
        )
        assert crm.fields("opportunity_change") == []
