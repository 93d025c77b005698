"""A CRM in trouble: the ways by which it is read and written, and what is true of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs
import pyarrow as pa
from ways import EXPORT, MAIN, MANY_PAGES, READING, WRITING, Crm, Way

from crm_portfolio import schema
from crm_portfolio.connectors import hubspot, salesforce
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._login import login_from as hubspot_login
from crm_portfolio.connectors.hubspot._metadata import Portal
from crm_portfolio.connectors.hubspot._settings import HubSpotSettings
from crm_portfolio.connectors.salesforce._login import login_from as salesforce_login
from crm_portfolio.connectors.salesforce._tickets import forget_logins
from crm_portfolio.errors import ConnectorError
from crm_portfolio.protocols import Batch, Change, Cursor, Outcome
from crm_portfolio.simulator import Fault, HubSpot, Salesforce
from crm_portfolio.simulator.salesforce import Bulk

__all__ = [
    "ACCOUNTS",
    "CHANGED",
    "EXPORT",
    "IMPATIENT",
    "MAIN",
    "ODD_NAMES",
    "READING",
    "START",
    "WRITING",
    "Crm",
    "Org",
    "OrgOf",
    "Reading",
    "Watch",
    "Way",
    "Writing",
    "connected",
    "left",
    "rows",
    "states",
    "tables",
    "tier",
    "timed",
]

ACCOUNTS: Final = 620
CHANGED: Final = 205  # more than a page of any search, fewer than a third
ODD_NAMES: Final = (
    "NA", "null", "None", "nan", "#N/A", "TRUE", "0012", "1e5", '"', '"quoted", and more',
    "line one\nline two", "carriage\r\nreturn", "会社 Ångström", "a,b;c\td", "\\N",
)  # fmt: skip


HOUR: Final = 3_600
IMPATIENT: Final = RetrySettings(attempts=3, first_wait_seconds=0.0)
FIELDS: Final = (*schema.MANAGED["account"], *schema.HUMAN["account"])
NAMES: Final = {"salesforce": "Account", "hubspot": "companies"}
NAME: Final = {"salesforce": "Name", "hubspot": "name"}
TIER: Final = {"salesforce": "Portfolio_Tier__c", "hubspot": "portfolio_tier"}


def tables() -> dict[str, pa.Table]:
    names = [f"Account {place:03}" for place in range(ACCOUNTS)]
    names[: len(ODD_NAMES)] = ODD_NAMES
    ids = [f"A{place:03}" for place in range(ACCOUNTS)]
    return {"account": pa.table({"account_id": ids, "name": names})}


@attrs.frozen
class Org:
    """One pretend org of either CRM, in the words of neither."""

    crm: Crm
    there: Any  # Salesforce | HubSpot

    @property
    def ids(self) -> list[str]:
        return list(self.there.ids("account").values())

    @property
    def calls(self) -> int:
        return int(self.there.api_calls)

    @property
    def log_ins(self) -> int:
        return self.calls_of("/token")

    def calls_of(self, route: str) -> int:
        return sum(n for name, n in self.there.calls.items() if route in name)

    def forget_faults(self) -> None:
        """Those that were to last are over."""
        front = self.there._front if self.crm == "salesforce" else self.there._desk
        front.schedule = ()

    def fault(self, kind: str, *, at: int = 1, route: str = "", **how: Any) -> None:
        """From now on, at this call of these routes, or of all."""
        before = self.calls_of(route) if route else self.calls
        self.there.fault(Fault(before + at, kind, route=route, **how))

    def rename(self, record_id: str, name: str) -> None:
        self.there.edit(NAMES[self.crm], record_id, {NAME[self.crm]: name})

    def delete(self, record_id: str) -> None:
        self.there.delete(NAMES[self.crm], record_id)

    def merge(self, winner: str, loser: str) -> None:
        self.there.merge(NAMES[self.crm], winner, loser)

    def names(self) -> dict[str, object]:
        """Of the records that are there, as a person sees them."""
        found = self.there.snapshot(NAMES[self.crm])[NAMES[self.crm]]
        return {
            one: record.get(NAME[self.crm])
            for one, record in found.items()
            if not (record.get("IsDeleted") or record.get("archived"))
        }

    def rename_all(self, names: Mapping[str, str]) -> None:
        """At one moment, as a list of records is edited."""
        if self.crm == "hubspot":
            values = {int(one): {"name": name} for one, name in names.items()}
            self.there._portal.write("companies", values, source="CRM_UI")
            return
        self.there.clock.advance()
        stamp = self.there.clock.stored
        changed = [
            {"Id": one, "Name": name, "SystemModstamp": stamp}
            for one, name in names.items()
        ]
        self.there._org.store.update("Account", changed)

    def stamp_all(self, record_ids: Sequence[str]) -> None:
        """An automation writes many records at one moment."""
        if self.crm == "salesforce":
            self.there.stamp("Account", *record_ids)
            return
        values = {int(one): {"industry": "ACCOUNTING"} for one in record_ids}
        self.there._portal.write("companies", values, source="CRM_UI")

    def connected(self, way: Way | None = None, **settings: object) -> Any:
        return connected(self, way, **settings)


def connected(
    org: Org,
    way: Way | None = None,
    *,
    login: str = "",
    environment: Mapping[str, str] | None = None,
    **settings: object,
) -> Any:
    """A connector of its own log-in, as good as a new process."""
    forget_logins()
    chosen = {"retry": IMPATIENT, **(way.settings if way else {}), **settings}
    if org.crm == "salesforce":
        known = environment or org.there.environment_for(login or "client_credentials")
        return salesforce.Salesforce(
            salesforce_login(known), settings=salesforce.SalesforceSettings(**chosen)
        )
    pace = {"burst_calls": 10_000, "search_calls": 1_000, "exports": "never"}
    known = environment or org.there.environment_for(login or "oauth")
    return hubspot.HubSpot(
        hubspot_login(known), settings=HubSpotSettings(**{**pace, **chosen})
    )


@attrs.define
class Reading:
    """A table read in one way, and what it says when nothing goes wrong.

    Attributes:
        truth: The rows of an untroubled pull, in the order of their ids.
        least: The calls of an untroubled pull, log-ins not among them.
        places: Of these, the first and the last of each kind.
    """

    way: Way
    org: Org
    since: Cursor | None = None
    truth: list[dict[str, Any]] = attrs.field(factory=list, repr=False)
    gone: dict[str, str] = attrs.field(factory=dict)
    least: int = 0
    places: tuple[int, ...] = ()

    @classmethod
    def of(cls, way: Way, org: Org) -> Reading:
        found = cls(way, org)
        if way.is_increment:
            *_, last = found.connected().pull("account")
            found.since = last.cursor
            org.there.clock.advance(HOUR)
            org.rename_all(
                {
                    record_id: f"{ODD_NAMES[place % len(ODD_NAMES)]} {place}"
                    for place, record_id in enumerate(org.ids[-CHANGED:])
                }
            )
            org.delete(org.ids[20])
            org.there.clock.advance(120)
        found.learn()
        return found

    def learn(self) -> None:
        """Take what is there now for the truth."""
        before = len(self.org.there.log)
        batches = self.pulled()
        self.truth, self.gone = rows(batches), left(batches)
        made = [call.route for call in self.org.there.log[before:]]
        made = [route for route in made if "/token" not in route]
        self.least = len(made)
        ends = {made.index(route) + 1 for route in made}
        ends |= {len(made) - made[::-1].index(route) for route in made}
        self.places = tuple(sorted(ends))

    @property
    def under_way(self) -> int:
        """Calls that may have begun beside one, as pages come side by side."""
        return 6 if self.way.settings.get("bulk") == "always" else 0

    def connected(self, **settings: object) -> Any:
        return connected(self.org, self.way, **settings)

    def pulled(self, crm: Any = None, **how: Any) -> list[Batch]:
        return list(self.pulling(crm or self.connected(), **how))

    def pulling(self, crm: Any, **how: Any) -> Iterator[Batch]:
        return crm.pull("account", since=self.since, **how)

    def until_it_stops(self, crm: Any) -> tuple[list[Batch], ConnectorError | None]:
        """The batches that came, and the error that ended them."""
        came: list[Batch] = []
        try:
            came.extend(self.pulling(crm))
        except ConnectorError as error:
            return came, error
        return came, None

    def extend(self, came: list[Batch], crm: Any = None) -> list[Batch]:
        """With what is behind them, in another process."""
        behind = {"resume": came[-1].cursor} if came else {}
        return [*came, *self.pulled(crm, **behind)]

    def fault(self, kind: str, *, at: int = 2, route: str = "", **how: Any) -> None:
        """At this page from now on."""
        self.org.fault(kind, at=at, route=route or self.way.page, **how)

    def must_be_whole(self, batches: Iterable[Batch]) -> None:
        """The same rows, none twice, and who left."""
        whole = list(batches)
        # An increment may repeat a record, the newest last.
        assert rows(whole, may_repeat=self.way.is_increment) == self.truth
        assert left(whole) == self.gone
        assert [batch.is_last for batch in whole][-1:] == [True]

    def must_survive(
        self, kind: str, *, more: int = 1, at: int = 2, route: str = "", **how: Any
    ) -> None:
        """The fault strikes, and costs no more than so many calls and no row."""
        route = route or self.way.page
        self.fault(kind, at=at, route=route, **how)
        before, pages = self.org.calls, self.org.calls_of(route)
        self.must_be_whole(self.pulled())
        assert self.org.calls - before <= self.least + more, kind
        assert self.org.calls_of(route) - pages >= at, kind


class Watch:
    """A clock that sleep moves, and nobody waits for."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def timed(reading: Reading, watch: Watch) -> Any:
    """A connector to HubSpot by this watch."""
    crm = reading.connected()
    settings = crm._settings
    client = Client(crm._login, settings, clock=watch.clock, sleep=watch.sleep)
    crm._opened = client, Portal(client, settings)
    return crm


