"""Does a connector keep the CRM's pace and our ceilings, and count its calls rightly?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final, cast

import pytest

from crm_portfolio.connectors.authoring import Window
from crm_portfolio.errors import TransientError
from crm_portfolio.protocols import (
    Batching,
    Change,
    Connector,
    Forecast,
    Metered,
    Source,
    Tracing,
)
from crm_portfolio.schema import TableName
from crm_portfolio.testing.contract._given import (
    GivenCrm,
    Opened,
    Thrifty,
    calls_of,
    strike,
)
from crm_portfolio.testing.contract._pretend import Fallible, Pretend, Timed

__all__ = ["Paced"]

_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Paced(GivenCrm):
    """Windows, ceilings, quota, count and forecast."""

    @pytest.fixture
    def metered(self, crm: Connector) -> Metered:
        if not isinstance(crm, Metered):
            pytest.skip("this connector does not count its calls")
        return crm

    def test_it_is_never_faster_than_the_crm_allows(
        self, narrow: tuple[Opened, Window], pretend: Pretend
    ) -> None:
        if not isinstance(pretend, Timed):
            pytest.skip("the pretend CRM has no `arrivals`")
        opened, window = narrow
        crm, start = opened(), len(pretend.arrivals)
        with ThreadPoolExecutor(4) as pool:
            while len(pretend.arrivals) - start <= window.calls:
                list(pool.map(lambda _: list(crm.pull("account")), range(4)))
        moments = pretend.arrivals[start:]
        most = max(
            sum(0 <= moment - first < window.seconds for moment in moments)
            for first in moments
        )
        assert most <= window.calls, (
            f"{most} calls arrived within {window.seconds} s, where the CRM takes "
            f"{window.calls}: let every call pass one pace-maker"
        )

    def test_a_spent_quota_stops_at_once(
        self, opened: Opened, fallible: Fallible, pretend: Pretend
    ) -> None:
        strike(fallible, "over_quota", calls=10_000)
        before = pretend.api_calls
        with pytest.raises(TransientError):
            list(opened().pull("account"))
        calls = pretend.api_calls - before
        assert calls == 1, f"the day's calls were spent, and it made {calls} more"

    def test_a_ceiling_on_calls_is_never_crossed(
        self, opened: Opened, thrifty: Thrifty, pretend: Pretend, longest: TableName
    ) -> None:
        needed = calls_of(pretend, lambda: list(opened().pull(longest)))
        for most in sorted({1, 2, needed - 1}):
            before = pretend.api_calls
            with pytest.raises(TransientError):
                list(thrifty(most).pull(longest))
            calls = pretend.api_calls - before
            assert calls <= most, f"allowed {most} calls, it made {calls}"

    def test_a_ceiling_holds_for_repeats_too(
        self, thrifty: Thrifty, fallible: Fallible, pretend: Pretend
    ) -> None:
        strike(fallible, "unavailable", calls=10_000)
        before = pretend.api_calls
        with pytest.raises(TransientError):
            list(thrifty(2).pull("account"))
        calls = pretend.api_calls - before
        assert calls <= 2, f"allowed 2 calls, it made {calls}, repeats included"

    def test_the_quota_is_told_and_costs_nothing(
        self, crm: Connector, pretend: Pretend
    ) -> None:
        crm.org()
        before = crm.quota()
        if before is None:
            pytest.skip("this CRM does not tell of a quota")
        assert 0 <= before.remaining <= before.limit, f"a quota of {before}"
        list(crm.pull("account"))
        calls = calls_of(pretend, crm.quota)
        assert calls == 0, "say of the quota what the last answer said; make no call"
        after = crm.quota()
        assert after is not None
        assert after.remaining < before.remaining, (
            "calls were made, and the quota is as it was"
        )

    def test_every_call_is_counted(
        self, metered: Metered, crm: Connector, fallible: Fallible, pretend: Pretend
    ) -> None:
        crm.org()  # logged in from here on
        strike(fallible, "unavailable", at_call=2)
        before, counted = pretend.api_calls, metered.calls
        list(crm.pull("account"))
        arrived, counted = pretend.api_calls - before, metered.calls - counted
        assert counted == arrived, f"{arrived} calls arrived and {counted} were counted"

    def test_a_forecast_comes_true(self, opened: Opened, metered: Metered) -> None:
        names = list(cast("Source", metered).tables())
        fresh = opened()
        told = cast("Metered", fresh).forecast(names)
        cursors = {name: list(fresh.pull(name))[-1].cursor for name in names}
        self._near(told, fresh, "a whole pull")
        if self.increments:
            since = {name: self.stored(cursor) for name, cursor in cursors.items()}
            fresh = opened()
            told = cast("Metered", fresh).forecast(names, since=since)
            for name in names:
                list(fresh.pull(name, since=since[name]))
            self._near(told, fresh, "an increment")

    def test_a_forecast_of_writing_comes_true(
        self, opened: Opened, ids: list[str]
    ) -> None:
        crm = cast("Connector", opened())
        if not (isinstance(crm, Batching) and isinstance(crm, Metered)):
            pytest.skip("this connector does not say in what portions it is written")
        told, size = crm.write_forecast(len(ids)), crm.write_batch(len(ids))
        assert size >= 1, "a portion of records to write is at least one"
        assert not crm.calls, "saying what writing would cost is no reason for a call"
        for start in range(0, len(ids), size):
            part = ids[start : start + size]
            crm.read("account", part, ["tier"])
            list(crm.write("account", [Change(one, "tier", None, "A") for one in part]))
            if isinstance(crm, Tracing):
                crm.edits("account", part, ["tier"], since=_LONG_AGO)
        self._near(told, crm, "reading again and writing")

    def _near(self, told: Forecast, source: Source, what: str) -> None:
        made = cast("Metered", source).calls
        assert abs(told.calls - made) <= self.forecast_slack, (
            f"{what} was to take {told.calls} calls, asking included, and took {made}: "
            f"{dict(told.steps)}"
        )
