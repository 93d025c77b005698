"""Whole tables, exact and at the smallest number of calls."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from crm_portfolio import samples, schema
from crm_portfolio.connectors.salesforce import Salesforce, SalesforceSettings
from crm_portfolio.errors import (
    ConnectorError,
    CursorLostError,
    FieldNotFoundError,
    RightMissingError,
    SettingsError,
    TransientError,
)
from crm_portfolio.protocols import Connector, Cursor, Provisioner, Quota
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator import Salesforce as Simulator
from crm_portfolio.simulator.salesforce import Assumptions

PICKLIST = {"label": "Loss reason", "type": "Text", "length": 80}


def whole(crm: Salesforce, table: str, **how) -> pa.Table:
    return pa.concat_tables(batch.rows for batch in crm.pull(table, **how))


def by_id(table: pa.Table, key: str) -> dict[str, dict]:
    return {row[key]: row for row in table.to_pylist()}


def test_it_is_a_connector_and_can_provision(strange) -> None:
    crm: Connector = strange.connector()
    assert isinstance(crm, Connector)
    assert isinstance(crm, Provisioner)
    assert crm.name == "salesforce"


def test_a_book_comes_back_as_it_went_in(connected) -> None:
    book = samples.book(accounts=120, opportunities=2_500)
    with Simulator(book.tables, currency="EUR") as org:
        crm = connected(org)
        accounts = by_id(whole(crm, "account"), "account_id")
        opportunities = by_id(whole(crm, "opportunity"), "opportunity_id")
        ids, deal_ids = org.ids("account"), org.ids("opportunity")
        owners = org.ids("owner")
    assert len(accounts) == 120
    for row in book.tables["account"].to_pylist():
        got = accounts[ids[row["account_id"]]]
        assert got["parent_id"] == ids.get(row["parent_id"])
        for column in {
            "name",
            "segment",
            "country",
            "employee_count",
            "created_on",
        } & set(row):
            assert got[column] == row[column], column
    for row in book.tables["opportunity"].to_pylist():
        got = opportunities[deal_ids[row["opportunity_id"]]]
        assert got["account_id"] == ids.get(row["account_id"])
        assert got["owner_id"] == owners.get(row["owner_id"], got["owner_id"])
        for column in {"name", "stage", "status", "amount", "kind", "source"} & set(
            row
        ):
            assert got[column] == row[column], column
        assert got["closed_on"] == (
            None if row["status"] == "open" else row["closed_on"]
        )
        assert (got["expected_close_on"] is None) == (row["status"] != "open")


def test_columns_are_typed_as_the_schema_says(org, crm) -> None:
    for table in crm.tables():
        rows = whole(crm, table)
        assert tuple(rows.column_names) == crm.tables()[table]
        for column in rows.column_names:
            wanted = schema.arrow_type(schema.TABLES[table][column])
            assert rows.schema.field(column).type == wanted, (table, column)


def test_a_pull_costs_one_call_a_page_and_five_for_metadata(connected) -> None:
    book = samples.book(accounts=2_100, opportunities=4_001)
    with Simulator(book.tables) as org:
        crm = connected(org)
        crm.org()
        for table in crm.tables():
            whole(crm, table)
        crm.org(), crm.tables(), crm.quota()
        assert org.api_calls == 2 + 3 + 1 + 5
        assert org.calls["POST oauth2/token"] == 1
        assert crm.quota() == Quota(100_000 - org.api_calls, 100_000)


def test_more_records_than_a_page_come_whole_and_in_order(big_org, connected) -> None:
    crm = connected(big_org, page_size=500)
    rows = whole(crm, "account")
    assert rows["account_id"].to_pylist() == sorted(big_org.ids("account").values())
    assert big_org.calls["GET query/{locator}"] == 8


def test_every_page_is_a_batch_and_only_the_last_says_so(big_org, connected) -> None:
    crm = connected(big_org, page_size=2_000)
    batches = list(crm.pull("account"))
    assert [batch.rows.num_rows for batch in batches] == [2_000, 2_000, 321]
    assert [batch.is_last for batch in batches] == [False, False, True]


def test_a_batch_is_given_before_the_next_page_is_asked_for(big_org, connected) -> None:
    """So never more than one page stands in memory as decoded JSON."""
    batches = connected(big_org, page_size=500).pull("account")
    next(batches)
    assert "GET query/{locator}" not in big_org.calls
    next(batches)
    assert big_org.calls["GET query/{locator}"] == 1


def test_an_empty_org_gives_empty_tables_with_all_their_columns(connected) -> None:
    with Simulator() as org:
        crm = connected(org)
        for table, columns in crm.tables().items():
            (batch,) = crm.pull(table)
            assert batch.is_last
            assert tuple(batch.rows.column_names) == columns
    assert batch.rows.num_rows == 1  # owner: the user of the log-in


def test_only_our_own_people_are_owners(org, connected) -> None:
    """A member of a customer's community is a user too, and nobody of ours."""
    everyone = len(org.snapshot("User")["User"])
    org._org.store.insert_records(
        "User",
        [{"Id": "005000000000001AAA", "Name": "Jo", "UserType": "CspLitePortal"}],
    )
    owners = whole(connected(org), "owner")
    assert owners.num_rows == everyone
    assert "Jo" not in owners["name"].to_pylist()


