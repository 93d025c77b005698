"""What is left when an answer fails, is cut, or never comes?"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

import pytest
from troubled import Org, Reading, Writing, rows, states, tier

from crm_portfolio.errors import TransientError
from crm_portfolio.simulator import Break, Wire

USUAL = ("reset", "unavailable", "truncated")
OTHERS = (
    "server_error", "bad_gateway", "gateway_timeout", "empty", "undecodable",
)  # fmt: skip
URL = {"salesforce": "SALESFORCE_INSTANCE_URL", "hubspot": "HUBSPOT_API_URL"}
LOGIN = {"salesforce": "session", "hubspot": "token"}


def by_wire(org: Org, wire: Wire) -> Mapping[str, str]:
    return {**org.there.environment_for(LOGIN[org.crm]), URL[org.crm]: wire.url}


# Reading


def test_one_page_that_fails_is_asked_for_once_more(every_reading: Reading) -> None:
    for kind in USUAL:
        every_reading.must_survive(kind)


def test_whatever_stands_in_the_place_of_a_page_is_no_page(reading: Reading) -> None:
    for kind in OTHERS:
        reading.must_survive(kind)


@pytest.mark.parametrize("kind", ["reset", "truncated"])
def test_any_call_of_a_pull_may_fail_once(reading: Reading, kind: str) -> None:
    for call in reading.places:
        before = reading.org.calls
        reading.org.fault(kind, at=call)
        reading.must_be_whole(reading.pulled())
        assert reading.org.calls - before <= reading.least + 1, call


@pytest.mark.parametrize("kind", ["unavailable", "truncated"])
def test_a_page_that_fails_for_ever_ends_in_a_transient_error_and_no_row_is_lost(
    reading: Reading, kind: str
) -> None:
    reading.fault(kind, calls=12)
    before = reading.org.calls
    came, error = reading.until_it_stops(reading.connected())
    assert isinstance(error, TransientError)
    # Three attempts, of as many pages as are under way side by side.
    assert reading.org.calls - before <= reading.least + 3 * 4
    reading.org.there.reset()
    whole = Reading.of(reading.way, reading.org)
    known = {row["account_id"]: row for row in whole.truth}
    for row in rows(came):
        assert row.items() <= known[row["account_id"]].items()


@pytest.mark.parametrize(
    ("kind", "size"),
    [("cut_in_headers", 60), ("cut_in_body", 500), ("reset", None)],
)
def test_a_wire_that_breaks_at_any_reply_costs_one_call(
    reading: Reading, kind, size
) -> None:
    for place in reading.places:
        before = reading.org.calls
        with Wire(reading.org.there.url, Break(place, kind, size=size)) as wire:
            crm = reading.connected(environment=by_wire(reading.org, wire))
            reading.must_be_whole(reading.pulled(crm))
        assert reading.org.calls - before <= reading.least + 1, place


def test_a_reply_that_never_comes_is_given_up_after_the_timeout(
    reading: Reading,
) -> None:
    place = reading.least - 1
    with Wire(reading.org.there.url, Break(place, "hang")) as wire:
        known = by_wire(reading.org, wire)
        crm = reading.connected(environment=known, timeout=(1.0, 0.5))
        began = time.monotonic()
        reading.must_be_whole(reading.pulled(crm))
    assert 0.5 <= time.monotonic() - began < 10


def test_a_crm_that_never_replies_is_a_transient_error_in_bounded_time(
    org: Org,
) -> None:
    with Wire(org.there.url, Break(1, "hang", calls=99)) as wire:
        crm = org.connected(environment=by_wire(org, wire), timeout=(1.0, 0.2))
        with pytest.raises(TransientError):
            list(crm.pull("account"))
        assert wire.calls == 3


# Writing


def test_a_write_whose_answer_is_none_is_sent_again(writing: Writing) -> None:
    ids = writing.org.ids[:250]
    for place, kind in enumerate(OTHERS):
        writing.fault(kind)
        outcomes, error = writing.sent(tier(one, "AB"[place % 2]) for one in ids)
        assert error is None, kind
        assert states(outcomes) == dict.fromkeys(ids, "written"), kind
        writing.must_hold(dict.fromkeys(ids, "AB"[place % 2]))


@pytest.mark.parametrize("kind", ["reset", "reset_after_write", "truncated"])
def test_one_lost_answer_to_any_call_of_a_write_costs_nothing(
    writing: Writing, kind: str
) -> None:
    ids = writing.org.ids[:150]
    before = writing.org.calls
    outcomes, error = writing.sent(tier(one, "C") for one in ids)
    least = writing.org.calls - before
    for call in range(1, least + 1):
        before, value = writing.org.calls, "AB"[call % 2]
        writing.org.fault(kind, at=call)
        outcomes, error = writing.sent(tier(one, value) for one in ids)
        assert error is None, call
        assert states(outcomes) == dict.fromkeys(ids, "written")
        writing.must_hold(dict.fromkeys(ids, value))
        # A job whose upload is in doubt is stopped and made anew.
        assert writing.org.calls - before <= least + 4


@pytest.mark.parametrize("kind", ["reset", "reset_after_write", "unavailable", "empty"])
def test_answers_that_stay_lost_leave_unknown_what_may_be_written(
    writing: Writing, kind: str
) -> None:
    """The second batch is lost; the first is written and told, the third never sent."""
    ids = writing.org.ids[:450]
    is_job = writing.way.name == "ingest"
    route = "GET jobs/ingest/{job}" if is_job else ""
    writing.fault(kind, at=1 if is_job else 2, route=route, calls=99)
    outcomes, error = writing.sent(tier(one) for one in ids)
    assert isinstance(error, TransientError)
    size = {"collections": 200, "ingest": 450}.get(writing.way.name, 100)
    first = 0 if is_job else size
    said = Counter(states(outcomes).values())
    assert said == {"unknown": size, **({"written": first} if first else {})}
    unknown = [one for one, state in states(outcomes).items() if state == "unknown"]
    assert unknown == ids[first : first + size]
    is_done = kind in ("reset_after_write", "empty")
    if not is_job:
        writing.must_hold(dict.fromkeys(ids[: first + size * is_done], "A"))
    assert set(writing.tiers()) <= {*ids[:first], *unknown}


def test_a_write_whose_wire_breaks_is_written_once_and_told(writing: Writing) -> None:
    ids = writing.org.ids[:150]
    breaks = (
        Break(3, "cut_in_headers"), Break(5, "reset"), Break(7, "cut_in_body"),
    )  # fmt: skip
    with Wire(writing.org.there.url, *breaks) as wire:
        crm = writing.connected(environment=by_wire(writing.org, wire))
        outcomes, error = writing.sent((tier(one) for one in ids), crm)
    assert error is None
    assert states(outcomes) == dict.fromkeys(ids, "written")
    writing.must_hold(dict.fromkeys(ids, "A"))
