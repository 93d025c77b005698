"""Are tables whole, exact, cheap and resumable, in full and in increments?"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import attrs
import orjson
import pyarrow as pa
import pytest

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors._mapping import Field
from crm_portfolio.connectors._pace import Ceilings
from crm_portfolio.connectors._retry import QuotaSpentError
from crm_portfolio.connectors.hubspot import AccessToken, HubSpot, HubSpotSettings
from crm_portfolio.connectors.hubspot import _paths as paths
from crm_portfolio.connectors.hubspot._fields import SOURCES
from crm_portfolio.connectors.hubspot._objects import listed
from crm_portfolio.errors import (
    CursorLostError,
    FieldNotFoundError,
    LoginError,
    RightMissingError,
    SettingsError,
    TransientError,
)
from crm_portfolio.protocols import Batch, Cursor
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator.hubspot import Assumptions
from crm_portfolio.simulator.hubspot import HubSpot as Simulator


def rows(crm: HubSpot, table: str, **how: object) -> list[dict[str, object]]:
    return [row for batch in crm.pull(table, **how) for row in batch.rows.to_pylist()]


def by_key(org: Simulator, crm: HubSpot, table: str) -> dict[str, dict[str, object]]:
    """Rows by the loader's own keys."""
    keys = {found: key for key, found in org.ids(table).items()}
    return {keys[row[f"{table}_id"]]: row for row in rows(crm, table)}


def last(crm: HubSpot, table: str, **how: object) -> Cursor:
    *_, batch = crm.pull(table, **how)
    assert batch.is_last
    return batch.cursor


def gone(batches: list[Batch]) -> list[tuple[str, str, str | None]]:
    return [
        (row["id"], row["reason"], row["merged_into"])
        for batch in batches
        if batch.gone is not None
        for row in batch.gone.to_pylist()
    ]


def spent(org: Simulator, work: Callable[[], object]) -> int:
    before = org.api_calls
    work()
    return org.api_calls - before


def renamed(crm: HubSpot, ids: list[str]) -> None:
    for start in range(0, len(ids), 100):
        inputs = [
            {"id": one, "properties": {"name": "Anew"}}
            for one in ids[start : start + 100]
        ]
        path = paths.batch_update("companies")
        crm._client.post(path, {"inputs": inputs}, where="renaming")


# Whole


def test_the_org_is_the_portal(crm, org) -> None:
    told = crm.org()
    assert (told.vendor, told.org_id) == ("hubspot", str(org.portal_id))
    assert (told.currency, told.time_zone) == ("EUR", "Europe/Paris")


def test_a_deal_has_one_account_whether_it_has_none_one_or_three_companies(
    crm, org
) -> None:
    deals = by_key(org, crm, "opportunity")
    keys = {found: key for key, found in org.ids("account").items()}
    assert {key: keys.get(deal["account_id"]) for key, deal in deals.items()} == {
        **dict.fromkeys(("O0", "O4", "O8")),  # no company
        "O1": "A1", "O5": "A0", "O9": "A4",  # one
        "O2": "A2", "O6": "A1", "O10": "A0",  # three, one of them primary
        **dict.fromkeys(("O3", "O7", "O11")),  # three, and nobody says which
    }  # fmt: skip


def test_a_label_of_one_s_own_makes_no_company_another_or_the_primary_one(
    org_of, connected
) -> None:
    """A list shows each label of a link by itself; an increment asks for all at once."""
    with org_of() as org:
        org._portal.links.add_label("deals", "companies", "Reseller", 101)
        deals, companies = org.ids("opportunity"), org.ids("account")
        org.link("deals", deals["O4"], "companies", companies["A3"], "Reseller")
        org.link("deals", deals["O2"], "companies", companies["A4"], "Reseller")
        org.link("deals", deals["O3"], "companies", companies["A1"], "Reseller")
        crm = connected(org)
        keys = {found: key for key, found in companies.items()}
        wanted = {"O4": "A3", "O2": "A2", "O3": None}

        def told(**how: object) -> dict[str, str | None]:
            found = {r["opportunity_id"]: r for r in rows(crm, "opportunity", **how)}
            return {key: keys.get(found[deals[key]]["account_id"]) for key in wanted}

        assert told() == wanted
        since = last(crm, "opportunity")
        org.clock.advance(3600)
        for key in wanted:
            org.edit("deals", deals[key], {"amount": "7"})
        assert told(since=since) == wanted


