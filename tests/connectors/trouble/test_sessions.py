"""Is a session that ends renewed once, and a spent day an end that can be gone on from?"""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from troubled import Org, Reading, Writing, states, tier

from crm_portfolio import pull
from crm_portfolio.connectors._pace import Ceilings
from crm_portfolio.connectors._retry import QuotaSpentError
from crm_portfolio.errors import LoginError

FIXED = {"salesforce": "session", "hubspot": "token"}
AS_OF = date(2026, 6, 30)


# 401


def test_a_session_that_ends_at_any_call_of_a_pull_is_renewed_once(
    reading: Reading,
) -> None:
    for call in reading.places:
        before, log_ins = reading.org.calls, reading.org.log_ins
        reading.org.fault("expired", at=call)
        reading.must_be_whole(reading.pulled())
        # A cursor of Salesforce's dies with its session: one call more.
        assert reading.org.calls - before <= reading.least + 2, call
        assert reading.org.log_ins - log_ins == 2


def test_every_session_may_end_while_pages_come(every_reading: Reading) -> None:
    reading = every_reading
    reading.fault("meanwhile", act=("expire_tokens",))
    before = reading.org.log_ins
    reading.must_be_whole(reading.pulled())
    assert reading.org.log_ins - before == 2


def test_a_session_refused_for_ever_is_a_log_in_error_at_any_call(
    reading: Reading,
) -> None:
    for call in reading.places:
        with_faults = reading.org.calls
        reading.org.fault("expired", at=call, calls=30)
        _, error = reading.until_it_stops(reading.connected())
        assert isinstance(error, LoginError), call
        # Each call that was under way, and once more after a log-in.
        assert reading.org.calls - with_faults <= call + 1 + 2 * reading.under_way
        reading.org.forget_faults()


def test_a_token_that_cannot_be_renewed_is_refused_once(reading: Reading) -> None:
    crm = reading.connected(login=FIXED[reading.way.crm])
    before, log_ins = reading.org.calls, reading.org.log_ins
    reading.org.fault("expired", calls=None)
    _, error = reading.until_it_stops(crm)
    assert isinstance(error, LoginError)
    assert reading.org.calls - before == 1
    assert reading.org.log_ins == log_ins


def test_a_log_in_that_is_refused_is_not_tried_for_ever(org: Org) -> None:
    org.fault("expired", route="/token", calls=None)
    with pytest.raises(LoginError):
        list(org.connected().pull("account"))
    assert org.log_ins == 1
    assert org.calls == 0


def test_a_session_that_ends_at_any_call_of_a_write_is_renewed_once(
    writing: Writing,
) -> None:
    ids = writing.org.ids[:150]
    for call in range(1, calls_of(writing, ids) + 1):
        value = "AB"[call % 2]
        writing.org.fault("expired", at=call)
        log_ins = writing.org.log_ins
        outcomes, error = writing.sent(tier(one, value) for one in ids)
        assert error is None
        assert states(outcomes) == dict.fromkeys(ids, "written")
        writing.must_hold(dict.fromkeys(ids, value))
        assert writing.org.log_ins - log_ins == 2


def test_a_session_refused_for_ever_at_a_write_leaves_all_as_it_was(
    writing: Writing,
) -> None:
    before = writing.org.calls
    writing.fault("expired", calls=None)
    outcomes, error = writing.sent(tier(one) for one in writing.org.ids[:250])
    assert isinstance(error, LoginError)
    assert outcomes == []  # a 401 changed nothing, so nothing is unknown
    assert writing.org.calls - before <= 8
    writing.must_hold({})


# The day's calls


def test_a_spent_day_ends_a_pull_at_once_and_the_next_one_goes_on(
    reading: Reading,
) -> None:
    for call in reading.places:
        before = reading.org.calls
        # Only that one call: whoever asked again would be answered.
        reading.org.fault("over_quota", at=call)
        came, error = reading.until_it_stops(reading.connected())
        assert isinstance(error, QuotaSpentError), call
        assert reading.org.calls - before <= call + reading.under_way
        reading.must_be_whole(reading.extend(came))


def test_what_was_read_before_the_day_was_spent_is_not_read_again(
    reading: Reading,
) -> None:
    """The connector's own log-in, identity and description, and one page at most."""
    # Side by side four pages are asked for at once, the fifth when the first has come.
    late = 5 if reading.way.name == "bulk-side-by-side" else 3
    reading.fault("over_quota", at=2 if reading.way.is_increment else late)
    before = reading.org.calls
    came, error = reading.until_it_stops(reading.connected())
    assert isinstance(error, QuotaSpentError)
    assert came
    reading.must_be_whole(reading.extend(came))
    assert reading.org.calls - before <= reading.least + 3 + 1 + reading.under_way


def test_a_spent_day_ends_a_write_and_tells_exactly_what_is_written(
    writing: Writing,
) -> None:
    ids = writing.org.ids[:450]
    is_job = writing.way.name == "ingest"
    route = "PUT jobs/ingest" if is_job else ""
    writing.fault("over_quota", at=1 if is_job else 2, route=route)
    outcomes, error = writing.sent(tier(one) for one in ids)
    assert isinstance(error, QuotaSpentError)
    done = {"collections": 200, "ingest": 0}.get(writing.way.name, 100)
    assert Counter(states(outcomes).values()) == ({"written": done} if done else {})
    writing.must_hold(dict.fromkeys(ids[:done], "A"))
    outcomes, error = writing.sent(tier(one) for one in ids[done:])
    assert error is None
    writing.must_hold(dict.fromkeys(ids, "A"))


def test_a_pull_to_a_folder_that_met_the_end_of_the_day_goes_on(
    org: Org, tmp_path: Path
) -> None:
    settings = {"tables": ("account", "owner"), "page_size": 200}
    if org.crm == "hubspot":
        del settings["page_size"]
    before = org.calls
    whole = pull(org.connected(**settings), as_of=AS_OF, into=tmp_path / "whole")
    all_calls = org.calls - before
    org.fault("over_quota", at=5)
    before = org.calls
    with pytest.raises(QuotaSpentError):
        pull(org.connected(**settings), as_of=AS_OF, into=tmp_path / "cut")
    # Another table that is under way beside it ends its batch, and no more.
    assert org.calls - before < all_calls
    found = pull(org.connected(**settings), as_of=AS_OF, into=tmp_path / "cut")
    files = [path.name for path in (tmp_path / "whole").glob("*.parquet")]
    assert files
    for name in files:
        ours, theirs = (tmp_path / place / name for place in ("cut", "whole"))
        assert ours.read_bytes() == theirs.read_bytes(), name
    assert len(found["account"]) == len(whole["account"]) == len(org.ids)


def test_a_share_of_the_day_is_left_for_everyone_else(org: Org) -> None:
    """The headers tell the quota; below the share no call is made."""
    crm = org.connected(
        login="token" if org.crm == "hubspot" else "",
        ceilings=Ceilings(min_quota_share=0.9999),
    )
    pulls = (list(crm.pull("account")) for _ in range(200))
    with pytest.raises(QuotaSpentError, match="min_quota_share"):
        list(pulls)
    quota = crm.quota()
    assert quota.remaining <= quota.limit * 0.9999
    assert quota.remaining >= quota.limit * 0.9999 - 1


def calls_of(writing: Writing, ids: list[str]) -> int:
    before = writing.org.calls
    outcomes, error = writing.sent(tier(one, "C") for one in ids)
    assert (len(outcomes), error) == (len(ids), None)
    return writing.org.calls - before
