"""A plan states its calls before one is made, and they are what it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from crm_portfolio import simulator
from crm_portfolio.archive import Archive
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.protocols import Forecast, Org, Quota
from crm_portfolio.writeback import Limits, apply, plan
from crm_portfolio.writeback._portions import (
    calls_to_apply,
    canary_size,
    portion,
    write_forecast,
)

AT_ONCE = Limits(settle_seconds=0)


@attrs.frozen
class Plain:
    """A CRM that does not say in what portions it is best written."""

    name: str = "plain"

    def org(self) -> Org:
        return Org("plain", "1", True, None, "UTC")

    def read(self, table: Any, ids: Any, columns: Any) -> Any:
        raise AssertionError

    def quota(self) -> Quota | None:
        return None


@attrs.frozen
class Telling(Plain):
    """One that does: by the thousand, after a log-in."""

    def write_batch(self, count: int) -> int:
        return min(count, 1000)

    def write_forecast(self, count: int) -> Forecast:
        batches = -(-count // 1000)
        return Forecast({"log-in": 2, "re-read": batches, "write": 5 * batches})


@pytest.mark.parametrize(
    ("count", "size"), [(0, 0), (7, 7), (10, 10), (250, 10), (1000, 10), (5000, 50)]
)
def test_the_first_slice_is_one_in_a_hundred_and_at_least_ten(
    count: int, size: int
) -> None:
    assert canary_size(Limits(), count) == size


def test_without_a_first_slice_all_is_written_at_once() -> None:
    none = Limits(canary_share=0, canary_count=0)
    assert canary_size(none, 5000) == 0
    assert calls_to_apply(Plain(), none, {"account": 400}) == 3 * 2


def test_a_crm_that_does_not_say_is_written_by_200() -> None:
    assert portion(Plain(), 5000) == 200
    assert write_forecast(Plain(), 401).steps == {"re-read": 3, "write": 3}
    assert calls_to_apply(Plain(), Limits(), {"account": 0}) == 0
    assert calls_to_apply(Plain(), Limits(), {"account": 10}) == 3
    assert calls_to_apply(Plain(), Limits(), {"account": 11}) == 6
    assert calls_to_apply(Plain(), Limits(), {"account": 5000}) == 3 + 3 * 25


def test_one_that_says_is_believed_and_logged_in_to_once() -> None:
    assert portion(Telling(), 5000) == 1000
    assert portion(Telling(), 0) == 1
    assert calls_to_apply(Telling(), Limits(), {"account": 5}) == 2 + 7
    assert calls_to_apply(Telling(), Limits(), {"account": 5000}) == 2 + 7 + 7 * 5


def test_the_estimate_is_what_it_takes(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Callable[..., Any],
) -> None:
    for count in (3, 250):
        result = wanted({i: {"portfolio_rank": count} for i in ids[:count]})
        proposal = plan([result], crm, limits=AT_ONCE)
        calls = sim.api_calls
        apply(proposal, crm, archive=archive)
        assert sim.api_calls - calls == proposal.call_estimate
    nothing = plan([result], crm)
    assert (nothing.changes, nothing.call_estimate) == ((), 0)