def test_the_sum_of_amounts_survives_to_the_cent(crm) -> None:
    amounts = [row["amount"] for row in rows(crm, "opportunity")]
    assert sum(amounts) == sum(place + 0.25 for place in range(12))


def test_a_deal_s_status_stage_and_day_are_those_of_people(crm, org) -> None:
    deals = by_key(org, crm, "opportunity")
    talk, won, lost = deals["O0"], deals["O1"], deals["O2"]
    assert [d["status"] for d in (talk, won, lost)] == ["open", "won", "lost"]
    assert [d["stage"] for d in (talk, won, lost)] == ["Talk", "Won", "Lost"]
    day = date(2024, 1, 31)
    assert [d["closed_on"] for d in (talk, won, lost)] == [None, day, day]
    assert [d["expected_close_on"] for d in (talk, won, lost)] == [day, None, None]


def test_a_close_near_midnight_is_on_the_portal_s_day(crm, org) -> None:
    deal = org.ids("opportunity")["O1"]
    org.edit("deals", deal, {"closedate": "2024-01-31T23:30:00.000Z"})
    assert by_key(org, crm, "opportunity")["O1"]["closed_on"] == date(2024, 2, 1)


def test_columns_are_typed(crm) -> None:
    (batch,) = crm.pull("opportunity")
    types = {
        "opportunity_id": pa.string(),
        "amount": pa.float64(),
        "created_at": pa.timestamp("us", "UTC"),
        "closed_on": pa.date32(),
        "probability": pa.float64(),
        "contact_count": pa.int64(),
    }
    assert {name: batch.rows.schema.field(name).type for name in types} == types


def test_parents_domains_and_counts_come_from_properties(crm, org) -> None:
    first = by_key(org, crm, "account")["A0"]
    assert first["parent_id"] == org.ids("account")["A0"]
    assert first["domain"] == "acme.example"
    assert first["contact_count"] == first["activity_count"] == 0


def test_a_closed_deal_whose_properties_do_not_say_so_is_told_by_its_stage(
    crm, org
) -> None:
    deal = org.ids("opportunity")["O1"]
    org.calculate("deals", deal, {"hs_is_closed_won": None, "hs_is_closed_lost": None})
    assert by_key(org, crm, "opportunity")["O1"]["status"] == "won"


def test_stages_are_those_of_each_pipeline(crm) -> None:
    found = rows(crm, "stage")
    told = {(stage["stage"], stage["status"]) for stage in found}
    assert told >= {("Talk", "open"), ("Won", "won"), ("Lost", "lost")}
    pipelines = {deal["pipeline"] for deal in rows(crm, "opportunity")}
    assert pipelines <= {stage["pipeline"] for stage in found}


@pytest.mark.parametrize("family", ["v3", "2026-09"])
def test_a_whole_pull_costs_the_least_calls(big_org, connected, family) -> None:
    """A page for each hundred, two for the owners, one each for stages and identity."""
    crm = connected(big_org, paths=family)
    for table in crm.tables():
        rows(crm, table)
    crm.org()
    least = 13 + 24 + 1 + 2 + 1 + 2  # companies, deals, stages, owners, org, properties
    assert big_org.api_calls == least == crm.calls


@pytest.mark.parametrize("login", ["token", "oauth"])
@pytest.mark.parametrize("revoked", ["", "tickets", "crm.objects.owners.read"])
@pytest.mark.parametrize("tables", ["all", ("account", "opportunity", "stage")])
def test_the_forecast_is_what_it_costs(
    big_org, connected, login, revoked, tables
) -> None:
    """As the command line goes about it: a forecast, then a pull, with one connector."""
    if revoked:
        big_org.revoke_scope(revoked)
    crm = connected(big_org, login, tables=tables)
    said = crm.forecast(list(crm.tables()))
    crm.org()
    crm.fingerprint()
    for table in crm.tables():
        rows(crm, table)
    assert said.calls == crm.calls


