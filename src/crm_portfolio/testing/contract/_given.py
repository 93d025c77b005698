"""What does the author of a source or connector give, so that the contract can run?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import pyarrow as pa
import pytest

from crm_portfolio.connectors.authoring import Window
from crm_portfolio.protocols import Connector, Cursor, Source
from crm_portfolio.schema import TableName
from crm_portfolio.testing.contract._pretend import Fallible, Merging, Pretend, Trouble
from crm_portfolio.testing.contract._rows import ids_in

__all__ = ["Given", "GivenCrm", "Opened", "Thrifty", "calls_of", "strike"]

Opened: TypeAlias = Callable[[], Source]
Thrifty: TypeAlias = Callable[[int], Source]


class Given:
    """The fixtures of a source's contract."""

    time_zone: str = "UTC"
    resumes: bool = True  # batches carry cursors
    increments: bool = True  # takes ``since``
    secrets: Sequence[str] = ()  # texts that must be shown nowhere

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError("give the fixture `opened`: () -> Source")

    @pytest.fixture
    def holds(self) -> Mapping[TableName, pa.Table]:
        raise NotImplementedError("give the fixture `holds`: table -> its rows")

    @pytest.fixture
    def longest(self, holds: Mapping[TableName, pa.Table]) -> TableName:
        """The table with most rows, which is to fill three batches."""
        return max(holds, key=lambda name: len(holds[name]))

    def shows_a_secret(self, *shown: str) -> bool:
        return any(secret in text for secret in self.secrets for text in shown)

    @staticmethod
    def stored(cursor: Cursor | None) -> Cursor:
        """The cursor as it comes back from a file."""
        import json

        assert cursor is not None, (
            "a batch has no cursor: give it one, or say `resumes = False`"
        )
        token = json.loads(json.dumps(cursor.token))
        return Cursor(cursor.table, token, cursor.taken_at)


class GivenCrm(Given):
    """The fixtures of a connector's contract."""

    renews: bool = True  # the log-in can be renewed without a person
    forecast_slack: int = 5  # calls by which a forecast may miss

    @pytest.fixture
    def pretend(self) -> Pretend:
        raise NotImplementedError("give the fixture `pretend`: the CRM behind `opened`")

    @pytest.fixture
    def thrifty(self) -> Thrifty:
        raise NotImplementedError("give the fixture `thrifty`: calls -> Connector")

    @pytest.fixture
    def narrow(self) -> tuple[Opened, Window]:
        """A connector whose CRM takes few calls in a short time, and that limit."""
        pytest.skip("give the fixture `narrow` to have the pace looked at")

    @pytest.fixture
    def bare(self) -> Opened:
        """A connector to a CRM that lacks the managed fields."""
        pytest.skip("give the fixture `bare` to have the setting up looked at")

    @pytest.fixture
    def crm(self, opened: Opened) -> Connector:
        connector = opened()
        assert isinstance(connector, Connector), (
            "what `opened` makes lacks a method of crm_portfolio.protocols.Connector"
        )
        return connector

    @pytest.fixture
    def ids(self, crm: Connector) -> list[str]:
        """Ids of accounts, sorted."""
        ids = sorted(ids_in(list(crm.pull("account", columns=["account_id"]))))
        assert len(ids) >= 5, "give the pretend CRM five accounts or more"
        return ids

    @pytest.fixture
    def fallible(self, pretend: Pretend) -> Fallible:
        if not isinstance(pretend, Fallible):
            pytest.skip("the pretend CRM has no `trouble` and `calls_elsewhere`")
        return pretend

    @pytest.fixture
    def merging(self, pretend: Pretend) -> Merging:
        if not isinstance(pretend, Merging):
            pytest.skip("the pretend CRM has no `merge`")
        return pretend

    @pytest.fixture
    def since_start(self, opened: Opened) -> Cursor:
        """The cursor of a whole pull of the accounts."""
        return self.since_now(opened)

    def since_now(self, opened: Opened) -> Cursor:
        if not self.increments:
            pytest.skip("this connector is read whole each time")
        return self.stored(list(opened().pull("account"))[-1].cursor)


def strike(crm: Fallible, kind: Trouble, *, at_call: int = 1, calls: int = 1) -> None:
    """Let the CRM fail, or skip the test if it does not know how."""
    try:
        crm.trouble(kind, at_call=at_call, calls=calls)
    except NotImplementedError as error:
        pytest.skip(f"the pretend CRM does not fail by {kind!r}: {error}")


def calls_of(pretend: Pretend, act: Callable[[], object]) -> int:
    """The calls that arrive while this is done."""
    before = pretend.api_calls
    act()
    return pretend.api_calls - before
