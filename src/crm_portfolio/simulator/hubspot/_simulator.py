"""What is a pretend HubSpot from outside: its switches, its state, its knobs?"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from crm_portfolio._folder import read_folder
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.schema import TableName
from crm_portfolio.simulator._calls import LoggedCall
from crm_portfolio.simulator._control import controlled
from crm_portfolio.simulator._faults import Fault
from crm_portfolio.simulator._given import Tables
from crm_portfolio.simulator._server import HOST, Reply, Request, Server
from crm_portfolio.simulator._store import Store, StoredValue
from crm_portfolio.simulator.hubspot import _auth
from crm_portfolio.simulator.hubspot._assumptions import Assumptions
from crm_portfolio.simulator.hubspot._buckets import Buckets, LimitsBy, Tier
from crm_portfolio.simulator.hubspot._desk import Desk
from crm_portfolio.simulator.hubspot._export_jobs import Exports
from crm_portfolio.simulator.hubspot._load import load
from crm_portfolio.simulator.hubspot._people import People
from crm_portfolio.simulator.hubspot._portal import PORTAL_ID, Portal, Values
from crm_portfolio.simulator.hubspot._time import Clock, iso

__all__ = ["HubSpot"]

Login = Literal["token", "oauth"]
Snapshot = dict[str, dict[str, dict[str, StoredValue]]]

_ACTS: Final = (
    "edit", "calculate", "delete", "purge", "merge", "link", "unlink", "hide_field",
    "change_field", "require", "revoke_scope", "keep_scopes", "expire_tokens",
)  # fmt: skip
_AUDIT: Final = frozenset({"hs_lastmodifieddate", "archivedAt"})


class HubSpot:
    """A stateful pretend HubSpot on loopback, refusing what the real one refuses.

    Args:
        data: A folder of model tables, or the tables; None: an empty portal.
        currency: The portal's own.
        tier: Which sets the limits, with ``add_ons`` bought.
        limits_by: Do the ten-second and one-second limits run on real time, on the
            simulated clock, or not at all? The day is always the simulated clock's.
        daily_limit: Calls before the portal refuses more; None: the tier's.
        index_lag: Seconds until search finds what was written.
        links_at: The address that next links name; None: the simulator's own.
        packs: Do replies go packed to clients that ask for gzip?
        assumptions: Answers to what is not verified about the real service.
    """

    def __init__(
        self,
        data: Path | str | Tables | None = None,
        *,
        currency: str = "USD",
        time_zone: str = "UTC",
        tier: Tier = "pro",
        add_ons: int = 0,
        limits_by: LimitsBy = "time",
        daily_limit: int | None = None,
        index_lag: float = 0,
        links_at: str | None = None,
        packs: bool = True,
        port: int = 0,
        assumptions: Assumptions | None = None,
    ) -> None:
        tables = read_folder(Path(data)) if isinstance(data, str | Path) else data or {}
        self._assumptions = assumptions or Assumptions()
        self._loaded = load(tables, currency=currency, time_zone=time_zone)
        self._currency, self._time_zone = currency, time_zone
        self._port, self._links_at, self._packs = port, links_at, packs
        self._index_lag = index_lag
        self._limits: dict[str, Any] = {
            "tier": tier,
            "add_ons": add_ons,
            "limits_by": limits_by,
            "daily": daily_limit,
        }
        self._server: Server | None = None
        self._lock = threading.RLock()
        self._logins = _auth.Logins(self._assumptions)
        self._begin()

    def __enter__(self) -> Self:
        self._server = Server(self._answer, port=self._port, packs=self._packs)
        self._portal.url = self._links_at or self.url
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.stop()
        self._portal.close()

    def __repr__(self) -> str:
        return (
            f"<pretend HubSpot {'at ' + self.url if self._server else 'not started'}>"
        )

    # How to reach it

    @property
    def url(self) -> str:
        if self._server is None:
            raise SettingsError(
                "the simulator is not running: use it in a with statement"
            )
        return f"http://{HOST}:{self._server.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which ``connect("hubspot")`` reaches it."""
        return self.environment_for("token")

    def environment_for(self, login: Login) -> dict[str, str]:
        """The same for another way to log in."""
        there = {"HUBSPOT_API_URL": self.url}
        if login == "token":
            return {**there, "HUBSPOT_ACCESS_TOKEN": self._logins.private_token}
        return {
            **there,
            "HUBSPOT_CLIENT_ID": _auth.CLIENT_ID,
            "HUBSPOT_CLIENT_SECRET": _auth.CLIENT_SECRET,
            "HUBSPOT_REFRESH_TOKEN": _auth.REFRESH_TOKEN,
        }

    # What happened

    @property
    def calls(self) -> Mapping[str, int]:
        """Calls per route since the start or the last reset, refused ones included."""
        return dict(self._desk.log.counts)

    @property
    def api_calls(self) -> int:
        """All calls but those for a token."""
        return self._desk.log.api_calls

    @property
    def arrivals(self) -> tuple[float, ...]:
        """When each call but those for a token came, in monotonic seconds."""
        return self._desk.log.arrivals

    @property
    def log(self) -> tuple[LoggedCall, ...]:
        """Every call in its order, and what came of it."""
        return self._desk.log.calls

    @property
    def portal_id(self) -> int:
        return PORTAL_ID

    @property
    def clock(self) -> Clock:
        return self._portal.clock

    @property
    def exports(self) -> Exports:
        """The bulk exports, and the knobs of how they go; a reset makes them anew."""
        return self._portal.exports

    @property
    def left_out(self) -> tuple[TableName, ...]:
        """Tables of the data that this simulator has no object for."""
        return self._loaded.left_out

    def ids(self, table: str) -> Mapping[str, str]:
        """The model's ids of a table and the record ids they became."""
        return self._loaded.keys[table]

    def record(self, name: str, record_id: str) -> dict[str, StoredValue]:
        """A record as it stands, archived and merged ones included."""
        with self._lock:
            return _shown(self._people.record(name, record_id))

    def snapshot(self, *names: str, audit: bool = False) -> Snapshot:
        """Every value that is not null, by object and id, to compare two states.

        Args:
            names: Only these objects; none means all.
            audit: Include when a record was last changed.
        """
        unlike = frozenset() if audit else _AUDIT
        with self._lock:
            kinds = [self._people.kind(n) for n in names or self._portal.kinds]
            return {
                kind: {
                    str(record_id): {
                        name: value
                        for name, value in _shown(record).items()
                        if value is not None and name not in unlike
                    }
                    for record_id, record in self._portal.every(kind).items()
                }
                for kind in kinds
            }

    @property
    def state(self) -> Mapping[str, Any]:
        """A few figures about this moment."""
        with self._lock:
            return {
                "crm": "hubspot",
                "clock": self.clock.now,
                "used_today": self._desk.limits.used_today,
                "daily_limit": self._desk.limits.daily_limit,
                "records": {
                    kind: count
                    for kind in self._portal.kinds
                    if (count := self._portal.count(kind))
                },
                "faults": list(self._desk.schedule),
            }

    # What to change

    def reset(self) -> None:
        """Back to the loaded data; counters, faults and knobs too. Tokens live on."""
        with self._lock:
            old = self._portal
            old.exports.close()
            kept = old.store.back()
            self._begin(old.store if kept else None)
            if not kept:
                old.store.close()

    def edit(self, name: str, record_id: str, values: Mapping[str, Any]) -> None:
        """Change a record as a person does; the rules for values hold."""
        with self._lock:
            self._people.edit(name, record_id, values)

    def calculate(self, name: str, record_id: str, values: Values) -> None:
        """Change what HubSpot itself calculates; the stamp moves as with any change."""
        with self._lock:
            self._people.calculate(name, record_id, values)

    def delete(self, name: str, record_id: str) -> None:
        """Put a record into the recycle bin, as a person does."""
        with self._lock:
            self._people.delete(name, record_id)

    def purge(self, name: str, record_id: str) -> None:
        """Delete for good, as the law may demand: not even the bin shows it."""
        with self._lock:
            self._people.purge(name, record_id)

    def merge(self, name: str, winner: str, *losers: str) -> None:
        """Let one record live on for others, as a person does."""
        with self._lock:
            self._people.merge(name, winner, losers)

    def link(
        self,
        name: str,
        record_id: str,
        other: str,
        other_id: str,
        label: str | None = None,
    ) -> None:
        """Link two records, with a label such as Primary."""
        with self._lock:
            self._people.link(name, record_id, other, other_id, label)

    def unlink(self, name: str, record_id: str, other: str, other_id: str) -> None:
        """Take every link between two records away."""
        with self._lock:
            self._people.unlink(name, record_id, other, other_id)

    def hide_field(self, name: str, field: str) -> None:
        """Let the app see a property no more."""
        with self._lock:
            self._people.hide_field(name, field)

    def change_field(self, name: str, field: str, **changes: Any) -> None:
        """Define a property anew: ``options``, ``type``, ``is_read_only`` and so on."""
        with self._lock:
            self._people.change_field(name, field, changes)

    def require(self, name: str, field: str, *, when: str = "", says: str = "") -> None:
        """Demand a property, always or where another one says something.

        It binds writes by the paths of 2026-09.
        """
        with self._lock:
            self._people.require(name, field, when, says)

    def revoke_scope(self, scope: str) -> None:
        """Take a scope from the app."""
        _must_be_scope(scope)
        with self._lock:
            self._logins.granted.discard(scope)

    def keep_scopes(self, *scopes: str) -> None:
        """Let the app have these scopes, and no others."""
        for scope in scopes:
            _must_be_scope(scope)
        with self._lock:
            self._logins.granted = set(scopes)

    def expire_tokens(self) -> None:
        """End every OAuth token, and rotate the private app's."""
        with self._lock:
            self._logins.expire()

    def fault(self, *faults: Fault) -> None:
        """Let these go wrong, besides those that were asked for before."""
        for fault in faults:
            if fault.act and fault.act[0] not in _ACTS:
                known = ", ".join(_ACTS)
                raise SettingsError(f"act: {fault.act[0]!r} is none of {known}")
        with self._lock:
            self._desk.schedule += faults

    # Inside

    def _begin(self, store: Store | None = None) -> None:
        """A portal with the loaded data, and all its counters at nought."""
        portal = Portal(
            self._loaded.definitions(),
            currency=self._currency,
            time_zone=self._time_zone,
            assumptions=self._assumptions,
            index_lag=self._index_lag,
            store=store,
        )
        self._loaded.fill(portal)
        portal.url = self._links_at or (self.url if self._server else portal.url)
        limits = Buckets(
            portal.clock, self._time_zone, self._assumptions, **self._limits
        )
        self._logins.begin(portal.clock)
        self._people = People(portal)
        self._desk = Desk(portal, self._logins, limits, self._act)

    def _act(self, name: str, *given: Any) -> None:
        if name == "change_field":
            *which, changes = given
            self.change_field(*which, **changes)
        else:
            getattr(self, name)(*given)

    def _answer(self, request: Request) -> Reply | None:
        steered = controlled(self, request)
        if steered is not None:
            return steered
        with self._lock:
            return self._desk.answer(request)

    @property
    def _portal(self) -> Portal:
        return self._desk.portal


def _shown(record: Mapping[str, Any]) -> dict[str, StoredValue]:
    """A record's properties, and what became of it."""
    told: dict[str, StoredValue] = {
        "hs_object_id": str(record["$id"]),
        "createdate": iso(record["$created"]),
        "hs_lastmodifieddate": iso(record["$updated"]),
        "archived": record["$archived"],
        "archivedAt": record["$archived_at"] and iso(record["$archived_at"]),
        "mergedInto": record["$merged_into"] and str(record["$merged_into"]),
    }
    return {**told, **{n: v for n, v in record.items() if not n.startswith("$")}}


def _must_be_scope(scope: str) -> None:
    if scope not in _auth.SCOPES:
        raise SettingsError(
            f"there is no scope {scope!r}{did_you_mean(scope, _auth.SCOPES)}"
        )