def test_the_forecast_of_an_increment_is_what_it_costs(big_org, connected) -> None:
    first = connected(big_org)
    cursors = {table: last(first, table) for table in first.tables()}
    big_org.clock.advance(3600)
    renamed(first, list(big_org.ids("account").values())[:210])
    for key in ("O1", "O3"):
        big_org.edit("deals", big_org.ids("opportunity")[key], {"amount": "7"})
    crm = connected(big_org)
    said = crm.forecast(list(crm.tables()), since=cursors)
    crm.fingerprint()
    for table in crm.tables():
        list(crm.pull(table, since=cursors[table]))
    assert said.calls == crm.calls


def test_the_forecast_of_an_increment_that_becomes_a_list(big_org, connected) -> None:
    cursor = last(connected(big_org), "account")
    token = cursor.token.replace('"began":"2', '"began":"1')  # all have changed
    since = {"account": Cursor("account", token, cursor.taken_at)}
    crm = connected(big_org)
    said = crm.forecast(["account"], since=since)
    list(crm.pull("account", since=since["account"]))
    assert said.calls == crm.calls


def test_the_forecast_counts_pages_that_take_two_calls(
    big_org, connected, monkeypatch
) -> None:
    monkeypatch.setattr(_assumptions, "LIST_QUERY_MAX", 100)
    crm = connected(big_org)
    said = crm.forecast(["account"])
    rows(crm, "account")
    assert said.calls == crm.calls > 2 * 12


def test_stages_are_read_anew_for_the_next_pull(org, connected) -> None:
    crm = connected(org)
    before = crm.fingerprint()
    crm.tables()
    assert crm.fingerprint() == before
    rows(crm, "stage")
    org._portal.pipelines["deals"][0]["stages"][0]["label"] = "Called otherwise"
    crm.tables()
    assert crm.fingerprint() != before
    assert "Called otherwise" in {stage["stage"] for stage in rows(crm, "stage")}


def test_only_what_is_asked_for_is_asked_for(crm) -> None:
    (batch,) = crm.pull("opportunity", columns=["amount"])
    assert batch.rows.column_names == ["opportunity_id", "amount"]
    wanted = crm._layouts("opportunity")[0].only(["amount"])
    assert (wanted.properties, wanted.links) == (("amount",), ())


def test_nobody_s_name_or_address_is_requested() -> None:
    asked = [
        source
        for parts in SOURCES.values()
        for part in parts
        for field in part.fields
        for source in field.sources
    ]
    personal = re.compile(
        r"phone|firstname|lastname|body|text|title|subject|contact_id|@"
    )
    assert len(asked) > 60
    assert not [name for name in asked if personal.search(name)]
    assert not {"$contacts", "email", "hs_email_headers"} & set(asked)


def test_a_property_that_the_portal_hides_is_an_absent_column(crm, org) -> None:
    org.hide_field("companies", "industry")
    assert "segment" not in crm.tables()["account"]
    assert "segment" not in rows(crm, "account")[0]


def test_a_batch_is_a_page_and_a_pull_goes_on_behind_any_of_them(
    big_org, connected
) -> None:
    whole = list(connected(big_org).pull("opportunity"))
    assert [batch.rows.num_rows for batch in whole] == [100] * 23 + [45]
    for place, batch in enumerate(whole):
        rest = list(connected(big_org).pull("opportunity", resume=batch.cursor))
        expected = pa.concat_tables(
            [b.rows for b in whole[place + 1 :]] or [rest[0].rows]
        )
        assert pa.concat_tables([b.rows for b in rest]).equals(expected)
        assert rest[-1].is_last
        assert rest[-1].cursor.token == whole[-1].cursor.token


def test_what_was_read_before_a_stop_is_not_read_again(big_org, connected) -> None:
    crm = connected(big_org, ceilings=Ceilings(max_calls=10))
    batches: list[Batch] = []
    with pytest.raises(QuotaSpentError, match="max_calls"):
        batches.extend(crm.pull("account"))
    assert len(batches) == 8  # behind identity and properties
    rest = list(connected(big_org).pull("account", resume=batches[-1].cursor))
    ids = [i for b in (*batches, *rest) for i in b.rows["account_id"].to_pylist()]
    assert len(ids) == len(set(ids)) == 1_234


def test_a_dead_place_in_a_list_is_found_again_by_id(big_org, connected) -> None:
    big_org.fault(Fault(at_call=5, kind="dead_locator", route="GET objects"))
    found = rows(connected(big_org), "opportunity")
    assert len({row["opportunity_id"] for row in found}) == len(found) == 2_345
    keys = set(big_org.ids("account").values())
    assert {row["account_id"] for row in found} <= {*keys, None}


