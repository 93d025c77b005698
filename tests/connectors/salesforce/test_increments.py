"""What has changed, who has left, and nothing twice that need not come twice."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.connectors.salesforce._legs import OVERLAP
from crm_portfolio.errors import CursorLostError, SettingsError
from crm_portfolio.protocols import Cursor, Reconciling, gone_schema
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator import Salesforce as Simulator
from crm_portfolio.simulator.salesforce import Assumptions

HOUR = 3_600


def rows(batches) -> list[dict]:
    return [row for batch in batches for row in batch.rows.to_pylist()]


def named(batches) -> dict[str, str]:
    """Of the batches that tell names; others tell only what changes without a trace."""
    return {
        row["account_id"]: row["name"]
        for batch in batches
        if "name" in batch.rows.column_names
        for row in batch.rows.to_pylist()
    }


def gone(batches) -> dict[str, tuple[str, str | None]]:
    found = {}
    for batch in batches:
        if batch.gone is not None:
            assert batch.gone.schema.equals(gone_schema())
            for row in batch.gone.to_pylist():
                found[row["id"]] = (row["reason"], row["merged_into"])
    return found


def pulled(crm: Salesforce, table: str, **how) -> tuple[list, Cursor]:
    batches = list(crm.pull(table, **how))
    token = json.loads(json.dumps(batches[-1].cursor.token))
    cursor = batches[-1].cursor
    return batches, Cursor(table, token, cursor.taken_at)


def test_only_what_changed_comes_and_who_left(org, connected) -> None:
    ids = org.ids("account")
    _, since = pulled(connected(org), "account")
    org.clock.advance(HOUR)
    org.edit("Account", ids["A1"], {"Name": "Another"})
    org.delete("Account", ids["A2"])
    org.merge("Account", ids["A0"], ids["A3"])
    org.clock.advance(60)
    batches, after = pulled(connected(org), "account", since=since)
    # The winner of a merge is stamped as well.
    assert named(batches) == {ids["A0"]: "Account 0", ids["A1"]: "Another"}
    assert gone(batches) == {
        ids["A2"]: ("deleted", None),
        ids["A3"]: ("merged", ids["A0"]),
    }
    org.clock.advance(HOUR)
    batches, _ = pulled(connected(org), "account", since=after)
    assert (named(batches), gone(batches)) == ({}, {})


def test_the_cursor_is_by_the_clock_of_the_server(org, connected) -> None:
    _, cursor = pulled(connected(org), "account")
    assert cursor.taken_at <= org.clock.now.replace(tzinfo=UTC)
    org.clock.advance(HOUR)
    _, later = pulled(connected(org), "account", since=cursor)
    assert (later.taken_at - cursor.taken_at).total_seconds() in (0, HOUR)
    assert later.taken_at.year == org.clock.now.year


def test_a_change_that_came_late_to_light_is_not_lost(org, connected) -> None:
    """It carries a stamp from before the cursor: its transaction ended behind it."""
    org.clock.advance(HOUR)
    org.edit("Account", org.ids("account")["A0"], {"Name": "A stamp for the cursor"})
    _, since = pulled(connected(org), "account")
    late = "2026-07-01 02:55:00"
    org._org.store.rows(
        'UPDATE "Account" SET "Name" = \'Late\', "SystemModstamp" = ? WHERE "Id" = ?',
        [late, org.ids("account")["A4"]],
    )
    batches, _ = pulled(connected(org), "account", since=since)
    assert named(batches)[org.ids("account")["A4"]] == "Late"


def test_what_was_given_in_the_overlap_is_not_given_again(org, connected) -> None:
    ids = org.ids("account")
    org.clock.advance(HOUR)
    org.edit("Account", ids["A1"], {"Name": "Once"})
    org.clock.advance(60)
    first, since = pulled(connected(org), "account")
    assert named(first)[ids["A1"]] == "Once"
    batches, since = pulled(connected(org), "account", since=since)
    assert named(batches) == {}
    org.edit("Account", ids["A1"], {"Name": "Twice"})
    batches, _ = pulled(connected(org), "account", since=since)
    assert named(batches) == {ids["A1"]: "Twice"}


def test_nothing_is_given_a_third_time_either(org, connected) -> None:
    org.clock.advance(HOUR)
    org.edit("Account", org.ids("account")["A1"], {"Name": "Once"})
    org.clock.advance(60)
    _, since = pulled(connected(org), "account")
    for _ in range(3):
        org.clock.advance(60)
        batches, since = pulled(connected(org), "account", since=since)
        assert named(batches) == {}


def test_a_stamp_at_the_very_edge_of_the_overlap_counts(org, connected) -> None:
    org.clock.advance(HOUR)
    _, since = pulled(connected(org), "account")
    edge = since.taken_at.replace(tzinfo=None) - OVERLAP
    account = org.ids("account")["A4"]
    org._org.store.rows(
        'UPDATE "Account" SET "Name" = \'Edge\', "SystemModstamp" = ? WHERE "Id" = ?',
        [edge, account],
    )
    batches, _ = pulled(connected(org), "account", since=since)
    assert named(batches) == {account: "Edge"}


def test_a_second_change_within_the_second_of_the_first_is_not_lost(
    org, connected
) -> None:
    """A stamp is as fine as a second, so a young one proves nothing."""
    account = org.ids("account")["A4"]
    change = 'UPDATE "Account" SET "Name" = ?, "SystemModstamp" = ? WHERE "Id" = ?'
    org.clock.advance(HOUR)
    now = org.clock.stored
    org._org.store.rows(change, ["First", now, account])
    _, since = pulled(connected(org), "account")
    org._org.store.rows(change, ["Second", now, account])
    batches, _ = pulled(connected(org), "account", since=since)
    assert named(batches)[account] == "Second"


def test_more_ties_on_one_stamp_than_a_page_all_come(big_org, connected) -> None:
    _, since = pulled(connected(big_org), "account")
    big_org.clock.advance(HOUR)
    stamp = big_org.clock.stored
    big_org._org.store.rows(
        'UPDATE "Account" SET "Name" = \'Tied\', "SystemModstamp" = ?', [stamp]
    )
    for settings in ({"page_size": 500}, {"bulk": "always"}):
        crm = connected(big_org, **settings)
        batches, after = pulled(crm, "account", since=since)
        assert len(named(batches)) == 4_321
        # Too many to be remembered: they come again, and the loop ends all the same.
        again, _ = pulled(crm, "account", since=after)
        assert len(named(again)) in (0, 4_321)


def test_what_changes_without_a_trace_is_right_again(org, connected) -> None:
    crm = connected(org)
    _, since = pulled(crm, "account")
    account = org.ids("account")["A1"]
    org.clock.advance(HOUR)
    for day in (date(2026, 6, 1), date(2025, 1, 1), None):
        org._org.store.rows(
            'UPDATE "Account" SET "LastActivityDate" = ? WHERE "Id" = ?', [day, account]
        )
        batches, since = pulled(crm, "account", since=since)
        assert named(batches) == {}
        said = {row["account_id"]: row["last_activity_on"] for row in rows(batches)}
        assert said[account] == day
    batches, _ = pulled(crm, "account", since=since, columns=["name"])
    assert rows(batches) == []  # nobody asked for it


@pytest.mark.parametrize("way", [{"bulk": "never"}, {"bulk": "always"}])
def test_an_increment_goes_on_behind_every_batch(big_org, connected, way) -> None:
    settings = {"page_size": 500, "bulk_page_rows": 1_000, **way}
    _, since = pulled(connected(big_org, **settings), "account")
    big_org.clock.advance(HOUR)
    ids = list(big_org.ids("account").values())
    big_org._org.store.rows(
        'UPDATE "Account" SET "Name" = \'New\', "SystemModstamp" = ? WHERE "Id" < ?',
        [big_org.clock.stored, ids[1_200]],
    )
    for record_id in ids[-3:]:
        big_org.delete("Account", record_id)
    unbroken = list(connected(big_org, **settings).pull("account", since=since))
    assert len(unbroken) > 4

    def told(batches) -> tuple:
        return (
            sorted(map(str, rows(batches))),
            gone(batches),
        )

    for place, batch in enumerate(unbroken[:-1]):
        crm = connected(big_org, **settings)
        rest = crm.pull("account", since=since, resume=batch.cursor)
        assert told([*unbroken[: place + 1], *rest]) == told(unbroken), place


def test_a_finished_pull_has_nothing_left_to_resume(org, connected) -> None:
    _, cursor = pulled(connected(org), "account")
    before = org.api_calls
    (batch,) = connected(org).pull("account", resume=cursor)
    assert batch.is_last
    assert batch.rows.num_rows == 0
    assert batch.cursor == cursor
    assert org.api_calls - before <= 3  # who is it, and what are its columns


def test_a_cursor_amid_a_pull_is_not_since(big_org, connected) -> None:
    crm = connected(big_org, page_size=500)
    first = next(crm.pull("account"))
    with pytest.raises(SettingsError, match="give it as resume"):
        crm.pull("account", since=first.cursor)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "{}",
        "[]",
        '{"v":9}',
        '{"v":1,"since":"2026-01-01"}',
        "null",
    ],
)
def test_a_cursor_of_someone_else_is_refused(org, connected, token) -> None:
    cursor = Cursor("account", token, datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(CursorLostError, match="pull the table whole"):
        connected(org).pull("account", resume=cursor)
    assert org.calls == {}


def test_an_id_smuggled_into_a_cursor_never_reaches_a_query(org, connected) -> None:
    _, cursor = pulled(connected(org), "account")
    said = json.loads(cursor.token)
    said |= {"done": False, "leg": 0, "ranges": [["x' OR Name != '", None]]}
    before = org.calls.get("GET query", 0)
    with pytest.raises(CursorLostError):
        connected(org).pull(
            "account", resume=Cursor("account", json.dumps(said), cursor.taken_at)
        )
    assert org.calls.get("GET query", 0) == before


@pytest.mark.parametrize(
    "part",
    [{"job_id": "../../sobjects/Account"}, {"api_version": "66.0/x/.."}, {"job_id": 1}],
)
def test_a_path_smuggled_into_a_cursor_never_reaches_an_address(
    org, connected, part
) -> None:
    _, cursor = pulled(connected(org), "account")
    place = {"job_id": "750A", "locator": None, "api_version": "66.0"} | part
    said = json.loads(cursor.token)
    said |= {"done": False, "leg": 0, "ranges": [[None, None]], "bulk": place}
    calls = org.api_calls
    with pytest.raises(CursorLostError, match="pull the table whole"):
        connected(org).pull(
            "account", resume=Cursor("account", json.dumps(said), cursor.taken_at)
        )
    assert org.api_calls == calls


def test_a_cursor_holds_no_secret_and_no_name(org, connected) -> None:
    org.clock.advance(HOUR)
    org.edit("Account", org.ids("account")["A1"], {"Name": "Planted Name"})
    org.clock.advance(60)
    _, cursor = pulled(connected(org), "account")
    shown = str(cursor)
    assert "Planted" not in shown
    for secret in org.environment.values():
        assert secret not in shown


def test_deletions_too_many_for_one_window_come_in_halves(big_org, connected) -> None:
    _, since = pulled(connected(big_org), "account")
    ids = list(big_org.ids("account").values())[:40]
    for record_id in ids:
        big_org.clock.advance(600)
        big_org.hard_delete("Account", record_id)  # only the log tells of it
    big_org.clock.advance(120)  # the log counts in minutes
    big_org.rules.ids_max = 15
    batches, _ = pulled(connected(big_org), "account", since=since)
    assert set(gone(batches)) == set(ids)


@pytest.mark.parametrize("is_listed", [True, False])
def test_a_purged_record_is_told_by_the_log_or_by_its_absence(
    connected, is_listed
) -> None:
    """Whether the log lists what was deleted for good is not verified."""
    beliefs = Assumptions(deleted_lists_hard=is_listed)
    accounts = pa.table({"account_id": ["A", "B"]})
    with Simulator({"account": accounts}, assumptions=beliefs) as org:
        crm = connected(org)
        ids = org.ids("account")
        _, since = pulled(crm, "account")
        org.clock.advance(HOUR)
        org.hard_delete("Account", ids["A"])
        org.clock.advance(120)  # the log counts in minutes
        batches, _ = pulled(connected(org), "account", since=since)
        assert set(gone(batches)) == ({ids["A"]} if is_listed else set())
        (present,) = crm.present("account")
        assert present["account_id"].to_pylist() == [ids["B"]]


def test_a_record_that_came_back_is_there(org, connected) -> None:
    account = org.ids("account")["A2"]
    _, since = pulled(connected(org), "account")
    org.clock.advance(HOUR)
    org.delete("Account", account)
    org.clock.advance(HOUR)
    org.undelete("Account", account)
    batches, _ = pulled(connected(org), "account", since=since)
    last_word = None
    for batch in batches:
        if batch.gone is not None and account in batch.gone["id"].to_pylist():
            last_word = "gone"
        if account in batch.rows["account_id"].to_pylist():
            last_word = "there"
    assert last_word == "there"


def test_a_log_of_deletions_that_reaches_back_too_little_is_said(
    org, connected
) -> None:
    from crm_portfolio.connectors.salesforce._gone import LogTooShortWarning

    _, since = pulled(connected(org), "account")
    org.clock.advance(20 * 24 * HOUR)
    org.delete("Account", org.ids("account")["A2"])
    crm = connected(org)
    with pytest.warns(LogTooShortWarning, match="reconcile"):
        batches, _ = pulled(crm, "account", since=since)
    assert gone(batches) == {org.ids("account")["A2"]: ("deleted", None)}


def test_who_is_there_now_can_be_told_for_every_table_with_a_key(
    org, connected
) -> None:
    crm = connected(org)
    assert isinstance(crm, Reconciling)
    org.delete("Account", org.ids("account")["A2"])
    present = pa.concat_tables(crm.present("account"))
    assert present.column_names == ["account_id", "last_activity_on"]
    kept = {name: there for name, there in org.ids("account").items() if name != "A2"}
    assert sorted(present["account_id"].to_pylist()) == sorted(kept.values())
    for table in crm.tables():
        assert list(crm.present(table))
    with pytest.raises(SettingsError, match="no key"):
        crm.present("opportunity_change")


def test_an_increment_costs_the_least_there_is(big_org, connected) -> None:
    """Changed and deleted in one query, the log of purged ones, the volatile column."""
    crm = connected(big_org)
    _, since = pulled(crm, "account")
    big_org.clock.advance(HOUR)
    for name in ("A1", "A2"):
        big_org.edit("Account", big_org.ids("account")[name], {"Name": "New"})
    before = big_org.api_calls
    pulled(crm, "account", since=since)
    volatile = -(-4_321 // 2_000)
    assert big_org.api_calls - before == 1 + 1 + volatile


def test_a_cursor_lost_amid_an_increment_is_taken_up(big_org, connected) -> None:
    _, since = pulled(connected(big_org), "account")
    big_org.clock.advance(HOUR)
    big_org._org.store.rows(
        'UPDATE "Account" SET "SystemModstamp" = ?', [big_org.clock.stored]
    )
    crm = connected(big_org, page_size=500)
    route = "GET query/{locator}"
    at_call = big_org.calls.get(route, 0) + 3
    big_org.fault(Fault(at_call=at_call, route=route, kind="dead_locator"))
    batches, _ = pulled(crm, "account", since=since)
    assert len(named(batches)) == 4_321
    told = [
        row["account_id"]
        for b in batches
        if "name" in b.rows.column_names
        for row in b.rows.to_pylist()
    ]
    assert len(told) == len(set(told))


def test_rows_of_a_small_list_come_whole_each_time(connected) -> None:
    accounts = pa.table({"account_id": ["A"]})
    with Simulator({"account": accounts}) as org:
        crm = connected(org)
        before, since = pulled(crm, "stage")
        after, _ = pulled(crm, "stage", since=since)
    assert rows(after) == rows(before)
