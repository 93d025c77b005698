"""A CRM that fits on a page: it changes, forgets, merges, and tells what changed.

It is a source of its own, complete in all that a pull asks of one, so that what a pull
makes of increments can be compared with what it makes of the whole.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pytest

from crm_portfolio.protocols import (
    Batch,
    Change,
    Cursor,
    Forecast,
    Org,
    Outcome,
    Quota,
    gone_schema,
)
from crm_portfolio.schema import TABLES, TableName, arrow_type

AS_OF = date(2026, 6, 30)
BEGINNING = datetime(2026, 6, 1, tzinfo=UTC)
COLUMNS: dict[TableName, tuple[str, ...]] = {
    "account": ("account_id", "name", "parent_id", "activity_count", "created_on"),
    "opportunity": (
        "opportunity_id",
        "account_id",
        "status",
        "amount",
        "currency",
        "closed_on",
        "activity_count",
        "last_activity_on",
    ),
    "opportunity_change": ("opportunity_id", "changed_at", "field", "old", "new"),
    "stage": ("pipeline", "stage", "position", "status"),
    "exchange_rate": ("currency", "base", "from_on", "rate"),
    "owner": ("owner_id", "name"),
}
VOLATILE = {
    name: [c.name for c in TABLES[name].columns if c.is_volatile and c.name in columns]
    for name, columns in COLUMNS.items()
}
IDS = {name: TABLES[name].key[0] for name in ("account", "opportunity", "owner")}


@attrs.define(eq=False, slots=False)
class Ledger:
    """The CRM. Each change is a tick later than the one before.

    Attributes:
        rows_at_once: In one batch.
        order: "key", or "any": shuffled, and different from pull to pull of the same
            table at another time.
        at_call: Called with the number of each call, before it is answered.
    """

    tick: int = 1
    rows_at_once: int = 3
    order: str = "any"
    overlap: int = 2
    currency: str | None = "EUR"
    settings: str = "one"
    hidden: set[TableName] = attrs.field(factory=set)
    records: dict[str, dict[str, dict[str, Any]]] = attrs.field(factory=dict)
    stamps: dict[tuple[str, str], int] = attrs.field(factory=dict)
    left: list[tuple[int, str, str, str, str | None]] = attrs.field(factory=list)
    facts: list[tuple[int, dict[str, Any]]] = attrs.field(factory=list)
    calls: int = 0
    at_call: Callable[[int], None] = lambda number: None
    listed: list[str] = attrs.field(factory=list)
    asked_again: list[str] = attrs.field(factory=list)
    swallowed: dict[str, str] = attrs.field(factory=dict)  # into whom, without a word
    increments: list[str] = attrs.field(factory=list)
    views: dict[str, list[Any]] = attrs.field(factory=dict, repr=False)
    name: str = "ledger"

    # --- as people change it ---------------------------------------------------------

    def put(self, table: str, id_: str, **values: Any) -> None:
        """A record made or edited."""
        self.tick += 1
        held = self.records.setdefault(table, {})
        before = held.get(id_, {})
        held[id_] = {**before, **values}
        self.stamps[table, id_] = self.tick
        if table == "opportunity" and before.get("status") != held[id_].get("status"):
            moment = self.now().isoformat()
            fact = {"opportunity_id": id_, "changed_at": moment, "field": "status"}
            fact |= {"old": before.get("status"), "new": held[id_].get("status")}
            self.facts.append((self.tick, fact))

    def touch(self, table: str, id_: str, **values: Any) -> None:
        """What changes without a trace."""
        self.records[table][id_] |= values

    def delete(self, table: str, id_: str, *, reason: str = "deleted") -> None:
        self.tick += 1
        del self.records[table][id_]
        self.left.append((self.tick, table, id_, reason, None))

    def merge(self, loser: str, winner: str, *, rewrites: bool = True) -> None:
        """Two accounts become one; the CRM rewrites what named the loser, or does not."""
        self.tick += 1
        del self.records["account"][loser]
        self.left.append((self.tick, "account", loser, "merged", winner))
        if rewrites:
            for table, column in (
                ("opportunity", "account_id"),
                ("account", "parent_id"),
            ):
                for id_, record in list(self.records.get(table, {}).items()):
                    if record.get(column) == loser:
                        into = None if id_ == winner else winner
                        self.put(table, id_, **{column: into})

    def forget(self, table: str, id_: str) -> None:
        """A record goes, and nothing tells of it."""
        del self.records[table][id_]

    def smuggle(self, table: str, id_: str, **values: Any) -> None:
        """A record comes with an old stamp."""
        self.records.setdefault(table, {})[id_] = values
        self.stamps[table, id_] = 0

    def now(self) -> datetime:
        return BEGINNING + timedelta(minutes=self.tick)

    # --- as a pull sees it -----------------------------------------------------------

    def tables(self) -> Mapping[TableName, tuple[str, ...]]:
        return {name: c for name, c in COLUMNS.items() if name not in self.hidden}

    def org(self) -> Org:
        return Org("ledger", "L1", False, self.currency, "Europe/Paris")

    def fingerprint(self) -> str:
        return self.settings

    def pull(
        self,
        table: TableName,
        *,
        columns: Sequence[str] | None = None,
        since: Cursor | None = None,
        resume: Cursor | None = None,
    ) -> Iterator[Batch]:
        start = json.loads(since.token)["upto"] if since is not None else None
        if since is not None:
            self.increments.append(table)
        token = {"upto": self.tick, "at": 0}
        if resume is not None:
            token = json.loads(resume.token)
        view = f"{table} {start} {token['upto']}"
        if resume is None or view not in self.views:
            self.views[view] = list(self._pieces(table, start))
        pieces = self.views[view]  # a cursor goes on in what was there when it began
        for at in range(int(token["at"]), len(pieces)):
            self._called()
            rows, gone = pieces[at]
            next_ = json.dumps({**token, "at": at + 1})
            cursor = Cursor(table, next_, self._moment(int(token["upto"])))
            yield Batch(table, rows, cursor, gone, is_last=at + 1 == len(pieces))

    def present(self, table: TableName) -> Iterator[pa.Table]:
        self.listed.append(table)
        names = [*TABLES[table].key, *VOLATILE[table]]
        for rows in self._sliced(table, self._all(table), names):
            self._called()
            yield rows

    def again(self, table: TableName, ids: Sequence[str]) -> Batch:
        self._called()
        self.asked_again += ids
        held = self.records[table]
        rows = [{IDS[table]: id_, **held[id_]} for id_ in ids if id_ in held]
        merged = [
            {"id": id_, "reason": "merged", "merged_into": self.swallowed[id_]}
            for id_ in ids
            if id_ in self.swallowed
        ]
        gone = pa.Table.from_pylist(merged, schema=gone_schema())
        return Batch(
            table, _table(table, rows, COLUMNS[table]), None, gone, is_last=True
        )

    def forecast(
        self,
        tables: Sequence[TableName],
        *,
        since: Mapping[TableName, Cursor] | None = None,
    ) -> Forecast:
        return Forecast(dict.fromkeys(tables, 1))

    def read(
        self, table: TableName, ids: Sequence[str], columns: Sequence[str]
    ) -> pa.Table:
        raise AssertionError("a pull reads no single records")

    def write(self, table: TableName, changes: Iterable[Change]) -> Iterator[Outcome]:
        raise AssertionError("a pull writes nothing")

    def quota(self) -> Quota | None:
        return None

    def _called(self) -> None:
        self.calls += 1
        self.at_call(self.calls)

    def _moment(self, tick: int) -> datetime:
        return BEGINNING + timedelta(minutes=tick)

    def _pieces(
        self, table: TableName, start: int | None
    ) -> Iterator[tuple[pa.Table, pa.Table | None]]:
        names = COLUMNS[table]
        if start is None:
            for rows in self._sliced(table, self._all(table), names):
                yield rows, None
            return
        if table == "opportunity_change":
            told = [
                fact for tick, fact in self._facts() if tick >= start - self.overlap
            ]
            for rows in self._sliced(table, told, names):
                yield rows, None
            return
        # Newest last, and some of it twice: an older state may come before.
        changed = [
            {IDS[table]: id_, **record}
            for id_, record in sorted(self.records.get(table, {}).items())
            if self.stamps[table, id_] >= start - self.overlap
        ]
        for rows in self._sliced(table, [*changed, *changed[::-2]], names):
            yield rows, None
        reread = [IDS[table], *VOLATILE[table]]
        if len(reread) > 1:
            for rows in self._sliced(table, self._all(table), reread):
                yield rows, None
        yield _table(table, [], reread), self._gone(table, start)

    def _gone(self, table: str, start: int) -> pa.Table:
        rows = [
            {"id": id_, "reason": reason, "merged_into": into, "at": self._moment(tick)}
            for tick, whose, id_, reason, into in self.left
            if whose == table and tick >= start - self.overlap
            if id_ not in self.records.get(table, {})
        ]
        return pa.Table.from_pylist(rows, schema=gone_schema())

    def _all(self, table: TableName) -> list[dict[str, Any]]:
        if table == "opportunity_change":
            rows = [fact for _, fact in self._facts()]
        elif table in IDS:
            held = self.records.get(table, {})
            rows = [{IDS[table]: id_, **record} for id_, record in sorted(held.items())]
        else:
            rows = list(self.records.get(table, {}).values())
        if self.order == "any":
            random.Random(f"{table} {self.tick}").shuffle(rows)
        return rows

    def _facts(self) -> list[tuple[int, dict[str, Any]]]:
        """Those of opportunities that are there; what one was before goes with it."""
        there = self.records.get("opportunity", {})
        return [(tick, f) for tick, f in self.facts if f["opportunity_id"] in there]

    def _sliced(
        self, table: TableName, rows: list[dict[str, Any]], names: Sequence[str]
    ) -> Iterator[pa.Table]:
        for at in range(0, len(rows), self.rows_at_once) or (0,):
            yield _table(table, rows[at : at + self.rows_at_once], names)


def _table(
    table: TableName, rows: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> pa.Table:
    spec = TABLES[table]
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        typed = spec[name].type in {"money", "integer"}
        columns[name] = pa.array(
            values, arrow_type(spec[name]) if typed else pa.string()
        )
    return pa.table(columns)


def small() -> Ledger:
    """A CRM with a bit of everything."""
    ledger = Ledger()
    for n in range(7):
        parent = f"a{n - 1}" if n in {2, 3} else None
        ledger.put(
            "account", f"a{n}", name=f"Account {n}", parent_id=parent, activity_count=n
        )
    for n in range(11):
        ledger.put(
            "opportunity",
            f"o{n}",
            account_id=f"a{n % 7}",
            status=("open", "won", "lost")[n % 3],
            amount=n * 10.015,
            currency=("EUR", "USD")[n % 2],
            closed_on="2026-05-01" if n % 3 else None,
            activity_count=n,
        )
    ledger.put("owner", "u1", name="One")
    ledger.put("stage", "s", pipeline="p", stage="s", position=1, status="open")
    for day, rate in (("2026-01-01", "0.9"), ("2026-05-01", "0.95")):
        ledger.put(
            "exchange_rate", day, currency="USD", base="EUR", from_on=day, rate=rate
        )
    return ledger


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a portfolio, without what the pull keeps beside it."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def ledger() -> Ledger:
    return small()


@pytest.fixture(scope="session")
def make_ledger() -> Callable[[], Ledger]:
    return small


@pytest.fixture(scope="session")
def bytes_of() -> Callable[[Path], dict[str, bytes]]:
    return content