def test_short_and_empty_pages_do_not_end_a_list(big_org, connected) -> None:
    big_org.fault(
        Fault(at_call=2, kind="fewer_rows", route="GET objects", size=7),
        Fault(at_call=3, kind="empty_page", route="GET objects"),
    )
    assert len(rows(connected(big_org), "account")) == 1_234


def test_short_and_empty_pages_do_not_end_a_search(big_org, connected) -> None:
    crm = connected(big_org)
    since = last(crm, "account")
    big_org.clock.advance(3600)
    ids = list(big_org.ids("account").values())[:410]
    renamed(crm, ids)
    big_org.fault(
        Fault(at_call=1, kind="fewer_rows", route="search", size=7),
        Fault(at_call=2, kind="empty_page", route="search"),
    )
    assert {row["account_id"] for row in rows(crm, "account", since=since)} == set(ids)


def test_a_page_that_leads_to_itself_for_ever_ends(big_org, connected) -> None:
    big_org.fault(Fault(at_call=2, kind="empty_page", route="GET objects", calls=None))
    with pytest.raises(TransientError, match="cannot be read"):
        rows(connected(big_org), "account")


@pytest.mark.parametrize(
    "kind", ["unavailable", "reset", "truncated", "empty", "undecodable", "expired"]
)
def test_a_call_that_fails_once_costs_nothing_but_a_call(
    big_org, connected, kind
) -> None:
    login = "oauth" if kind == "expired" else "token"
    options = {"size": 100} if kind == "truncated" else {}
    big_org.fault(Fault(at_call=6, kind=kind, **options))
    assert len(rows(connected(big_org, login), "account")) == 1_234


def test_more_properties_than_an_address_holds_are_read_by_id(connected) -> None:
    names = [f"own_{place:03d}_{'x' * 60}" for place in range(130)]
    extra = {name: [f"{name}-{place}" for place in range(150)] for name in names}
    ids = [f"A{place}" for place in range(150)]
    with Simulator({"account": pa.table({"account_id": ids, **extra})}) as org:
        crm = connected(org)
        narrow = crm._layouts("account")[0]
        wide = attrs.evolve(
            narrow, fields=(*narrow.fields, *(Field(name, (name,)) for name in names))
        )
        pages = list(listed(crm._client, wide))
        assert [len(page.records) for page in pages] == [100, 50]
        shown = pages[1].records[49]["properties"]
        assert [shown[name] for name in names] == [f"{name}-149" for name in names]
        assert org.calls["POST objects/{kind}/batch/read"] == 2


# Increments


def test_an_increment_holds_what_changed_and_who_went(big_org, connected) -> None:
    crm = connected(big_org)
    since = last(crm, "account")
    big_org.clock.advance(3600)
    ids = big_org.ids("account")
    big_org.edit("companies", ids["A3"], {"name": "Three"})
    big_org.delete("companies", ids["A8"])
    big_org.merge("companies", ids["A9"], ids["A10"])
    batches = list(crm.pull("account", since=since))
    changed = {
        row["account_id"]: row["name"] for b in batches for row in b.rows.to_pylist()
    }
    assert changed[ids["A3"]] == "Three"
    assert ids["A9"] in changed
    assert len(changed) < 10
    left = gone(batches)
    assert (ids["A8"], "archived", None) in left
    assert (ids["A10"], "merged", ids["A9"]) in left
    assert [batch.is_last for batch in batches] == [False] * (len(batches) - 1) + [True]


def test_an_increment_of_nothing_costs_two_calls(big_org, connected) -> None:
    crm = connected(big_org)
    since = last(crm, "opportunity")
    big_org.clock.advance(3600)
    crm.org()
    assert spent(big_org, lambda: list(crm.pull("opportunity", since=since))) == 2


def test_increments_follow_one_another(big_org, connected) -> None:
    cursor = last(connected(big_org), "account")
    for place in (11, 12):
        big_org.clock.advance(3600)
        one = big_org.ids("account")[f"A{place}"]
        big_org.edit("companies", one, {"name": f"Now {place}"})
        big_org.clock.advance(3600)
        batches = list(connected(big_org).pull("account", since=cursor))
        names = [row["name"] for b in batches for row in b.rows.to_pylist()]
        assert names == [f"Now {place}"]
        cursor = batches[-1].cursor


