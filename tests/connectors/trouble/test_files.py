"""Is a file read to the letter, however it is written, and a job not awaited for ever?"""

from __future__ import annotations

import contextlib

import pytest
from troubled import (
    CHANGED,
    EXPORT,
    ODD_NAMES,
    WRITING,
    Org,
    Reading,
    Watch,
    Writing,
    states,
    tier,
    timed,
)

from crm_portfolio.connectors.hubspot._exports import NoExportError, begun
from crm_portfolio.connectors.salesforce._bulk import Bulk
from crm_portfolio.connectors.salesforce._jobs import Patience
from crm_portfolio.errors import TransientError

DRESSES = (
    "csv_with_bom",
    "csv_with_crlf",
    "csv_with_null_bytes",
    "csv_without_charset",
)
LISTS = ("successfulResults", "failedResults")


def impatient(seconds: float = 20.0) -> Patience:
    """A clock of its own, a second a look."""
    now = iter(range(1_000))
    return Patience(
        first_seconds=0.0, total_seconds=seconds, clock=lambda: float(next(now))
    )


@pytest.fixture
def ingest(salesforce: Org) -> Writing:
    return Writing(WRITING[1], salesforce)


@pytest.fixture
def export(hubspot: Org) -> Reading:
    return Reading.of(EXPORT, hubspot)


# To the letter


def test_a_csv_in_another_dress_says_the_same(csv_reading: Reading) -> None:
    for kind in DRESSES:
        csv_reading.must_survive(kind, at=1, more=0)


def test_names_come_to_the_letter(reading: Reading) -> None:
    """NA and null are names; a line break, a quote and a carriage return are kept."""
    must_be_to_the_letter(reading)


def test_names_come_to_the_letter_in_csv(csv_reading: Reading) -> None:
    must_be_to_the_letter(csv_reading)


def must_be_to_the_letter(reading: Reading) -> None:
    told = {row["account_id"]: row.get("name") for row in reading.truth}
    here = reading.org.names()
    changed = set(reading.org.ids[-CHANGED:] if reading.way.is_increment else here)
    assert {one: told[one] for one in changed} == {one: here[one] for one in changed}
    wanted = {f"{odd} {place}" for place, odd in enumerate(ODD_NAMES)}
    assert (wanted if reading.way.is_increment else set(ODD_NAMES)) <= set(
        told.values()
    )


@pytest.mark.parametrize("which", LISTS)
def test_what_came_of_a_job_is_read_however_it_is_written(
    ingest: Writing, which: str
) -> None:
    ids = ingest.org.ids[:60]
    values = dict.fromkeys(ids, "A") | {ids[7]: "PLANTED"}
    for kind in (*DRESSES, "truncated", "empty", "undecodable"):
        ingest.fault(kind, route=which)
        outcomes, error = ingest.sent(tier(one, value) for one, value in values.items())
        assert error is None, kind
        wanted = {**dict.fromkeys(ids, "written"), ids[7]: "rejected"}
        assert states(outcomes) == wanted, kind
    ingest.must_hold({one: "A" for one in ids if one != ids[7]})


# Cut short


def test_a_file_that_arrives_broken_is_fetched_again(export: Reading) -> None:
    """By a new link, which is a call more."""
    kinds = ("truncated", "reset", "empty", "undecodable", "unavailable", "expired")
    for kind in kinds:
        export.must_survive(kind, at=1, more=2)


def test_a_file_may_be_cut_anywhere(csv_reading: Reading) -> None:
    for size in (0, 10, 2_000):
        csv_reading.must_survive("truncated", at=1, size=size, more=2)


def test_a_file_that_stays_broken_ends_and_the_next_process_goes_on(
    csv_reading: Reading,
) -> None:
    csv_reading.fault("truncated", at=1, calls=30)
    before = csv_reading.org.calls
    came, error = csv_reading.until_it_stops(csv_reading.connected())
    assert isinstance(error, TransientError)
    assert csv_reading.org.calls - before <= csv_reading.least + 3 * 4
    csv_reading.org.forget_faults()
    csv_reading.must_be_whole(csv_reading.extend(came))


# Jobs without end


def test_a_query_job_that_never_ends_is_given_up_with_a_word(salesforce: Org) -> None:
    from troubled import READING

    for way in [way for way in READING if "bulk" in way.name]:
        salesforce.there.reset()
        reading = Reading.of(way, salesforce)
        crm = reading.connected()
        tables = crm._tables
        tables.reader._bulk = Bulk(tables.session, crm._settings, patience=impatient())
        salesforce.fault("job_never_completes", route="POST jobs/query", calls=9)
        before = salesforce.calls
        _, error = reading.until_it_stops(crm)
        assert isinstance(error, TransientError)
        assert error.code == "JOB_TIMEOUT"
        assert "not done after" in str(error)
        assert salesforce.calls - before < 40
        assert salesforce.there.state["jobs"][-1]["state"] == "Aborted"
        salesforce.forget_faults()
        reading.must_be_whole(reading.pulled())


@pytest.mark.parametrize("kind", ["job_never_completes", "job_fails"])
def test_an_export_that_never_ends_or_fails_is_replaced_by_pages(
    export: Reading, kind: str
) -> None:
    """HubSpot tells no time; after three hours of looks ever further apart it is over."""
    watch = Watch()
    export.org.fault(kind, route="POST exports")
    before = export.org.calls
    export.must_be_whole(export.pulled(timed(export, watch)))
    assert (watch.now >= 3 * 3_600) is (kind == "job_never_completes")
    assert export.org.calls - before < 220


def test_exports_that_are_used_up_are_replaced_by_pages(export: Reading) -> None:
    crm = timed(export, Watch())
    with contextlib.suppress(NoExportError):
        for _ in range(31):
            begun(crm._client, crm._layouts("account")[0])
    before = export.org.calls_of("GET objects/{kind}")
    export.must_be_whole(export.pulled(crm))
    assert export.org.calls_of("GET objects/{kind}") - before == 7