def rows(batches: Iterable[Batch], *, may_repeat: bool = False) -> list[dict[str, Any]]:
    """What is known behind them, by the ids."""
    known: dict[str, dict[str, Any]] = {}
    told: list[tuple[str, frozenset[str]]] = []
    for batch in batches:
        for row in batch.rows.to_pylist():
            told.append((row["account_id"], frozenset(row)))
            known.setdefault(row["account_id"], {}).update(row)
    assert may_repeat or len(told) == len(set(told)), "a record came twice"
    return [known[one] for one in sorted(known)]


def left(batches: Iterable[Batch]) -> dict[str, str]:
    return {
        row["id"]: row["reason"]
        for batch in batches
        if batch.gone is not None
        for row in batch.gone.to_pylist()
    }


@attrs.define
class Writing:
    """Accounts that are written in one way."""

    way: Way
    org: Org
    before: Mapping[str, Any] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        list(connected(self.org, self.way).provision(FIELDS, dry_run=False))
        self.before = self.state()

    def state(self) -> dict[str, dict[str, Any]]:
        name = NAMES[self.org.crm]
        return dict(self.org.there.snapshot(name)[name])

    def connected(self, **settings: object) -> Any:
        return connected(self.org, self.way, **settings)

    def fault(self, kind: str, *, at: int = 1, route: str = "", **how: Any) -> None:
        """At this write from now on."""
        self.org.fault(kind, at=at, route=route or self.way.page, **how)

    def sent(
        self, changes: Iterable[Change], crm: Any = None
    ) -> tuple[list[Outcome], ConnectorError | None]:
        """What came of them, and the error behind it."""
        came: list[Outcome] = []
        try:
            for outcome in (crm or self.connected()).write("account", list(changes)):
                came.append(outcome)
        except ConnectorError as error:
            return came, error
        return came, None

    def tiers(self) -> dict[str, Any]:
        """The tier of each record that has one."""
        name = TIER[self.org.crm]
        return {one: r[name] for one, r in self.state().items() if r.get(name)}

    def must_hold(self, tiers: Mapping[str, str]) -> None:
        """These tiers, and all else as it was."""
        assert self.tiers() == tiers
        name = TIER[self.org.crm]
        after = {
            one: {field: value for field, value in record.items() if field != name}
            for one, record in self.state().items()
        }
        assert after == self.before


def tier(record_id: str, after: str | None = "A") -> Change:
    return Change(record_id, "tier", None, after)


def states(outcomes: Iterable[Outcome]) -> dict[str, str]:
    """By the record; each may come once."""
    listed = [(outcome.change.record_id, outcome.state) for outcome in outcomes]
    assert len(dict(listed)) == len(listed)
    return dict(listed)


OrgOf: TypeAlias = Callable[[Crm], Org]
START: Final[Mapping[Crm, Callable[[], Any]]] = {
    "salesforce": lambda: Salesforce(
        tables(),
        currency="EUR",
        bulk=Bulk(polls=1, page_rows=MANY_PAGES["bulk_page_rows"]),
    ),
    "hubspot": lambda: HubSpot(tables(), currency="EUR", limits_by="nothing"),
}