def test_a_change_that_reaches_the_index_late_is_found_by_the_next(connected) -> None:
    ids = [f"A{place}" for place in range(1_000)]
    table = pa.table({"account_id": ids, "name": ids})

    def names(batches: list[Batch]) -> list[object]:
        return [row["name"] for b in batches for row in b.rows.to_pylist()]

    with Simulator({"account": table}, index_lag=300, limits_by="nothing") as org:
        cursor = last(connected(org), "account")
        org.clock.advance(3600)
        org.edit("companies", org.ids("account")["A1"], {"name": "Late"})
        org.clock.advance(10)
        # As a job of its own each night: what it knows of the time is from this pull.
        first = list(connected(org).pull("account", since=cursor))
        assert names(first) == []
        org.clock.advance(400)
        second = list(connected(org).pull("account", since=first[-1].cursor))
        assert names(second) == ["Late"]


def test_a_change_s_company_is_known_though_no_search_tells_it(
    big_org, connected
) -> None:
    crm = connected(big_org)
    since = last(crm, "opportunity")
    big_org.clock.advance(3600)
    deals, companies = big_org.ids("opportunity"), big_org.ids("account")
    big_org.link("deals", deals["O8"], "companies", companies["A2"])
    assert not big_org.record("deals", deals["O8"])["hs_primary_associated_company"]
    for key in ("O1", "O3", "O4", "O8"):
        big_org.edit("deals", deals[key], {"amount": "7"})
    found = {r["opportunity_id"]: r for r in rows(crm, "opportunity", since=since)}
    accounts = [found[deals[key]]["account_id"] for key in ("O1", "O3", "O4", "O8")]
    assert accounts == [companies["A1"], None, None, companies["A2"]]


