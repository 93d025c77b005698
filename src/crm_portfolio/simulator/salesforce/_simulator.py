"""What is a pretend Salesforce from outside: its switches, its state, its knobs?"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import attrs

from crm_portfolio._folder import read_folder
from crm_portfolio.errors import SettingsError
from crm_portfolio.schema import TableName
from crm_portfolio.simulator._calls import LoggedCall
from crm_portfolio.simulator._control import controlled
from crm_portfolio.simulator._faults import Fault
from crm_portfolio.simulator._server import HOST, Reply, Request, Server
from crm_portfolio.simulator._store import Store, StoredValue
from crm_portfolio.simulator.salesforce import _auth
from crm_portfolio.simulator.salesforce._assumptions import Assumptions
from crm_portfolio.simulator.salesforce._front import Front
from crm_portfolio.simulator.salesforce._jobs import Bulk
from crm_portfolio.simulator.salesforce._load import (
    ORG_ID,
    SOMEONE_ID,
    USER_ID,
    Switches,
    load,
)
from crm_portfolio.simulator.salesforce._model import Tables
from crm_portfolio.simulator.salesforce._org import Clock, Org
from crm_portfolio.simulator.salesforce._people import People
from crm_portfolio.simulator.salesforce._rules import Rules
from crm_portfolio.simulator.salesforce._setup import custom_field

__all__ = ["Salesforce"]

Login = Literal["client_credentials", "jwt", "session", "password"]
Snapshot = dict[str, dict[str, dict[str, StoredValue]]]

_AUDIT: Final = frozenset({"SystemModstamp", "LastModifiedDate", "LastModifiedById"})
_ACTS: Final = (
    "advance",
    "archive",
    "change_field",
    "delete",
    "edit",
    "expire_tokens",
    "hard_delete",
    "hide_field",
    "keep_rights",
    "lock",
    "merge",
    "recalculate",
    "revoke_right",
    "stamp",
    "undelete",
)


class Salesforce:
    """A stateful pretend Salesforce on loopback, refusing what the real one refuses.

    Args:
        data: A folder of model tables, or the tables; None: an empty org.
        currency: The org's own.
        daily_limit: API calls before the org refuses more.
        allows_password_grant: Is the OAuth password flow switched on?
        allows_soap_login: Is the old log-in by SOAP, up to API 64.0?
        fields: More custom fields, visible from the start: ``Object.Name__c`` to the
            ``Metadata`` that the Tooling API takes.
        bulk: How Bulk API 2.0 behaves where the vendor leaves it open.
        switches: What the org has besides its data: person accounts, currencies, custom
            objects, tracked fields.
        assumptions: Answers to what is not verified about the real service.
    """

    def __init__(
        self,
        data: Path | str | Tables | None = None,
        *,
        currency: str = "USD",
        time_zone: str = "UTC",
        is_sandbox: bool = True,
        port: int = 0,
        daily_limit: int = 100_000,
        allows_password_grant: bool = False,
        allows_soap_login: bool = True,
        fields: Mapping[str, Mapping[str, Any]] | None = None,
        bulk: Bulk | None = None,
        switches: Switches | None = None,
        assumptions: Assumptions | None = None,
    ) -> None:
        tables = read_folder(Path(data)) if isinstance(data, str | Path) else data or {}
        self._assumptions = assumptions or Assumptions()
        self._loaded = load(
            tables,
            currency=currency,
            time_zone=time_zone,
            is_sandbox=is_sandbox,
            assumptions=self._assumptions,
            switches=switches or Switches(),
        )
        self._port, self._daily_limit = port, daily_limit
        self._more_fields = dict(fields or {})
        self._bulk = bulk or Bulk()
        self._logins = _auth.Logins(
            org_id=ORG_ID,
            user_id=USER_ID,
            allows_password=allows_password_grant,
            allows_soap=allows_soap_login,
        )
        self._server: Server | None = None
        self._lock = threading.RLock()
        self._begin()

    def __enter__(self) -> Self:
        self._server = Server(self._answer, port=self._port)
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
        self._front.jobs.close()
        self._org.store.close()

    def __repr__(self) -> str:
        return f"<pretend Salesforce {'at ' + self.url if self._server else 'not started'}>"

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
        """The environment in which ``connect("salesforce")`` reaches it."""
        return self.environment_for("client_credentials")

    def environment_for(self, login: Login) -> dict[str, str]:
        """The same for another way to log in."""
        there = {"SALESFORCE_INSTANCE_URL": self.url}
        if login == "session":
            return {**there, "SALESFORCE_ACCESS_TOKEN": self._logins.open_session()}
        if login == "password":
            return {
                **there,
                "SALESFORCE_USERNAME": _auth.USERNAME,
                "SALESFORCE_PASSWORD": _auth.PASSWORD,
                "SALESFORCE_SECURITY_TOKEN": _auth.SECURITY_TOKEN,
            }
        client = {**there, "SALESFORCE_CLIENT_ID": _auth.CLIENT_ID}
        if login == "jwt":
            key = self._logins.private_key
            return {
                **client,
                "SALESFORCE_USERNAME": _auth.USERNAME,
                "SALESFORCE_PRIVATE_KEY": key,
            }
        return {**client, "SALESFORCE_CLIENT_SECRET": _auth.CLIENT_SECRET}

    # What happened

    @property
    def calls(self) -> Mapping[str, int]:
        """Calls per route since the start or the last reset, refused ones included."""
        return dict(self._front.log.counts)

    @property
    def api_calls(self) -> int:
        """All calls but those for a token, as the org counts them against its limit."""
        return self._front.log.api_calls

    @property
    def arrivals(self) -> tuple[float, ...]:
        """When each call but those for a token came, in monotonic seconds."""
        return self._front.log.arrivals

    @property
    def log(self) -> tuple[LoggedCall, ...]:
        """Each call since the start or the last reset, in order, and what came of it."""
        return self._front.log.calls

    @property
    def state(self) -> Mapping[str, Any]:
        """The org at a glance: its clock, records per object, jobs, faults to come."""
        with self._lock:
            org = self._org
            return {
                "clock": org.clock.now,
                "records": {
                    entity.name: org.store.count(entity.name)
                    for entity in org.catalogue.all()
                },
                "jobs": [job.shown() for job in self._front.jobs],
                "faults": self._front.schedule,
                "api_calls": self.api_calls,
                "daily_limit": self._daily_limit,
            }

    @property
    def org_id(self) -> str:
        return ORG_ID

    @property
    def user_id(self) -> str:
        """The user that the logins are for."""
        return USER_ID

    @property
    def clock(self) -> Clock:
        return self._org.clock

    @property
    def rules(self) -> Rules:
        """The customer's own rules and limits, to be changed in place."""
        return self._org.rules

    @property
    def left_out(self) -> tuple[TableName, ...]:
        """Tables of the data that this simulator has no object for."""
        return self._loaded.left_out

    def ids(self, table: TableName) -> Mapping[str, str]:
        """The model's ids and the record ids they became."""
        return self._loaded.keys[table]

    def record(self, name: str, record_id: str) -> dict[str, StoredValue]:
        """A record as it stands, hidden fields and deleted records included."""
        with self._lock:
            return self._people.record(name, record_id)

    def snapshot(self, *names: str, audit: bool = False) -> Snapshot:
        """Every value that is not null, by object and id, to compare two states.

        Args:
            names: Only these objects; none means all.
            audit: Include who changed a record last, and when.
        """
        with self._lock:
            chosen = map(self._people.entity, names)
            return {
                entity.name: {
                    str(record["Id"]): {
                        name: value
                        for name, value in record.items()
                        if value is not None and (audit or name not in _AUDIT)
                    }
                    for record in self._org.store.records(entity.name)
                }
                for entity in (chosen if names else self._org.catalogue.all())
            }

    # What to change

    def reset(self) -> None:
        """Back to the loaded data; counters, faults and knobs too. Sessions live on."""
        with self._lock:
            old = self._org.store
            self._front.jobs.close()
            kept = old.back()
            self._begin(old if kept else None)
            if not kept:
                old.close()

    def edit(self, name: str, record_id: str, values: Mapping[str, Any]) -> None:
        """Change a record as a person does: another user, who sees every field."""
        with self._lock:
            self._people.edit(name, record_id, values)

    def delete(self, name: str, record_id: str) -> None:
        """Put a record into the recycle bin, as a person does."""
        with self._lock:
            self._people.delete(name, record_id)

    def undelete(self, name: str, record_id: str) -> None:
        """Take a record out of the recycle bin, and what went there with it."""
        with self._lock:
            self._people.undelete(name, record_id)

    def hard_delete(self, name: str, record_id: str) -> None:
        """Delete a record for good: not even queryAll shows it."""
        with self._lock:
            self._people.hard_delete(name, record_id)

    def stamp(self, name: str, *record_ids: str) -> int:
        """Let an automation write many records in the same second; none said: all."""
        with self._lock:
            return self._people.stamp(name, record_ids or None)

    def archive(self, name: str, *record_ids: str) -> None:
        """Put activities where only queryAll finds them."""
        with self._lock:
            self._people.archive(name, record_ids)

    def recalculate(self, name: str, record_id: str, values: Mapping[str, Any]) -> None:
        """Give a formula or a roll-up another value: the record's stamps do not move."""
        with self._lock:
            self._people.recalculate(name, record_id, values)

    def merge(self, name: str, winner: str, *losers: str) -> None:
        """Merge records, as a person does: the losers are deleted and name the winner."""
        with self._lock:
            self._people.merge(name, winner, losers)

    def lock(self, *record_ids: str, attempts: int = 1) -> None:
        """Let the next writes of these records fail because someone holds them."""
        with self._lock:
            for record_id in record_ids:
                self._org.locks[record_id] += attempts

    def hide_field(self, name: str, field: str) -> None:
        """Take a field out of the user's sight until a permission set grants it."""
        with self._lock:
            self._people.hide_field(name, field)

    def change_field(self, name: str, field: str, **changes: Any) -> None:
        """Let an administrator change a field: ``scale=0``, ``values=("A", "B")``."""
        with self._lock:
            self._people.change_field(name, field, changes)

    def revoke_right(self, right: str) -> None:
        """Take a right from the user: "Customize Application", "Edit Account" and so on."""
        with self._lock:
            self._org.access.revoke(right)

    def keep_rights(self, *rights: str) -> None:
        """Let the user have these rights, what comes with them, and no others."""
        with self._lock:
            self._org.access.keep_only(rights)

    def expire_tokens(self) -> None:
        """End every session; locators die with them."""
        with self._lock:
            self._logins.expire()
            self._front.pages.close()

    def fault(self, *faults: Fault) -> None:
        """Let these go wrong, besides those that were asked for before."""
        with self._lock:
            for fault in faults:
                self._must_know(fault)
            self._front.schedule += faults

    # Inside

    def _begin(self, store: Store | None = None) -> None:
        self._org = Org(
            self._loaded.catalogue(),
            self._loaded.records,
            org_id=ORG_ID,
            user_id=USER_ID,
            assumptions=self._assumptions,
            tracked=self._loaded.tracked,
            store=store,
        )
        self._people = People(self._org, SOMEONE_ID)
        for named, metadata in self._more_fields.items():
            entity = self._people.entity(named.partition(".")[0])
            field = custom_field(named.partition(".")[2], metadata)
            self._org.add_field(entity, attrs.evolve(field, needs_grant=False))
        self._front = Front(
            self._org,
            self._logins,
            url=lambda: self.url,
            daily_limit=self._daily_limit,
            bulk=self._bulk,
            act=self._act,
        )

    def _answer(self, request: Request) -> Reply | None:
        steering = controlled(self, request)
        if steering is not None:
            return steering
        with self._lock:
            return self._front.answer(request)

    def _must_know(self, fault: Fault) -> None:
        if fault.act and fault.act[0] not in _ACTS:
            raise SettingsError(f"act: {fault.act[0]!r} is none of {', '.join(_ACTS)}")

    def _act(self, name: str, *arguments: Any) -> None:
        subject = self.clock if name == "advance" else self
        getattr(subject, name)(*arguments)
