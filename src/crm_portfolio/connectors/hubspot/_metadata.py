"""What does a portal say of itself: who it is, its properties, stages, people and rates?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import RLock
from typing import Any, Final

import pyarrow as pa

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors._mapping import CONVERTERS, moments
from crm_portfolio.connectors.hubspot import _paths
from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._objects import page_of
from crm_portfolio.connectors.hubspot._refusals import unreadable
from crm_portfolio.connectors.hubspot._settings import HubSpotSettings
from crm_portfolio.connectors.hubspot._validation import Definitions, described
from crm_portfolio.errors import (
    ConnectorError,
    LoginError,
    RightMissingError,
    TransientError,
)
from crm_portfolio.protocols import Org
from crm_portfolio.schema import TableName

__all__ = ["SMALL", "Portal"]

# Tables that come in a call or two, whole every time, and their columns.
SMALL: Final[Mapping[TableName, tuple[str, ...]]] = {
    "stage": ("pipeline", "stage", "position", "status", "default_probability"),
    "owner": ("owner_id", "name", "is_active"),
    "exchange_rate": ("currency", "base", "from_on", "rate"),
}
_SANDBOXES: Final = frozenset({"SANDBOX", "DEVELOPER_TEST"})
_PROPERTIES, _RIGHT, _STAGES = "properties of ", "right to ", "pipelines of "
_PAGE: Final = ("limit", "100")


class Portal:
    """What is asked once for a connector object, whoever of its threads comes first."""

    def __init__(self, client: Client, settings: HubSpotSettings) -> None:
        self._client, self._settings = client, settings
        self._known: dict[str, Any] = {}
        self._is_used = False
        self._lock = RLock()

    def org(self) -> Org:
        said = self._details()
        return Org(
            vendor="hubspot",
            org_id=str(said["portalId"]),
            is_sandbox=str(said.get("accountType")) in _SANDBOXES,
            currency=said.get("companyCurrency") or self._settings.currency,
            time_zone=str(said["timeZone"]),
        )

    @property
    def has_several_currencies(self) -> bool:
        return bool(self._details().get("additionalCurrencies"))

    def kinds(self, kind: str) -> Mapping[str, str]:
        """Property → type, for every property of these objects."""
        return {name: one.type for name, one in self.definitions(kind).items()}

    def definitions(self, kind: str) -> Definitions:
        """What each property of these objects takes; one call, once."""
        known: Definitions = self._once(
            f"{_PROPERTIES}{kind}", lambda: described(self._client, kind)
        )
        return known

    def looked_up(self) -> Mapping[str, int]:
        """What was asked before a record is read, refusals included; a call each."""
        refused = [
            what
            for what, said in self._known.items()
            if what in SMALL and isinstance(said, RightMissingError)
        ]
        properties = [what for what in self._known if what.startswith(_PROPERTIES)]
        rights = [what for what in self._known if what.startswith(_RIGHT)]
        found = {"properties": len(properties), "rights": len(rights) + len(refused)}
        return {what: calls for what, calls in found.items() if calls}

    def is_described(self, kind: str) -> bool:
        """Whether its properties are known already, and cost no call."""
        return f"{_PROPERTIES}{kind}" in self._known

    def knows_stages(self, kind: str) -> bool:
        """Whether its pipelines are known already, and cost no call."""
        return f"{_STAGES}{kind}" in self._known

    @property
    def is_introduced(self) -> bool:
        """Whether it is known already who the portal is."""
        return "details" in self._known

    def forget(self, kind: str) -> None:
        """Ask again for the properties: some have just been made."""
        with self._lock:
            self._known.pop(f"{_PROPERTIES}{kind}", None)

    def used(self) -> None:
        """A pull stands on what is known now; the next one asks again."""
        with self._lock:
            self._is_used = True

    def refresh(self, *, anyway: bool = False) -> None:
        """Ask again for stages, owners, rates and refused rights, where they were used.

        What a forecast has asked for stands for the pull that follows.
        """
        with self._lock:
            if not (self._is_used or anyway):
                return
            self._is_used = anyway
            for what, said in list(self._known.items()):
                is_short_lived = what in SMALL or what.startswith(_STAGES)
                if is_short_lived or isinstance(said, RightMissingError):
                    del self._known[what]

    def must_be_readable(self, kind: str) -> None:
        """One call, once.

        Raises:
            RightMissingError: This login may not read these objects.
        """
        where, needs = f"reading {kind}", _paths.read_scope(kind)
        path, query = _paths.listing(kind), [("limit", "1")]
        self._once(
            f"{_RIGHT}{kind}",
            lambda: self._client.get(path, query=query, where=where, needs=needs),
        )

    def may_export(self) -> bool:
        """Whether this login may ask for exports; one call."""
        where = "asking after an export"
        try:
            # Some number: who may not ask is told so before it is looked for.
            self._client.get(_paths.export_status("1"), where=where)
        except RightMissingError:
            return False
        except (TransientError, LoginError):
            raise
        except ConnectorError:
            return True
        return True

    def stages(self, kind: str = "deals") -> pa.Table:
        """Each stage: ``here`` (the ids of pipeline and stage), its names, its status.

        The names are the labels that people see; where two are alike, with the id.
        """
        known: pa.Table = self._once(
            f"{_STAGES}{kind}", lambda: self._asked_stages(kind)
        )
        return known

    def small(self, table: TableName) -> pa.Table:
        """A whole table that comes in a call or two."""
        made: Mapping[TableName, Callable[[], pa.Table]] = {
            "stage": lambda: self.stages().select(list(SMALL["stage"])),
            "owner": self._owner,
            "exchange_rate": self._exchange_rate,
        }
        rows: pa.Table = self._once(table, made[table])
        return rows

    def _details(self) -> Mapping[str, Any]:
        def ask() -> Mapping[str, Any]:
            where = "asking who we are"
            body = self._client.get(_paths.ACCOUNT, where=where).body
            if not isinstance(body, dict) or not {"portalId", "timeZone"} <= set(body):
                raise unreadable(where)
            return body

        details: Mapping[str, Any] = self._once("details", ask)
        return details

    def _once(self, what: str, ask: Callable[[], Any]) -> Any:
        with self._lock:
            if what not in self._known:
                try:
                    self._known[what] = ask()
                except RightMissingError as refusal:
                    # Who asks for all tables meets it again and again; who named this
                    # one mends it, and goes on with the same connector.
                    if self._settings.tables != "all":
                        raise
                    self._known[what] = refusal
            known = self._known[what]
        if isinstance(known, RightMissingError):
            # Anew each time: one that is raised twice would grow by where it has been.
            raise RightMissingError(known.source, known.message, known.code)
        return known

    def _asked_stages(self, kind: str) -> pa.Table:
        where = f"reading the pipelines of {kind}"
        answer = self._client.get(
            _paths.pipelines(kind), where=where, needs=_paths.schema(kind)
        )
        pipelines = page_of(answer.body, where).records
        lines = _names(pipelines)
        rows = []
        for pipeline in pipelines:
            stages = sorted(pipeline["stages"], key=lambda stage: stage["displayOrder"])
            names = _names(stages)
            for place, stage in enumerate(stages, start=1):
                here = f"{pipeline['id']}\n{stage['id']}"
                named = lines[pipeline["id"]], names[stage["id"]]
                rows.append((here, *named, place, *_odds(stage)))
        return _table(("here", *SMALL["stage"]), rows)

    def _owner(self) -> pa.Table:
        rows = [
            (str(owner["id"]), _name(owner), not is_archived)
            for is_archived in (False, True)
            for owner in self._owners(is_archived=is_archived)
        ]
        # Who has left and come back is in both lists; whoever is here is here.
        first = {row[0]: row for row in reversed(rows)}
        return _table(SMALL["owner"], sorted(first.values()))

    def _owners(self, *, is_archived: bool) -> Iterator[Mapping[str, Any]]:
        where, after = "reading the owners", ""
        query = [_PAGE, ("archived", "true" if is_archived else "false")]
        while True:
            more = [("after", after)] if after else []
            answer = self._client.get(
                _paths.OWNERS,
                query=[*query, *more],
                where=where,
                needs=_paths.read_scope("owners"),
            )
            page = page_of(answer.body, where)
            yield from page.records
            if not page.after or page.after == after:
                return
            after = page.after

    def _exchange_rate(self) -> pa.Table:
        where, after = "reading the exchange rates", ""
        rows = []
        while True:
            more = [("after", after)] if after else []
            answer = self._client.get(
                _paths.EXCHANGE_RATES,
                query=[_PAGE, *more],
                where=where,
                needs="settings.currencies.read",
            )
            page = page_of(answer.body, where)
            rows += [_rate(said) for said in page.records]
            if not page.after or page.after == after:
                break
            after = page.after
        columns = list(zip(*rows, strict=True)) or [()] * 4
        # A rate holds from the portal's own midnight.
        moment = moments(pa.array(columns[2], pa.string()))
        days = CONVERTERS["day"]((moment,), self.org().time_zone)
        arrays = [
            pa.array(columns[0], pa.string()),
            pa.array(columns[1], pa.string()),
            days,
            pa.array(columns[3], pa.float64()),
        ]
        return pa.table(arrays, names=list(SMALL["exchange_rate"]))


def _odds(stage: Mapping[str, Any]) -> tuple[str, float | None]:
    """Won, lost or open, and the chance; metadata are text."""
    said = stage.get("metadata") or {}
    try:
        odds = float(said.get("probability", ""))
    except ValueError:
        return "open", None
    if str(said.get("isClosed")).lower() != "true":
        return "open", odds
    return ("won" if odds >= 1 else "lost"), odds


def _names(labelled: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Id → label; with the id where a label is not alone."""
    often = Counter(one["label"] for one in labelled)
    return {
        one["id"]: one["label"]
        if often[one["label"]] == 1
        else f"{one['label']} ({one['id']})"
        for one in labelled
    }


def _name(owner: Mapping[str, Any]) -> str | None:
    parts = (owner.get("firstName"), owner.get("lastName"))
    return " ".join(part for part in parts if part) or None


def _rate(said: Mapping[str, Any]) -> tuple[str, str, str, float]:
    key = _assumptions.RATE_KEYS
    try:
        return (
            str(said[key["currency"]]),
            str(said[key["base"]]),
            str(said.get(key["from"]) or said[key["made"]]),
            float(said[key["rate"]]),
        )
    except (KeyError, ValueError, TypeError):
        raise ConnectorError(
            "hubspot", "reading the exchange rates: one is not as documented"
        ) from None


def _table(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    types = {
        "position": pa.int64(),
        "default_probability": pa.float64(),
        "is_active": pa.bool_(),
    }
    return pa.table(
        {
            column: pa.array(values, types.get(column, pa.string()))
            for column, values in zip(names, columns, strict=True)
        }
    )