def test_more_changes_than_a_search_shows_are_all_found(connected) -> None:
    count = 10_450
    ids = [f"A{place}" for place in range(count)]
    table = pa.table({"account_id": ids, "name": ids})
    with Simulator({"account": table}, limits_by="nothing") as org:
        crm = connected(org)
        began = last(crm, "account")
        # As if the portal had four times as many, and these had changed.
        token = began.token.replace(f'"count":{count}', f'"count":{4 * count}')
        token = token.replace('"began":"2', '"began":"1')
        crm.org()
        since, seen = Cursor("account", token, began.taken_at), list[Batch]()
        calls = spent(org, lambda: seen.extend(crm.pull("account", since=since)))
        found = [i for b in seen for i in b.rows["account_id"].to_pylist()]
        assert len(found) == len(set(found)) == count
        assert calls == -(-count // 200) + 1


def test_where_much_has_changed_a_list_is_cheaper(big_org, connected) -> None:
    crm = connected(big_org)
    cursor = last(crm, "account")
    token = cursor.token.replace('"began":"2', '"began":"1')
    crm.org()
    since = Cursor("account", token, cursor.taken_at)
    batches: list[Batch] = []
    calls = spent(big_org, lambda: batches.extend(crm.pull("account", since=since)))
    assert sum(batch.rows.num_rows for batch in batches) == 1_234
    assert calls == 1 + 13 + 1  # the search that told, the list, the recycle bin


@pytest.mark.parametrize("key", ["A5", "A205"])
def test_a_search_outlasts_a_deletion_under_it(big_org, connected, key) -> None:
    """Whoever has vanished, seen already or not, is in the bin; nothing is read twice."""
    crm = connected(big_org)
    since = last(crm, "account")
    big_org.clock.advance(3600)
    ids = list(big_org.ids("account").values())
    renamed(crm, ids[:410])
    one = big_org.ids("account")[key]
    act = ("delete", "companies", one)
    big_org.fault(Fault(at_call=2, kind="meanwhile", route="search", act=act))
    batches: list[Batch] = []
    calls = spent(big_org, lambda: batches.extend(crm.pull("account", since=since)))
    found = [i for b in batches for i in b.rows["account_id"].to_pylist()]
    assert len(found) == len(set(found))
    assert {*found, one} == {*ids[:410]}
    assert (one, "archived", None) in gone(batches)
    assert calls <= 3 + 1 + 1  # the search, a count where one is missing, the bin


@pytest.mark.parametrize(("times", "lists"), [(1, 0), (9, 1)])
def test_a_search_that_does_not_add_up_is_made_anew_and_then_a_list(
    strange, times, lists
) -> None:
    """An index that counts a record and does not show it, for a while or for ever."""
    records = [{"id": str(one), "properties": {}} for one in range(1, 251)]
    forgotten = [records[99]] * times
    names = ["createdate", "hs_lastmodifieddate"]
    said = {
        "details": {"portalId": 1, "timeZone": "UTC", "companyCurrency": "EUR"},
        "/properties/": {"results": [{"name": n, "type": "datetime"} for n in names]},
        "archived=true": {"results": []},
        "companies?": {"results": records},
    }

    def answer(path: str) -> tuple[int, bytes]:
        if "search" not in path:
            part = next(name for name in said if name in path)
            return 200, orjson.dumps(said[part])
        body = orjson.loads(strange.bodies[-1])
        filters = body["filterGroups"][0]["filters"][1:] if body["filterGroups"] else []
        hits = records[int(filters[0]["value"]) - 1 :] if filters else records
        shown = list(hits)
        if body["limit"] > 1 and records[99] in shown and forgotten:
            shown.remove(forgotten.pop())
        more = {"paging": {"next": {"after": "1"}}} if len(shown) > 200 else {}
        return 200, orjson.dumps(
            {"total": len(hits), "results": shown[: body["limit"]], **more}
        )

    strange.answer = answer
    crm = HubSpot(
        AccessToken(strange.secret, strange.url),
        settings=HubSpotSettings(exports="never", search_calls=100),
    )
    whole = last(crm, "account")
    token = whole.token.replace('"count":250', '"count":10000')
    before = len(strange.paths)
    since = Cursor("account", token, whole.taken_at)
    found = {row["account_id"] for row in rows(crm, "account", since=since)}
    assert found == {record["id"] for record in records}
    assert (
        sum("companies?limit" in path for path in strange.paths[before:]) == lists + 1
    )
    assert sum("search" in path for path in strange.paths[before:]) == 3 + 2 + lists


def test_a_whole_pull_that_goes_on_by_id_outlasts_a_deletion(
    big_org, connected
) -> None:
    (first, *_) = connected(big_org).pull("account")
    dead = first.cursor.token.replace('"after":"', '"after":"dead')
    crm = connected(big_org)
    crm.tables()
    one = big_org.ids("account")["A500"]
    act = ("delete", "companies", one)
    big_org.fault(Fault(at_call=2, kind="meanwhile", route="search", act=act))
    place = Cursor("account", dead, first.cursor.taken_at)
    rest = list(crm.pull("account", resume=place))
    found = [i for b in (first, *rest) for i in b.rows["account_id"].to_pylist()]
    assert len(found) == len(set(found)) == 1_233


def test_an_increment_goes_on_behind_any_batch(big_org, connected) -> None:
    crm = connected(big_org)
    since = last(crm, "account")
    big_org.clock.advance(3600)
    renamed(crm, list(big_org.ids("account").values())[:410])
    whole = list(crm.pull("account", since=since))
    assert [batch.rows.num_rows for batch in whole] == [200, 200, 10, 0]
    rest = list(connected(big_org).pull("account", since=since, resume=whole[0].cursor))
    assert [batch.rows.num_rows for batch in rest] == [200, 10, 0]
    assert rest[-1].cursor == whole[-1].cursor


def test_a_cursor_of_another_table_or_of_the_middle_is_refused(
    big_org, connected
) -> None:
    crm = connected(big_org)
    first = next(iter(crm.pull("account")))
    with pytest.raises(SettingsError, match="a cursor of account"):
        crm.pull("opportunity", since=first.cursor)
    with pytest.raises(SettingsError, match="last batch"):
        list(crm.pull("account", since=first.cursor))
    broken = Cursor("account", "[]", first.cursor.taken_at)
    with pytest.raises(CursorLostError, match="not one of ours"):
        list(crm.pull("account", since=broken))


def test_present_tells_who_is_there_and_what_changes_unseen(big_org, connected) -> None:
    tables = list(connected(big_org).present("account"))
    assert sum(table.num_rows for table in tables) == 1_234
    assert set(tables[0].column_names) == {
        "account_id",
        "last_activity_on",
        "activity_count",
        "contact_count",
    }


def test_each_pull_counts_from_its_own_first_answer(org, connected) -> None:
    """A connector may live for long: what it heard hours ago is not when a pull began."""
    crm = connected(org)
    began = last(crm, "account").taken_at
    org.clock.advance(7200)
    assert (last(crm, "account").taken_at - began).total_seconds() >= 7200
    org.clock.advance(7200)
    assert (last(crm, "opportunity").taken_at - began).total_seconds() >= 14_400


def test_a_portal_that_tells_no_time_is_read_whole_each_time(strange) -> None:
    """Nobody's clock but the portal's says since when."""
    ids = [str(place) for place in range(1, 4)]
    names = ["createdate", "hs_lastmodifieddate"]
    said = {
        "details": {"portalId": 1, "timeZone": "UTC", "companyCurrency": "EUR"},
        "/properties/": {"results": [{"name": n, "type": "datetime"} for n in names]},
        "archived": {"results": []},
        "companies": {"results": [{"id": one, "properties": {}} for one in ids]},
        "search": {
            "total": 3,
            "results": [{"id": "1", "properties": {}}],
            "paging": {"next": {"after": "1"}},
        },
    }

    def answer(path: str) -> tuple[int, bytes]:
        part = next(
            name
            for name in (
                "details",
                "/properties/",
                "search",
                "archived=true",
                "companies",
            )
            if name in path
        )
        return 200, orjson.dumps(said[part.removesuffix("=true")])

    strange.answer, strange.tells_the_time = answer, False
    login = AccessToken(strange.secret, strange.url)
    crm = HubSpot(login, settings=HubSpotSettings(exports="never"))
    first = list(crm.pull("account"))
    assert first[-1].cursor.taken_at.year == 1970
    again = list(crm.pull("account", since=first[-1].cursor))
    assert [row["account_id"] for b in again for row in b.rows.to_pylist()] == ids
    asked = orjson.loads(next(body for body in strange.bodies if b"GTE" in body))
    assert asked["filterGroups"][0]["filters"][0]["value"] == "0"


# What is missing


def test_a_scope_that_is_missing_is_named(org, connected) -> None:
    org.revoke_scope("crm.objects.deals.read")
    with pytest.raises(RightMissingError, match=r"crm\.objects\.deals\.read"):
        rows(connected(org), "opportunity")


def test_all_tables_means_those_one_may_read(org, connected) -> None:
    org.revoke_scope("tickets")
    org.revoke_scope("sales-email-read")
    tables = connected(org, tables="all").tables()
    assert "ticket" not in tables
    assert {"account", "opportunity", "stage", "owner", "activity"} <= set(tables)


def test_a_property_that_is_none_is_refused_with_a_suggestion(org, connected) -> None:
    crm = connected(org, fields={"account": {"segment": "industri"}})
    with pytest.raises(FieldNotFoundError, match="did you mean 'industry'"):
        crm.tables()


def test_the_loss_reason_is_a_property_of_choice(org, connected) -> None:
    crm = connected(org, loss_reason="closed_won_reason")
    deal = org.ids("opportunity")["O2"]
    org.edit("deals", deal, {"closed_won_reason": "Price", "closed_lost_reason": "x"})
    assert by_key(org, crm, "opportunity")["O2"]["loss_reason"] == "Price"


def test_a_log_in_that_is_none_is_told_once(org, connected) -> None:
    crm = connected(org, "oauth")
    org.fault(Fault(at_call=1, kind="expired", calls=None))
    with pytest.raises(LoginError):
        crm.org()


@pytest.mark.parametrize("shown", [1, 2])
def test_links_beyond_what_a_list_shows_are_read(org_of, connected, shown) -> None:
    with org_of(assumptions=Assumptions(inner_page=shown)) as org:
        # It has three companies; the one that a list shows is not its only one.
        deals = by_key(org, connected(org), "opportunity")
        assert deals["O3"]["account_id"] is None
        assert deals["O2"]["account_id"] == org.ids("account")["A2"]


def test_a_service_that_stays_away_is_transient(org, connected) -> None:
    org.fault(Fault(at_call=1, kind="gone"))
    with pytest.raises(TransientError):
        connected(org).org()
