"""Does an export give what pages give, whatever happens to it and meanwhile?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from threading import Thread

import numpy as np
import pyarrow as pa
import pytest
from stranger import listening

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.hubspot import HubSpot, _export_files, _exports, _paths
from crm_portfolio.connectors.hubspot import _first_load as first_load
from crm_portfolio.connectors.hubspot._columns import Layout
from crm_portfolio.connectors.hubspot._first_load import _Ids
from crm_portfolio.errors import (
    ConnectorError,
    CursorLostError,
    RightMissingError,
    TransientError,
)
from crm_portfolio.protocols import Batch, Cursor
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator.hubspot import Assumptions
from crm_portfolio.simulator.hubspot import HubSpot as Simulator

COUNT = 260
ASK = "POST exports/export/async"
POLL = "GET exports/export/async/tasks/{id}/status"
FILE = "GET exported/{key}/{name}"
LIST = "GET objects/{kind}"


def tables() -> dict[str, pa.Table]:
    """Deals of none, one and three companies; texts that a CSV has to quote."""
    places = range(COUNT)
    linked = ["", "A1", "A2;A1;A3", "A4;A2"]
    return {
        "account": pa.table(
            {
                "account_id": [f"A{place}" for place in range(COUNT)],
                "name": [f'Ångström, "{place}"\nLtd.' for place in range(COUNT)],
                "domain": [
                    None if place % 3 else "a.example" for place in range(COUNT)
                ],
            }
        ),
        "opportunity": pa.table(
            {
                "opportunity_id": [f"O{place}" for place in places],
                "account_id": [None if p % 4 != 1 else "A1" for p in places],
                "account_ids": [linked[place % 4] for place in places],
                "status": [("open", "won", "lost")[place % 3] for place in places],
                "amount": [None if place % 5 == 0 else place / 8 for place in places],
                "name": [
                    f"NA,{chr(0) * (place % 7 == 1)} №{place}" for place in places
                ],
            }
        ),
        "ticket": pa.table(
            {
                "ticket_id": ["T1", "T2"],
                "opened_at": [1_700_000_000_000_000] * 2,
                "account_id": ["A2", None],
            }
        ).cast(
            pa.schema(
                [
                    ("ticket_id", pa.string()),
                    ("opened_at", pa.timestamp("us", "UTC")),
                    ("account_id", pa.string()),
                ]
            )
        ),
    }


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(tables(), currency="EUR", limits_by="nothing") as org:
        yield org


@pytest.fixture
def org(running: Simulator) -> Simulator:
    running.reset()
    return running


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_export_files, "BLOCK_BYTES", 5_000)


@pytest.fixture
def exporting(org: Simulator, connected: Callable[..., HubSpot]) -> HubSpot:
    return connected(org, exports="always")


def whole(batches: list[Batch]) -> pa.Table:
    return pa.concat_tables([batch.rows for batch in batches]).combine_chunks()


def by_pages(org: Simulator, connected: Callable[..., HubSpot], table: str) -> pa.Table:
    return whole(list(connected(org, exports="never").pull(table)))


def gone(batches: list[Batch]) -> list[tuple[str, str]]:
    return [
        (row["id"], row["reason"])
        for batch in batches
        if batch.gone is not None
        for row in batch.gone.to_pylist()
    ]


@pytest.mark.parametrize("family", ["v3", "2026-09"])
@pytest.mark.parametrize("table", ["account", "opportunity", "ticket"])
def test_an_export_gives_what_pages_give_to_the_byte(
    org, connected, table, family
) -> None:
    batches = list(connected(org, exports="always", paths=family).pull(table))
    assert org.calls[ASK] == 1
    assert LIST not in org.calls
    assert batches[-1].is_last
    assert whole(batches).equals(by_pages(org, connected, table))
    if table != "ticket":
        assert len(batches) > 4


def test_an_export_costs_what_the_vendor_asks_and_two_to_be_sure(org, exporting):
    exporting.org()
    exporting.tables()
    before = org.api_calls
    list(exporting.pull("account"))
    assert (
        org.api_calls - before == 1 + 3 + 2
    )  # asked, three looks, what is new, how many


@pytest.mark.parametrize(("zip_above", "split_rows"), [(100, 10_000), (100, 90)])
def test_files_come_packed_and_in_parts(
    org, connected, exporting, zip_above, split_rows
) -> None:
    org.exports.zip_above, org.exports.split_rows = zip_above, split_rows
    found = whole(list(exporting.pull("opportunity")))
    assert found.equals(by_pages(org, connected, "opportunity"))


@pytest.mark.parametrize(
    "kind", ["csv_with_bom", "csv_with_crlf", "csv_without_charset"]
)
def test_a_file_may_look_odd(org, connected, exporting, kind) -> None:
    expected = by_pages(org, connected, "opportunity")
    org.fault(Fault(at_call=1, kind=kind, route=FILE))
    assert whole(list(exporting.pull("opportunity"))).equals(expected)


@pytest.mark.parametrize("kind", ["truncated", "reset", "unavailable", "empty"])
@pytest.mark.parametrize("zip_above", [100, 10_000_000])
def test_a_broken_download_starts_again(
    org, connected, exporting, kind, zip_above
) -> None:
    org.exports.zip_above = zip_above
    expected = by_pages(org, connected, "account")
    size = {"size": 3_000} if kind == "truncated" else {}
    org.fault(Fault(at_call=1, kind=kind, route=FILE, **size))
    assert whole(list(exporting.pull("account"))).equals(expected)
    assert org.calls[FILE] == 2
    assert org.calls[ASK] == 1


def test_a_link_that_is_too_old_is_made_anew(
    org, connected, exporting, monkeypatch
) -> None:
    expected = by_pages(org, connected, "account")
    links: list[str] = []
    real = _exports._download

    def late(client, link, file):
        if not links:
            org.clock.advance(301)
        links.append(link)
        real(client, link, file)

    monkeypatch.setattr(_exports, "_download", late)
    assert whole(list(exporting.pull("account"))).equals(expected)
    assert len(set(links)) == 2


def test_the_file_is_fetched_without_a_token(
    org, connected, exporting, monkeypatch
) -> None:
    sent: list[dict[str, str]] = []
    real = _exports._pool

    def watched(client, link):
        pool = real(client, link)
        ask = pool.request

        def request(*args, headers, **how):
            sent.append(headers)
            return ask(*args, headers=headers, **how)

        pool.request = request
        return pool

    monkeypatch.setattr(_exports, "_pool", watched)
    list(exporting.pull("account"))
    assert [sorted(headers) for headers in sent] == [["Accept-Encoding", "User-Agent"]]


# Where pages take over


@pytest.mark.parametrize("chosen", ["auto", "always"])
def test_where_others_use_up_the_exports_pages_are_read(
    org_of, connected, chosen, monkeypatch
) -> None:
    monkeypatch.setattr(first_load, "EXPORT_FROM", 1)
    known = Assumptions(exports_at_once="refused")
    with org_of(assumptions=known, limits_by="nothing") as org:
        patience = RetrySettings(attempts=1)
        crm = connected(org, exports=chosen, retry=patience)
        wanted = crm._layouts("account")[0]
        _exports.begun(crm._client, wanted)  # somebody else's
        found = whole(list(crm.pull("account")))
        assert found.equals(by_pages(org, connected, "account"))
        assert org.calls[LIST] == 2


def test_thirty_a_day_are_all_there_are(org, connected) -> None:
    crm = connected(org, exports="always", retry=RetrySettings(attempts=1))
    wanted = crm._layouts("account")[0]
    for _ in range(30):
        _exports.begun(crm._client, wanted)
    found = whole(list(crm.pull("account")))
    assert found.equals(by_pages(org, connected, "account"))


def test_without_the_scope_pages_are_read_or_it_is_named(org, connected, monkeypatch):
    monkeypatch.setattr(first_load, "EXPORT_FROM", 1)
    org.revoke_scope("crm.export")
    found = whole(list(connected(org, exports="auto").pull("account")))
    assert found.num_rows == COUNT
    with pytest.raises(RightMissingError, match=r"crm\.export"):
        list(connected(org, exports="always").pull("account"))


@pytest.mark.parametrize("kind", ["job_fails", "job_never_completes"])
def test_an_export_that_does_not_end_well_gives_way_to_pages(
    org, connected, exporting, kind, monkeypatch
) -> None:
    monkeypatch.setattr(_exports, "_PATIENCE", 0.3)
    org.fault(Fault(at_call=1, kind=kind, route=ASK))
    found = whole(list(exporting.pull("account")))
    assert found.equals(by_pages(org, connected, "account"))


def test_moments_that_are_rounded_to_minutes_are_not_taken(org_of, connected) -> None:
    known = Assumptions(exported_moments="local")
    with org_of(assumptions=known, limits_by="nothing") as org:
        found = whole(list(connected(org, exports="always").pull("opportunity")))
        assert found.equals(by_pages(org, connected, "opportunity"))
        assert org.calls[LIST] == 2


@pytest.mark.parametrize("link", ["https://evil.example/f.csv", "http://u@127.0.0.1/f"])
def test_a_file_on_another_host_is_never_fetched(
    org, connected, monkeypatch, link
) -> None:
    monkeypatch.setattr(_exports, "_link", lambda *_: link)
    monkeypatch.setattr(_exports, "_pool", lambda *_: pytest.fail("asked for"))
    with pytest.raises(ConnectorError, match="not known as HubSpot's"):
        list(connected(org, exports="always").pull("account"))
    monkeypatch.setattr(first_load, "EXPORT_FROM", 1)
    assert len(whole(list(connected(org, exports="auto").pull("account")))) == COUNT


@pytest.mark.parametrize(
    ("host", "is_known"),
    [
        ("api-na1.hubspot.com", True),
        ("file-exports.hubspotusercontent-eu1.net", True),
        ("f.hubspotusercontent.net", True),
        ("hubspotusercontent-evil.net", False),
        ("hubspotusercontentx.net", False),
        ("hubspotusercontent-na1.net.evil.example", False),
        ("hubspot.com.evil.example", False),
        ("evilhubspot.com", False),
        ("s3.amazonaws.com", False),
    ],
)
def test_hosts_of_files_are_told_by_one_constant(host: str, is_known: bool) -> None:
    found = _assumptions.EXPORT_FILE_HOSTS.fullmatch(host)
    assert bool(found) == is_known


def test_a_redirect_of_the_file_is_not_followed(org, connected) -> None:
    with listening() as stranger:
        org.fault(Fault(at_call=1, kind="elsewhere", route=FILE, about=stranger.url))
        with pytest.raises(ConnectorError, match="not known as HubSpot's"):
            list(connected(org, exports="always").pull("account"))
        assert stranger.requests == []


def test_small_tables_are_listed_and_large_ones_exported(
    org, connected, monkeypatch
) -> None:
    list(connected(org, exports="auto").pull("account"))
    assert ASK not in org.calls
    monkeypatch.setattr(first_load, "EXPORT_FROM", COUNT)
    list(connected(org, exports="auto").pull("account"))
    assert org.calls[ASK] == 1


def test_kinds_that_no_export_gives_are_listed(org, connected) -> None:
    crm = connected(org, exports="always", tables="all")
    assert not crm._exports("activity", crm._layouts("activity"))
    history: list[Layout] = crm._layouts("opportunity_change")
    assert not crm._exports("opportunity_change", history)


# What happens meanwhile


def test_who_came_while_the_export_ran_comes_too(org, connected, exporting) -> None:
    pulled = exporting.pull("account")
    batches = [next(pulled), next(pulled)]
    org.clock.advance(60)
    path = _paths._under(_paths._OBJECTS, "companies", "batch", "create")
    inputs = [{"properties": {"name": f"New {place}"}} for place in range(3)]
    exporting._client.post(path, {"inputs": inputs}, where="making")
    batches += pulled
    found = whole(batches)
    assert len(found) == COUNT + 3
    assert found["name"].to_pylist()[-3:] == ["New 0", "New 1", "New 2"]
    assert LIST not in org.calls


def test_who_left_while_the_export_ran_is_told(org, connected, exporting) -> None:
    ids = org.ids("account")
    pulled = exporting.pull("account")
    batches = [next(pulled), next(pulled)]
    org.clock.advance(60)
    org.delete("companies", ids["A7"])
    org.merge("companies", ids["A8"], ids["A9"])
    org.purge("companies", ids["A10"])
    batches += pulled
    found = whole(batches)["account_id"].to_pylist()
    assert len(found) == len(set(found)) == COUNT
    left = dict(gone(batches))
    assert left == {
        ids["A7"]: "archived",
        ids["A9"]: "merged",
        ids["A10"]: "deleted",  # only the list of all tells this
    }
    here = set(by_pages(org, connected, "account")["account_id"].to_pylist())
    assert set(found) - set(left) == here


def test_a_change_made_meanwhile_is_in_the_next_increment(
    org, connected, exporting
) -> None:
    one = org.ids("account")["A3"]
    pulled = exporting.pull("account")
    batches = [next(pulled), next(pulled)]
    org.clock.advance(60)
    org.edit("companies", one, {"name": "Meanwhile"})
    batches += pulled
    assert whole(batches)["account_id"].to_pylist().count(one) == 1
    org.clock.advance(3600)
    since = batches[-1].cursor
    changed = whole(list(connected(org).pull("account", since=since)))
    assert changed.filter(pa.compute.equal(changed["account_id"], one))[
        "name"
    ].to_pylist() == ["Meanwhile"]


# Where it goes on


def test_it_goes_on_behind_every_batch_without_another_export(org, connected) -> None:
    unbroken = list(connected(org, exports="always").pull("opportunity"))
    for place, batch in enumerate(unbroken):
        before = org.calls[ASK]
        rest = list(
            connected(org, exports="always").pull("opportunity", resume=batch.cursor)
        )
        assert whole([*unbroken[: place + 1], *rest]).equals(whole(unbroken)), place
        assert rest[-1].is_last
        assert org.calls[ASK] == before


def test_a_stop_in_the_midst_of_making_it_exact_is_no_loss(org, connected) -> None:
    """Killed anywhere, while people come and go, each record comes once."""
    ids = org.ids("account")

    def pulled(stop: int | None) -> tuple[list[Batch], bool]:
        org.reset()
        batches: list[Batch] = []
        cursor = None
        for attempt in range(2):
            crm = connected(org, exports="always")
            for batch in crm.pull("account", resume=cursor):
                batches.append(batch)
                cursor = batch.cursor
                if attempt == 0 and len(batches) == 2:
                    org.clock.advance(60)
                    org.delete("companies", ids["A7"])
                    org.purge("companies", ids["A10"])
                if attempt == 0 and len(batches) == stop:
                    break
            else:
                return batches, True
        return batches, batches[-1].is_last

    unbroken, _ = pulled(None)
    for stop in range(2, len(unbroken)):
        batches, is_whole = pulled(stop)
        found = whole(batches)["account_id"].to_pylist()
        assert is_whole
        assert len(found) == len(set(found)) == COUNT, stop
        assert set(dict(gone(batches))) == {ids["A7"], ids["A10"]}, stop


def test_an_export_that_is_gone_is_gone_on_with_by_ids(org, connected) -> None:
    whole_ones = list(connected(org, exports="always").pull("account"))
    middle = len(whole_ones) // 2
    cursor = whole_ones[middle].cursor
    org.reset()  # and nobody knows of the export any more
    rest = list(connected(org, exports="always").pull("account", resume=cursor))
    assert whole([*whole_ones[: middle + 1], *rest]).equals(whole(whole_ones))


def test_an_export_in_no_order_that_is_gone_is_begun_anew(org, connected) -> None:
    """No id tells then where it stopped."""
    (_, first, *_) = connected(org, exports="always").pull("account")
    token = re.sub(r'"last":\d+', '"last":0', first.cursor.token)
    org.reset()
    lost = Cursor("account", token, first.cursor.taken_at)
    with pytest.raises(CursorLostError, match="pull whole again"):
        list(connected(org, exports="always").pull("account", resume=lost))


def test_ids_of_a_file_in_no_order_are_found() -> None:
    ids = _Ids()
    for part in ([7, 3], [9], [1, 5]):
        ids.add(np.array(part, np.int64))
    asked = np.array([0, 1, 2, 5, 9, 10], np.int64)
    assert ids.holds(asked).tolist() == [False, True, False, True, True, False]
    assert ids.between(1, 7).tolist() == [3, 5, 7]
    assert not _Ids().holds(asked).any()
    assert len(_Ids().between(0, 9)) == 0


def test_tables_side_by_side_wait_for_one_another(org, connected) -> None:
    crm = connected(org, exports="always")
    counts: dict[str, int] = {}

    def work(table: str) -> None:
        counts[table] = len(whole(list(crm.pull(table))))

    threads = [Thread(target=work, args=(name,)) for name in ("account", "opportunity")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert counts == {"account": COUNT, "opportunity": COUNT}
    assert org.calls[ASK] == 2


def test_a_service_that_stays_away_stops_it_with_its_place_kept(org, connected) -> None:
    crm = connected(org, exports="always")
    pulled = crm.pull("account")
    first = next(pulled)
    org.fault(Fault(at_call=1, kind="unavailable", route=POLL, calls=20))
    with pytest.raises(TransientError):
        next(pulled)
    assert '"task":"3085"' in first.cursor.token
