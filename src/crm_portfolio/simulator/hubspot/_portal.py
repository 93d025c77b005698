"""What is one portal at this moment?

Each object type is a table: a column of text for each property, and columns of our own,
whose names begin with ``$`` so that no property can be called so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.simulator._store import SqlType, Store, quoted
from crm_portfolio.simulator.hubspot._assumptions import Assumptions
from crm_portfolio.simulator.hubspot._export_jobs import Exports
from crm_portfolio.simulator.hubspot._history import COLUMNS, first_values
from crm_portfolio.simulator.hubspot._implied import implied
from crm_portfolio.simulator.hubspot._kinds import KINDS, Kind, LinkType, kind_named
from crm_portfolio.simulator.hubspot._links import Links
from crm_portfolio.simulator.hubspot._prepared import (
    OURS,
    STAMPS,
    columns_of,
    prepared,
    set_columns,
)
from crm_portfolio.simulator.hubspot._rules import Rules
from crm_portfolio.simulator.hubspot._time import Clock

if TYPE_CHECKING:
    from crm_portfolio.simulator.hubspot._definitions import Definitions, Property

__all__ = ["HISTORY", "LIVE", "OURS", "PORTAL_ID", "STAMPS", "Portal", "Values"]

Values = Mapping[str, str | None]
Recalculate = Callable[
    ["Portal", str, Sequence[int] | None, frozenset[str] | None],
    Mapping[str, Iterable[int]],
]

PORTAL_ID: Final = 147_893_286
HISTORY: Final = "$history"
MERGED: Final = "hs_merged_object_ids"
LIVE: Final = 'NOT "$archived" AND "$merged_into" IS NULL'
_FIRST_MADE: Final = 400_000_000_001
_NOTHING: Final[Values] = {}


class Portal:
    """Records, properties, links and a clock.

    Attributes:
        url: What the links in replies begin with.
        version: Grows with every change, so that nothing stale is served.
        pipelines: By kind, as the API shows them.
        owners: As the API shows them.
        rules: What admins demand of every record.
        exports: What was asked for in bulk, and how that goes.
        feeds: By kind, the properties that something is calculated from; any if absent.
        recalculate: Renews what HubSpot calculates, and says what it changed.
        index_lag: Seconds until search shows what was written.
    """

    def __init__(
        self,
        definitions: Definitions,
        *,
        currency: str,
        time_zone: str,
        assumptions: Assumptions,
        index_lag: float = 0,
        store: Store | None = None,
    ) -> None:
        self.definitions = definitions
        self.currency, self.time_zone = currency, time_zone
        self.assumptions = assumptions
        self.portal_id, self.url = PORTAL_ID, "https://api.hubapi.com"
        self.clock = Clock()
        self.store = store or Store()
        self.kinds: dict[str, Kind] = dict(KINDS)
        self.links = Links(self.store)
        self.pipelines: dict[str, list[dict[str, Any]]] = {}
        self.owners: list[dict[str, Any]] = []
        self.currencies: dict[str, Any] = {}
        self.rules = Rules()
        self.exports = Exports()
        self.recalculate: Recalculate = lambda *_: {}
        self.feeds: Mapping[str, frozenset[str]] = {}
        self.version = 0
        self.index_lag = index_lag
        self._columns: dict[str, dict[str, None]] = {}
        self._hidden: set[tuple[str, str]] = set()
        self._made = _FIRST_MADE
        self.store.create(HISTORY, COLUMNS)
        for name in self.kinds:
            self._add_table(name)

    def close(self) -> None:
        self.exports.close()
        self.store.close()

    # Kinds and properties

    def kind(self, name: str) -> Kind | None:
        return kind_named(name, self.kinds)

    def add_kind(self, kind: Kind) -> None:
        """A custom object, whose properties are defined."""
        self.kinds[kind.name] = kind
        self._add_table(kind.name)

    def _add_table(self, name: str) -> None:
        texts = [p for p in self.definitions.of(name) if p not in STAMPS]
        self._columns[name] = dict.fromkeys(texts)
        columns = {**OURS, **dict.fromkeys(texts, "VARCHAR")}
        self.store.create(name, columns)  # type: ignore[arg-type]
        if self.index_lag > 0:
            until: Mapping[str, SqlType] = {"$until": "TIMESTAMP"}
            self.store.create(f"{name}$old", {**columns, **until})  # type: ignore[dict-item]

    def properties(self, kind: str) -> Mapping[str, Property]:
        """The properties that a login sees."""
        known = self.definitions.of(kind)
        hidden = {name for of, name in self._hidden if of == kind}
        return {n: p for n, p in known.items() if n not in hidden} if hidden else known

    def add_property(self, kind: str, prop: Property) -> None:
        """Define a property and make room for its values."""
        self.definitions.add(kind, prop)
        if prop.name not in self._columns[kind] and prop.name not in STAMPS:
            self._columns[kind][prop.name] = None
            self.store.add_column(kind, prop.name, "VARCHAR")
            if self.index_lag > 0:
                self.store.add_column(f"{kind}$old", prop.name, "VARCHAR")
        self.version += 1

    def hide(self, kind: str, name: str) -> None:
        """Let no login see a property, as if it had been archived."""
        self._hidden.add((kind, name))
        self.version += 1

    def stored(self, kind: str) -> Iterable[str]:
        """The properties that stand in a column of text."""
        return self._columns[kind].keys()

    # Loading

    def load(self, kind: str, rows: pa.Table) -> None:
        """Append ``id`` (int64) and columns of text, in the order of the ids.

        ``archived_at`` and ``merged_into`` put records out of sight.
        """
        stamp, now = self.kinds[kind].stamp, self.clock.stored
        made = prepared(rows, self._columns[kind], stamp=stamp, now=now)
        self.store.insert(kind, made)
        self.version += 1

    def load_links(self, links: pa.Table) -> None:
        """Append ``from_type, from_id, to_type, to_id, type_id``, both directions."""
        pairs = links.select(["from_type", "to_type"]).group_by(
            ["from_type", "to_type"]
        )
        for pair in pairs.aggregate([]).to_pylist():
            one, other = pair["from_type"], pair["to_type"]
            chosen = pc.and_(
                pc.equal(links["from_type"], one), pc.equal(links["to_type"], other)
            )
            self.links.load(one, other, links.filter(chosen))
        self.version += 1

    def load_history(self, rows: pa.Table) -> None:
        """Append ``object, id, property, value, at, source_type``."""
        self.store.insert(HISTORY, rows)

    # Reading

    def resolved(self, kind: str, ids: Iterable[int]) -> dict[int, int]:
        """From each id that means a live record to that record: the winner of a merge."""
        table, wanted = quoted(kind), list(dict.fromkeys(ids))
        # unverified: that the loser of a merge means anything
        follows = "TRUE" if self.assumptions.merged_read else "FALSE"
        sql = f"""
            WITH RECURSIVE asked AS (
                SELECT wanted, wanted AS now FROM (SELECT unnest(?::BIGINT[]) AS wanted)
                UNION ALL
                SELECT wanted, t."$merged_into" FROM asked JOIN {table} t ON t."$id" = now
                WHERE t."$merged_into" IS NOT NULL AND {follows})
            SELECT wanted, now FROM asked JOIN {table} t ON t."$id" = now
            WHERE {LIVE}"""  # noqa: S608
        return dict(self.store.rows(sql, [wanted]))

    def records(self, kind: str, ids: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Whole records by id, whatever became of them, ``$`` columns included."""
        names = [*OURS, *self._columns[kind]]
        found = self.store.rows(
            f"SELECT {', '.join(map(quoted, names))} FROM {quoted(kind)} "  # noqa: S608
            'WHERE "$id" IN (SELECT unnest(?::BIGINT[])) ORDER BY "$id"',
            [list(ids)],
        )
        return {row[0]: dict(zip(names, row, strict=True)) for row in found}

    def every(self, kind: str) -> dict[int, dict[str, Any]]:
        """All records of a kind, whatever became of them."""
        ids = self.store.rows(f'SELECT "$id" FROM {quoted(kind)}')  # noqa: S608
        return self.records(kind, [record_id for (record_id,) in ids])

    def count(self, kind: str) -> int:
        """Live records."""
        ((number,),) = self.store.rows(
            f"SELECT count(*) FROM {quoted(kind)} WHERE {LIVE}"  # noqa: S608
        )
        return int(number)

    def holders(self, kind: str, name: str, values: Iterable[str]) -> dict[str, int]:
        """Live records by what a property says."""
        return dict(
            self.store.rows(
                f'SELECT {quoted(name)}, "$id" FROM {quoted(kind)} '  # noqa: S608
                f"WHERE {quoted(name)} IN (SELECT unnest(?::VARCHAR[])) AND {LIVE} "
                'ORDER BY "$id" DESC',
                [list(values)],
            )
        )

    # Changing

    def number_behind(self, record_id: int) -> None:
        self._made = max(self._made, record_id + 1)

    def new_id(self) -> int:
        made, self._made = self._made, self._made + 1
        return made

    def create(
        self,
        kind: str,
        rows: Sequence[Values],
        *,
        source: str = "INTEGRATION",
        user: str | None = None,
    ) -> list[int]:
        """New records from canonical texts; their ids."""
        ids = [self.new_id() for _ in rows]
        self.clock.advance()
        rows = [implied(self, kind, row) for row in rows]
        now, seen = self.clock.stored, self._index_time()
        ours = {
            "$created": now, "$updated": now, "$archived": False, "$archived_at": None,
            "$merged_into": None, "$indexed": seen,
        }  # fmt: skip
        records = [
            {"$id": made, **ours, **columns_of(row)}
            for made, row in zip(ids, rows, strict=True)
        ]
        self.store.insert_records(kind, records)
        self._remember(kind, dict(zip(ids, rows, strict=True)), source, user)
        self._after(kind, ids)
        return ids

    def write(
        self,
        kind: str,
        changes: Mapping[int, Values],
        *,
        source: str = "INTEGRATION",
        user: str | None = None,
    ) -> None:
        """Change live records by id to canonical texts; None clears."""
        self.clock.advance()
        before = self.records(kind, changes)
        whole = {
            record_id: implied(self, kind, values, before[record_id])
            for record_id, values in changes.items()
        }
        real = {
            record_id: {
                name: value
                for name, value in columns_of(values).items()
                if before[record_id][name] != value
            }
            for record_id, values in whole.items()
        }
        if not self.assumptions.unchanged_write_bumps:
            real = {record_id: values for record_id, values in real.items() if values}
        self._set(kind, real)
        first = first_values(self, kind, before, real)
        self._remember(kind, real, source, user, first)
        feeds = self.feeds.get(kind)
        fed = [i for i, v in real.items() if feeds is None or feeds & v.keys()]
        self._after(kind, fed, feeds)

    def archive(self, kind: str, ids: Sequence[int]) -> None:
        """Put live records into the recycle bin."""
        self.clock.advance()
        marks = {"$archived": True, "$archived_at": self.clock.stored}
        self._set(kind, dict.fromkeys(ids, marks))
        self._after(kind, list(ids))
        self.links.drop(kind, ids)

    def purge(self, kind: str, record_id: int) -> None:
        """Delete a record for good."""
        self.archive(kind, [record_id])
        self.store.delete(kind, '"$id" = ?', [record_id])

    def merge(self, kind: str, winner: int, loser: int) -> None:
        """Let one record live on in another, which takes what it lacks."""
        self.clock.advance()
        found = self.records(kind, [winner, loser])
        gained: dict[str, Any] = {
            name: found[loser][name]
            for name in self._columns[kind]
            if found[winner][name] is None and found[loser][name] is not None
        }
        if MERGED in self._columns[kind]:
            known, its = found[winner][MERGED], found[loser][MERGED]
            # unverified: that whoever the loser had taken in is named too
            all_of_them = [
                known,
                str(loser),
                self.assumptions.merged_ids == "all" and its,
            ]
            gained[MERGED] = ";".join(one for one in all_of_them if one)
        self._set(kind, {winner: gained})
        self._set(kind, {loser: {"$merged_into": winner}})
        self._remember(kind, {winner: gained}, "MERGE_OBJECTS", None)
        self.links.move(kind, loser, winner)
        self._after(kind, [winner])

    def associate(
        self, one: str, one_id: int, other: str, other_id: int, link: LinkType
    ) -> None:
        """Link two records, and renew what is counted from links."""
        self.clock.advance()
        self.links.add(one, one_id, other, other_id, link)
        self._after(one, [one_id])
        self._after(other, [other_id])

    def dissociate(self, one: str, one_id: int, other: str, other_id: int) -> None:
        self.clock.advance()
        self.links.remove(one, one_id, other, other_id)
        self._after(one, [one_id])
        self._after(other, [other_id])

    # Inside

    def _index_time(self) -> Any:
        return self.clock.stored + timedelta(seconds=self.index_lag)

    def _after(
        self, kind: str, ids: Sequence[int], written: frozenset[str] | None = None
    ) -> None:
        """Vendor docs: HubSpot's own calculations move the stamp too."""
        if ids:
            for changed, which in self.recalculate(self, kind, ids, written).items():
                self._set(changed, dict.fromkeys(which, _NOTHING))
        self.version += 1

    def _set(self, kind: str, changes: Mapping[int, Mapping[str, Any]]) -> None:
        """Set columns of records, which stay as they were for search until indexed."""
        if self.index_lag > 0:
            self._keep_old(kind, list(changes))
        stamp = {"$updated": self.clock.stored, "$indexed": self._index_time()}
        full = {record_id: {**stamp, **values} for record_id, values in changes.items()}
        set_columns(self.store, kind, full)
        self.version += 1

    def _keep_old(self, kind: str, ids: Sequence[int]) -> None:
        self.store.rows(
            f"INSERT INTO {quoted(kind + '$old')} BY NAME "  # noqa: S608
            f'SELECT *, ?::TIMESTAMP AS "$until" FROM {quoted(kind)} '
            'WHERE "$id" IN (SELECT unnest(?::BIGINT[]))',
            [self._index_time(), list(ids)],
        )

    def _remember(
        self,
        kind: str,
        changes: Mapping[int, Mapping[str, Any]],
        source: str,
        user: str | None,
        first: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        entries = [
            *first,
            *({
                "object": kind, "id": record_id, "property": name, "value": value,
                "at": self.clock.stored, "source_type": source, "user_id": user,
            }
            for record_id, values in changes.items()
            for name, value in values.items()
            if name in self._columns[kind]),
        ]  # fmt: skip
        if entries:
            self.store.insert_records(HISTORY, entries)
