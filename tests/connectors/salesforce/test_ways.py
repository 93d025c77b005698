"""REST for few records, Bulk for many; and a query that is too much is cut in two."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from crm_portfolio import Portfolio, pull
from crm_portfolio.connectors._pace import Ceilings
from crm_portfolio.connectors._retry import QuotaSpentError
from crm_portfolio.connectors.salesforce import SalesforceSettings, SessionToken
from crm_portfolio.connectors.salesforce._bulk import Bulk as Bulk2
from crm_portfolio.connectors.salesforce._id_ranges import halves, parts
from crm_portfolio.connectors.salesforce._reading import Reader, Select
from crm_portfolio.connectors.salesforce._rest import Query, Rest
from crm_portfolio.connectors.salesforce._session import Session
from crm_portfolio.errors import ConnectorError
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator import Salesforce as Simulator
from crm_portfolio.simulator.salesforce import Bulk

PAGED = {"page_size": 500}


def whole(batches) -> pa.Table:
    rows = pa.concat_tables(batch.rows for batch in batches)
    return rows.sort_by([(name, "ascending") for name in rows.column_names])


def jobs(org: Simulator) -> int:
    return org.calls.get("POST jobs/query", 0)


def test_few_records_come_by_rest_and_many_by_bulk(big_org, connected) -> None:
    by_rest = connected(big_org, bulk_from=4_321)
    expected = whole(by_rest.pull("account"))
    assert jobs(big_org) == 0
    by_bulk = connected(big_org, bulk_from=4_320)
    assert whole(by_bulk.pull("account")).equals(expected)
    assert jobs(big_org) == 1
    assert whole(connected(big_org, bulk="never", bulk_from=0).pull("account")).equals(
        expected
    )
    assert jobs(big_org) == 1


def test_choosing_costs_one_page_and_being_told_costs_none(big_org, connected) -> None:
    for settings, pages in (({"bulk_from": 0}, 1), ({"bulk": "always"}, 0)):
        crm = connected(big_org, **settings)
        crm.org(), crm.tables()
        before = big_org.calls["GET query"]
        list(crm.pull("account"))
        assert big_org.calls["GET query"] - before == pages


def test_bulk_gives_the_types_that_rest_gives(big_org, connected) -> None:
    by_rest, by_bulk = connected(big_org), connected(big_org, bulk="always")
    for table in by_rest.tables():
        one, other = whole(by_rest.pull(table)), whole(by_bulk.pull(table))
        assert one.schema.equals(other.schema), table
        assert one.equals(other), table


def test_an_object_that_bulk_refuses_comes_by_rest(connected) -> None:
    accounts = pa.table({"account_id": [f"A{place}" for place in range(700)]})
    with Simulator({"account": accounts}, bulk=Bulk(refuses=("Account",))) as org:
        crm = connected(org, bulk="always", page_size=500)
        assert whole(crm.pull("account")).num_rows == 700
        before = org.calls["POST jobs/query"]
        list(crm.pull("account"))
        assert org.calls["POST jobs/query"] == before  # it has been told once


def test_a_job_that_is_gone_when_a_pull_goes_on_costs_a_new_one(
    connected, tmp_path
) -> None:
    accounts = pa.table({"account_id": [f"A{place}" for place in range(90)]})
    with Simulator({"account": accounts}, bulk=Bulk(page_rows=10)) as org:

        def pulled(folder: str, **settings: object) -> Portfolio:
            crm = connected(
                org, tables=["account"], bulk="always", bulk_page_rows=10, **settings
            )
            return pull(crm, as_of=date(2026, 6, 30), into=tmp_path / folder)

        with pytest.raises(QuotaSpentError):
            pulled("stopped", ceilings=Ceilings(max_calls=10))
        assert org.calls["GET jobs/query/{job}/results"] > 0
        org.clock.advance(8 * 86_400)  # results are kept for a week
        assert pulled("stopped").row_counts == pulled("whole").row_counts
        parts = [tmp_path / name / "account.parquet" for name in ("stopped", "whole")]
        assert parts[0].read_bytes() == parts[1].read_bytes()


def test_a_cursor_that_is_lost_before_a_row_came_is_not_asked_for_for_ever(
    strange,
) -> None:
    def answer(_: str) -> tuple[int, bytes]:
        assert len(strange.paths) < 9
        return 400, b'[{"errorCode": "INVALID_QUERY_LOCATOR", "message": "x"}]'

    strange.answer = answer
    settings = SalesforceSettings(bulk="never")
    session = Session(SessionToken(strange.url, "token"), settings)
    reader = Reader(Rest(session, settings), Bulk2(session, settings), settings)
    with pytest.raises(ConnectorError, match="run again"):
        list(reader.chunks(Select(Query("Account", ("Id",)), {"Id": "id"})))
    assert len(strange.paths) == 2


def test_a_query_that_times_out_is_cut_until_it_does_not(big_org, connected) -> None:
    expected = whole(connected(big_org).pull("account"))
    big_org.rules.slow["Account"] = 1_500
    for settings in ({"bulk": "always"}, {"bulk": "never", **PAGED}):
        batches = list(connected(big_org, **settings).pull("account"))
        assert whole(batches).equals(expected), settings
        assert [batch.is_last for batch in batches].count(True) == 1


def test_an_increment_that_times_out_is_cut_as_well(big_org, connected) -> None:
    *_, last = connected(big_org).pull("account")
    big_org.clock.advance(3_600)
    ids = sorted(big_org.ids("account").values())
    big_org.stamp("Account", *ids[:3_000])
    big_org.rules.slow["Account"] = 1_000
    batches = connected(big_org, bulk="never").pull("account", since=last.cursor)
    changed = whole([batch for batch in batches if "name" in batch.rows.column_names])
    assert changed["account_id"].to_pylist() == ids[:3_000]


def test_counting_that_times_out_is_cut_as_well(connected) -> None:
    names = [f"A{place}" for place in range(400)]
    when = pa.array([datetime(2026, 3, 1, tzinfo=UTC)] * 400)
    deeds = {"activity_id": names, "occurred_at": when, "account_id": names}
    tables = {"account": pa.table({"account_id": names}), "activity": pa.table(deeds)}
    with Simulator(tables) as org:
        org.rules.slow["Task"] = 100
        rows = whole(connected(org, counts=("activity",)).pull("account"))
        assert rows["activity_count"].to_pylist() == [1] * 400


def test_a_query_that_times_out_however_small_ends_in_an_error(
    big_org, connected
) -> None:
    big_org.rules.slow["Account"] = 0
    with pytest.raises(ConnectorError) as caught:
        list(connected(big_org, bulk="never").pull("account"))
    assert caught.value.code == "QUERY_TIMEOUT"


def test_a_pull_in_halves_goes_on_in_another_process(big_org, connected) -> None:
    big_org.rules.slow["Account"] = 1_500
    settings = {"bulk": "never", **PAGED}
    unbroken = list(connected(big_org, **settings).pull("account"))
    for place, batch in enumerate(unbroken[:-1]):
        rest = connected(big_org, **settings).pull("account", resume=batch.cursor)
        assert whole([*unbroken[: place + 1], *rest]).equals(whole(unbroken)), place


def test_a_cursor_that_is_lost_at_any_page_costs_one_call(big_org, connected) -> None:
    crm = connected(big_org, **PAGED)
    expected = whole(crm.pull("account"))
    for page in range(1, 9):
        before, route = big_org.api_calls, "GET query/{locator}"
        at_call = big_org.calls[route] + page
        big_org.fault(Fault(at_call=at_call, route=route, kind="dead_locator"))
        assert whole(crm.pull("account")).equals(expected), page
        assert big_org.api_calls - before == 9 + 1


def test_more_fields_than_an_address_holds_are_merged_on_the_id(connected) -> None:
    """Selects beyond 16 KB are refused; so columns come in parts."""
    columns = {
        f"a_field_with_quite_a_long_name_{place:03d}": pa.array(
            [f"{place} of {row}" for row in range(450)]
        )
        for place in range(400)
    }
    columns["account_id"] = pa.array([f"A{row}" for row in range(450)])
    with Simulator({"account": pa.table(columns)}) as org:
        crm = connected(org, bulk="never", page_size=200)
        described = crm._catalogue.kinds(crm._rest, "Account")
        own = sorted(name for name in described if name.startswith("A_Field"))
        assert len(own) == 400
        layout = crm._catalogue.layouts(crm._rest, "account")[0]
        from crm_portfolio.connectors.salesforce._reading import Select
        from crm_portfolio.connectors.salesforce._rest import Query

        select = Select(Query("Account", ("Id", *own)), layout.kinds)
        rows = pa.concat_tables(
            chunk.rows for chunk in crm._tables.reader.chunks(select)
        )
    assert rows.column_names == ["Id", *own]
    assert rows.num_rows == 450
    for name in (own[0], own[-1]):
        place = int(name.removesuffix("__c").rsplit("_", 1)[1])
        assert sorted(rows[name].to_pylist()) == sorted(
            f"{place} of {row}" for row in range(450)
        )


def test_too_many_ids_for_one_read_are_halved(connected) -> None:
    from crm_portfolio.simulator.salesforce import Assumptions

    accounts = pa.table({"account_id": [f"A{place}" for place in range(1_000)]})
    fewer = Assumptions(collection_read_max=300)
    with Simulator({"account": accounts}, assumptions=fewer) as org:
        ids = list(org.ids("account").values())
        rows = connected(org).read("account", ids, ["name"])
    assert rows["account_id"].to_pylist() == ids


def test_ranges_of_ids_meet_and_leave_nothing_out() -> None:
    first, last = "001000000000001AAA", "001000000004c92AAM"
    low, high = halves(first, last, (None, None))
    assert low[0] is None
    assert high[1] is None
    assert low[1] == high[0]
    assert first < low[1] < last
    assert len(low[1]) == 18
    cut = parts(first, last, 5)
    assert len(cut) == 5
    assert [one[1] for one in cut[:-1]] == [one[0] for one in cut[1:]]
    assert halves(first, "001000000000002AAA", (None, None)) is None


def test_the_three_letters_that_guard_an_id_are_right() -> None:
    ((_, middle), _) = halves("0013000000D7VZA", "0013000000D7VZC", (None, None))
    assert middle == "0013000000D7VZBAA3"