def test_only_the_columns_asked_for_are_pulled(org, connected) -> None:
    crm = connected(org)
    org.edit(
        "Account", org.ids("account")["A0"], {"Website": "https://www.Acme.example/x"}
    )
    rows = whole(crm, "account", columns=["domain", "account_id"])
    assert rows.column_names == ["account_id", "domain"]
    assert rows["domain"].to_pylist()[0] == "acme.example"


def test_what_cannot_be_pulled_is_said_before_a_call(org, connected) -> None:
    crm = connected(org)
    with pytest.raises(SettingsError, match="did you mean 'opportunity'"):
        crm.pull("oportunity")
    cursor = Cursor("account", "x", datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(CursorLostError, match="pull the table whole"):
        crm.pull("account", since=cursor)
    with pytest.raises(SettingsError, match="of account, not of owner"):
        crm.pull("owner", resume=cursor)
    with pytest.raises(SettingsError, match="name its object in objects"):
        crm.pull("revenue_line")
    assert org.calls == {}
    with pytest.raises(FieldNotFoundError, match="did you mean 'domain'"):
        crm.pull("account", columns=["domian"])


def test_a_day_is_the_day_in_the_zone_of_the_org(connected) -> None:
    tables = {
        "account": pa.table({"account_id": ["A"], "created_on": [date(2026, 1, 15)]}),
        "opportunity": pa.table(
            {
                "opportunity_id": ["O"],
                "status": ["open"],
                "created_at": pa.array(
                    [datetime(2026, 1, 15, 3, tzinfo=UTC)], pa.timestamp("us", "UTC")
                ),
            }
        ),
    }
    with Simulator(tables, time_zone="Pacific/Auckland") as org:
        crm = connected(org)
        assert crm.org().time_zone == "Pacific/Auckland"
        assert whole(crm, "account")["created_on"].to_pylist() == [date(2026, 1, 15)]
        made = whole(crm, "opportunity")["created_at"].to_pylist()
    assert made == [datetime(2026, 1, 15, 3, tzinfo=UTC)]


def test_the_currency_of_the_org_is_its_own_or_what_the_settings_say(connected) -> None:
    with Simulator(currency="CHF") as org:
        assert connected(org, currency="USD").org().currency == "CHF"
    silent = Assumptions(shows_org_currency=False)
    with Simulator(currency="CHF", assumptions=silent) as org:
        assert connected(org).org().currency is None
        assert connected(org, currency="USD").org().currency == "USD"


def test_each_opportunity_says_its_currency_where_the_org_has_several(
    connected,
) -> None:
    opportunities = pa.table(
        {
            "opportunity_id": ["1", "2"],
            "status": ["won", "lost"],
            "amount": [1.5, 2.5],
            "currency": ["EUR", "JPY"],
            "closed_on": [date(2026, 1, 1)] * 2,
        }
    )
    accounts = pa.table({"account_id": ["A"]})
    with Simulator({"account": accounts, "opportunity": opportunities}) as org:
        rows = whole(connected(org), "opportunity")
    assert rows["currency"].to_pylist() == ["EUR", "JPY"]


def test_accounts_that_are_people_have_no_name(connected) -> None:
    accounts = pa.table(
        {
            "account_id": ["1", "2"],
            "name": ["Acme", "Jo Doe"],
            "is_person": [False, True],
        }
    )
    with Simulator({"account": accounts}) as org:
        rows = whole(connected(org), "account")
    assert rows["is_person"].to_pylist() == [False, True]
    assert rows["name"].to_pylist() == ["Acme", None]


def test_a_persons_own_field_is_read(connected) -> None:
    accounts = pa.table({"account_id": ["A"]})
    opportunities = pa.table(
        {
            "opportunity_id": ["1", "2"],
            "status": ["won", "lost"],
            "product_id": ["P1", None],
            "discount_share": [0.25, None],
            "closed_on": [date(2026, 1, 1)] * 2,
        }
    )
    mine = {
        "opportunity": {
            "product_id": "Product_Id__c",
            "discount_share": {"field": "Discount_Share__c", "as": "share"},
        }
    }
    with Simulator({"account": accounts, "opportunity": opportunities}) as org:
        rows = whole(connected(org, fields=mine), "opportunity")
    assert rows["product_id"].to_pylist() == ["P1", None]
    assert rows["discount_share"].to_pylist() == [0.25, None]


def test_a_mapped_field_that_the_org_lacks_is_an_error_at_start(org, connected) -> None:
    crm = connected(org, fields={"opportunity": {"loss_reason": "Stagename"}})
    with pytest.raises(FieldNotFoundError, match="did you mean 'StageName'") as caught:
        crm.tables()
    assert "Read on Opportunity.Stagename" in str(caught.value)
    assert caught.value.exit_code == 2
    assert org.calls.get("GET query", 0) == 0


def test_a_mapped_field_of_an_object_that_is_not_described_otherwise(connected) -> None:
    fields = {"stage": {"is_proposal": "IsActive"}}
    with Simulator({"account": pa.table({"account_id": ["A"]})}) as org:
        crm = connected(org, fields=fields)
        assert "is_proposal" in crm.tables()["stage"]
        with pytest.raises(FieldNotFoundError, match="owner field 'Nmae'"):
            connected(org, fields={"owner": {"name": "Nmae"}}).tables()


def test_percent_of_a_field_that_is_text_is_refused_at_start(org, connected) -> None:
    said = {"opportunity": {"discount_share": {"field": "NextStep", "as": "percent"}}}
    with pytest.raises(SettingsError, match="needs a number, and NextStep is a string"):
        connected(org, fields=said).tables()


def test_a_hidden_field_is_an_absent_column_unless_nothing_works_without_it(
    org, connected
) -> None:
    org.hide_field("Account", "AnnualRevenue")
    assert "account_turnover" not in connected(org).tables()["account"]
    org.hide_field("Opportunity", "Amount")
    with pytest.raises(FieldNotFoundError) as caught:
        connected(org).tables()
    assert "hidden by field-level security" in str(caught.value)
    assert "Read on Opportunity.Amount" in str(caught.value)


@pytest.mark.parametrize(
    ("right", "named"),
    [
        ("Read Opportunity", "'Read on Opportunity'"),
        ("Read User", "'View Setup and Configuration'"),
        ("Read OpportunityStage", "'View Setup and Configuration'"),
        ("API Enabled", "'API Enabled'"),
    ],
)
def test_a_right_that_is_missing_is_named(org, connected, right, named) -> None:
    org.revoke_right(right)
    crm = connected(org)
    with pytest.raises(RightMissingError, match=named) as caught:
        [whole(crm, table) for table in crm.tables()]
    assert caught.value.exit_code == 2


def test_a_busy_crm_is_asked_again(org, connected) -> None:
    crm = connected(org)
    org.fault(Fault(at_call=1, kind="unavailable"), Fault(at_call=3, kind="reset"))
    org.fault(Fault(at_call=5, kind="server_error", calls=2))
    assert whole(crm, "account").num_rows == 5


def test_a_crm_that_stays_away_ends_the_pull(big_org, connected) -> None:
    crm = connected(big_org, page_size=500)
    crm.org(), crm.tables()
    big_org.fault(Fault(at_call=big_org.api_calls + 3, kind="gone"))
    with pytest.raises(TransientError, match="reading Account: no answer") as caught:
        whole(crm, "account")
    assert caught.value.exit_code == 5
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_spent_quota_ends_the_run_at_once(big_org, connected) -> None:
    crm = connected(big_org)
    big_org.fault(Fault(at_call=2, kind="over_quota", calls=9))
    with pytest.raises(TransientError, match="last 24 hours are used up") as caught:
        crm.tables()
    assert caught.value.code == "REQUEST_LIMIT_EXCEEDED"
    assert big_org.api_calls == 2


def test_a_retired_api_version_is_said_to_be_one(org, connected) -> None:
    with pytest.raises(ConnectorError, match="API version is retired"):
        connected(org, api_version="30.0").tables()


def test_a_few_fields_of_a_few_records_are_read(org, crm) -> None:
    ids = org.ids("account")
    org.edit("Account", ids["A1"], {"Portfolio_Tier__c": "B", "Portfolio_Rank__c": 3})
    org.edit("Account", ids["A2"], {"Portfolio_Tier_Since__c": "2026-02-28"})
    org.edit("Account", ids["A2"], {"Portfolio_Revenue_Share__c": 0.123457})
    before = org.api_calls
    columns = ["portfolio_rank", "tier", "tier_since_on", "revenue_share", "domain"]
    rows = crm.read("account", [ids["A2"], ids["A1"], ids["A0"]], columns)
    assert rows.column_names == ["account_id", *columns]
    assert [tuple(row.values()) for row in rows.to_pylist()] == [
        (ids["A2"], None, None, date(2026, 2, 28), 0.123457, None),
        (ids["A1"], 3, "B", None, None, None),
        (ids["A0"], None, None, None, None, "acme.example"),
    ]
    for column in columns:
        wanted = schema.arrow_type(schema.ACCOUNT[column])
        assert rows.schema.field(column).type == wanted
    assert org.api_calls - before <= 4  # describe; describe and query of the org; read


def test_records_that_are_gone_are_absent(org, crm) -> None:
    ids = org.ids("account")
    org.delete("Account", ids["A3"])
    asked = [ids["A3"], ids["A4"], "001000000000000AAA"]
    assert crm.read("account", asked, ["tier"])["account_id"].to_pylist() == [ids["A4"]]


def test_a_record_that_another_one_answers_for_is_absent(strange) -> None:
    seen = [{"name": name, "type": "string"} for name in ("Id", "Portfolio_Tier__c")]
    organization = [
        {"name": name, "type": "string"} for name in ("Id", "TimeZoneSidKey")
    ]
    winner = {"Id": "001000000000002AAA", "Portfolio_Tier__c": "A"}
    mine = {"Id": "001000000000003AAA", "Portfolio_Tier__c": "B"}
    home = {"Id": "00D000000000001AAA", "TimeZoneSidKey": "UTC"}
    strange.says(
        {"fields": seen},
        [winner, None, mine],
        {"fields": organization},
        {"records": [home], "done": True},
    )
    asked = ["001000000000001AAA", "001000000000009AAA", mine["Id"][:15]]
    rows = strange.connector().read("account", asked, ["tier"])
    assert rows.to_pydict() == {"account_id": [asked[2]], "tier": ["B"]}


def test_no_records_are_no_call(org, crm) -> None:
    before = org.calls["GET sobjects/{object}/describe"]
    assert crm.read("account", [], ["tier"]).to_pydict() == {
        "account_id": [],
        "tier": [],
    }
    assert org.calls["GET sobjects/{object}/describe"] <= before + 1
    assert "POST composite/sobjects/{object}" not in org.calls


def test_many_records_are_read_two_thousand_a_call(big_org, big_crm) -> None:
    ids = list(reversed(big_org.ids("account").values()))
    rows = big_crm.read("account", ids, ["tier"])
    assert rows["account_id"].to_pylist() == ids
    assert big_org.calls["POST composite/sobjects/{object}"] == 3


def test_what_was_pulled_equals_what_is_read(org, crm) -> None:
    ids = org.ids("account")
    org.edit("Account", ids["A1"], {"Portfolio_Tier__c": "B", "Portfolio_Rank__c": 3})
    org.edit("Account", ids["A1"], {"Portfolio_Revenue_Share__c": 0.3})
    columns = [
        field.column for field in (*schema.MANAGED["account"], *schema.HUMAN["account"])
    ]
    pulled = whole(crm, "account", columns=["account_id", *columns])
    assert crm.read("account", pulled["account_id"].to_pylist(), columns).equals(pulled)


def test_a_managed_field_that_the_org_lacks_names_setup(org, connected) -> None:
    crm = connected(org)
    for ask in (
        lambda: crm.read("account", ["001"], ["tier"]),
        lambda: crm.pull("account", columns=["account_id", "tier"]),
    ):
        with pytest.raises(
            FieldNotFoundError, match=r"'Portfolio_Tier__c'.* setup"
        ) as caught:
            ask()
        assert caught.value.table == "account"


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"api_version": "v66.0"}, "write it like"),
        ({"page_size": 5_000}, "200 to 2000"),
        ({"timeout": (0, 1)}, "both above 0"),
        ({"timeout": 30}, "two numbers of seconds"),
        ({"timeout": (10, None)}, "two numbers of seconds"),
        ({"timeout": (10, float("inf"))}, "two numbers of seconds"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, problem) -> None:
    with pytest.raises(SettingsError, match=problem):
        SalesforceSettings(**wrong)
    with pytest.raises(SettingsError, match="are a SalesforceSettings"):
        Salesforce(settings=wrong)
