"""What is a pretend Salesforce from outside: its switches, its state, its knobs?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC
from email.utils import format_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import attrs

from crm_portfolio._folder import read_folder
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.schema import TableName
from crm_portfolio.simulator._faults import EFFECTS, Fault, fault_at
from crm_portfolio.simulator._server import HOST, Reply, Request, Server
from crm_portfolio.simulator._store import StoredValue
from crm_portfolio.simulator.salesforce import _auth
from crm_portfolio.simulator.salesforce._assumptions import Assumptions
from crm_portfolio.simulator.salesforce._call import Call
from crm_portfolio.simulator.salesforce._ids import to_18
from crm_portfolio.simulator.salesforce._load import (
    ORG_ID,
    SOMEONE_ID,
    USER_ID,
    load,
)
from crm_portfolio.simulator.salesforce._metadata import Field, SObject
from crm_portfolio.simulator.salesforce._model import Tables
from crm_portfolio.simulator.salesforce._org import Clock, Org
from crm_portfolio.simulator.salesforce._pages import Pages
from crm_portfolio.simulator.salesforce._refusal import Refusal
from crm_portfolio.simulator.salesforce._rest import Route, matched
from crm_portfolio.simulator.salesforce._setup import custom_field
from crm_portfolio.simulator.salesforce._write import Row, delete, update

__all__ = ["Salesforce"]

Login = Literal["client_credentials", "jwt", "session"]
Snapshot = dict[str, dict[str, dict[str, StoredValue]]]

_MAX_HEAD: Final = 16_384
_OLDEST, _NEWEST = 31, 68
_AUDIT: Final = frozenset({"SystemModstamp", "LastModifiedDate", "LastModifiedById"})
_FAULT_CODES: Final[Mapping[int, tuple[str, str]]] = {
    500: ("UNKNOWN_EXCEPTION", "An unexpected error occurred."),
    503: ("SERVER_UNAVAILABLE", "The server is temporarily unavailable."),
    401: ("INVALID_SESSION_ID", "Session expired or invalid"),
    403: ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
}


class Salesforce:
    """A stateful pretend Salesforce on loopback, refusing what the real one refuses.

    Args:
        data: A folder of model tables, or the tables; None: an empty org.
        currency: The org's own.
        daily_limit: API calls before the org refuses more.
        allows_password_grant: Is the OAuth password flow switched on?
        fields: More custom fields, visible from the start: ``Object.Name__c`` to the
            ``Metadata`` that the Tooling API takes.
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
        fields: Mapping[str, Mapping[str, Any]] | None = None,
        assumptions: Assumptions | None = None,
    ) -> None:
        tables = read_folder(Path(data)) if isinstance(data, str | Path) else data or {}
        self._assumptions = assumptions or Assumptions()
        self._loaded = load(
            tables,
            currency=currency,
            time_zone=time_zone,
            is_sandbox=is_sandbox,
            shows_currency=self._assumptions.shows_org_currency,
        )
        self._port, self._daily_limit = port, daily_limit
        self._more_fields = dict(fields or {})
        self._logins = _auth.Logins(
            org_id=ORG_ID, user_id=USER_ID, allows_password=allows_password_grant
        )
        self._server: Server | None = None
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
        return dict(self._calls)

    @property
    def api_calls(self) -> int:
        """All calls but those for a token, as the org counts them against its limit."""
        return self._api_calls

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
    def left_out(self) -> tuple[TableName, ...]:
        """Tables of the data that this simulator has no object for."""
        return self._loaded.left_out

    def ids(
        self, table: Literal["account", "opportunity", "owner"]
    ) -> Mapping[str, str]:
        """The model's ids and the record ids they became."""
        return self._loaded.keys[table]

    def record(self, name: str, record_id: str) -> dict[str, StoredValue]:
        """A record as it stands, hidden fields and deleted records included."""
        with self._org.store.lock:
            return self._record(self._entity(name), record_id)

    def snapshot(self, *names: str, audit: bool = False) -> Snapshot:
        """Every value that is not null, by object and id, to compare two states.

        Args:
            names: Only these objects; none means all.
            audit: Include who changed a record last, and when.
        """
        with self._org.store.lock:
            return {
                entity.name: {
                    str(record["Id"]): {
                        name: value
                        for name, value in record.items()
                        if value is not None and (audit or name not in _AUDIT)
                    }
                    for record in self._org.store.records(entity.name)
                }
                for entity in (
                    map(self._entity, names) if names else self._org.catalogue.all()
                )
            }

    # What to change

    def reset(self) -> None:
        """Back to the loaded data; counters, faults and knobs too. Sessions live on."""
        with self._org.store.lock:
            old = self._org
            self._begin()
        old.store.close()

    def edit(self, name: str, record_id: str, values: Mapping[str, Any]) -> None:
        """Change a record as a person does: another user, who sees every field."""
        with self._org.store.lock:
            row = Row(self._entity(name), record_id, values)
            (result,) = update(self._org, [row], by=self._person())
        if isinstance(result, Refusal):
            raise SettingsError(f"{result.code}: {result.message}")

    def delete(self, name: str, record_id: str) -> None:
        """Put a record into the recycle bin, as a person does."""
        with self._org.store.lock:
            entity = self._entity(name)
            found = self._record(entity, record_id)
            delete(self._org, entity, str(found["Id"]), by=self._person())

    def hide_field(self, name: str, field: str) -> None:
        """Take a field out of the user's sight until a permission set grants it."""
        with self._org.store.lock:
            entity = self._entity(name)
            known = _named(entity, field)
            hidden = attrs.evolve(known, needs_grant=True)
            self._org.hide_field(entity, known, hidden)

    def revoke_right(self, right: str) -> None:
        """Take a right from the user: "Customize Application", "Edit Account" and so on."""
        with self._org.store.lock:
            self._org.access.revoke(right)

    def expire_tokens(self) -> None:
        """End every session; locators die with them."""
        with self._org.store.lock:
            self._logins.expire()
            self._pages.close()

    def fault(self, *faults: Fault) -> None:
        """Let these go wrong, besides those that were asked for before."""
        self._schedule += faults

    # Inside

    def _begin(self) -> None:
        self._calls: Counter[str] = Counter()
        self._api_calls = 0
        self._schedule: tuple[Fault, ...] = ()
        self._org = Org(
            self._loaded.catalogue(),
            self._loaded.records,
            org_id=ORG_ID,
            user_id=USER_ID,
            assumptions=self._assumptions,
        )
        for named, metadata in self._more_fields.items():
            entity = self._entity(named.partition(".")[0])
            field = custom_field(named.partition(".")[2], metadata)
            self._org.add_field(entity, attrs.evolve(field, needs_grant=False))
        self._pages = Pages(self._org.store, self._org.clock)

    def _entity(self, name: str) -> SObject:
        found = self._org.catalogue.find(name)
        if found is None:
            known = [entity.name for entity in self._org.catalogue.all()]
            raise SettingsError(
                f"there is no object {name!r}{did_you_mean(name, known)}"
            )
        return found

    def _record(self, entity: SObject, record_id: str) -> dict[str, StoredValue]:
        full = to_18(record_id) or record_id
        found = self._org.store.records(entity.name, '"Id" = ?', [full])
        if not found:
            raise SettingsError(f"there is no {entity.name} {record_id}")
        return found[0]

    def _person(self) -> str:
        others = self._org.store.records("User", '"Id" <> ?', [USER_ID])
        return str(others[0]["Id"]) if others else SOMEONE_ID

    def _answer(self, request: Request) -> Reply | None:
        with self._org.store.lock:
            try:
                route, parts = matched(request)
            except Refusal as refusal:
                return self._finished(refusal.reply())
            self._calls[route.name] += 1
            is_login = route.handler is None
            self._api_calls += not is_login
            fault = fault_at(self._schedule, self._api_calls)
            if fault is not None and (not is_login or fault.kind == "gone"):
                effect = EFFECTS[fault.kind]
                if effect.acts:
                    self._replied(route, parts, request)
                if effect.status is None:
                    return None
                code, message = _FAULT_CODES[effect.status]
                failed = Refusal(code, message, status=effect.status)
                return self._finished(failed.reply())
            return self._finished(self._replied(route, parts, request))

    def _replied(
        self, route: Route, parts: Mapping[str, str], request: Request
    ) -> Reply:
        if route.handler is None:
            issued_at = int(self.clock.now.timestamp() * 1000)
            return self._logins.answer(request, url=self.url, issued_at=issued_at)
        if request.head_bytes > _MAX_HEAD:
            return Reply(self._assumptions.oversize_status)
        try:
            token = self._admitted(parts, request)
            call = Call(
                request, parts, token, self._pages, self._api_calls, self._daily_limit
            )
            return route.handler(self._org, call)
        except Refusal as refusal:
            return refusal.reply()

    def _admitted(self, parts: Mapping[str, str], request: Request) -> str:
        """The session of a request that may come in."""
        version = int(parts.get("version", f"v{_NEWEST}.0")[1:].partition(".")[0])
        if version < _OLDEST:
            message = (
                f"API version {version}.0 has been retired"  # vendor docs: 21 to 30
            )
            raise Refusal("GONE", message, status=410)
        if version > _NEWEST:
            message = "The requested resource does not exist"
            raise Refusal("NOT_FOUND", message, status=404)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._logins.is_live(token):
            raise Refusal(
                "INVALID_SESSION_ID", "Session expired or invalid", status=401
            )
        if not self._org.access.may("API Enabled"):
            message = "The REST API is not enabled for this Organization."
            raise Refusal("API_DISABLED_FOR_ORG", message, status=403)
        if self._api_calls > self._daily_limit:
            code, message = _FAULT_CODES[403]
            raise Refusal(code, message, status=403)
        return token

    def _finished(self, reply: Reply) -> Reply:
        used = min(self._api_calls, self._daily_limit)
        moment = format_datetime(self.clock.now.astimezone(UTC), usegmt=True)
        return attrs.evolve(
            reply,
            headers={
                "date": moment,
                "sforce-limit-info": f"api-usage={used}/{self._daily_limit}",
                **reply.headers,
            },
        )


def _named(entity: SObject, name: str) -> Field:
    if name not in entity.fields:
        raise SettingsError(
            f"{entity.name} has no field {name!r}{did_you_mean(name, entity.fields)}"
        )
    return entity.fields[name]
