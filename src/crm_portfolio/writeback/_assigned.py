"""What do the results, taken together, want in which field of which record?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import Any, Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._managed import FIELDS, OPT_IN, VALUES, canonical
from crm_portfolio._storage import canonical_json, digest
from crm_portfolio._wording import Reason
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.protocols import Value, WritableTable
from crm_portfolio.results import Result
from crm_portfolio.schema import OptIn
from crm_portfolio.writeback._asked import must_be_opt_ins
from crm_portfolio.writeback._planned import Bordering

__all__ = ["Assigned", "Wanted"]

_Values = tuple[int, list[str], Mapping[str, Mapping[str, Value]]]
_OF_THE_PORTFOLIO: Final = frozenset({"as_of", "portfolio", "org"})


@attrs.frozen(eq=False)
class Assigned:
    """What is wanted by table, record and column; what is absent is not ours now.

    Attributes:
        tables: By table the columns that are assigned.
        settings_digest: Stands for all other parameters of all results.
        org: Where the portfolio was pulled, as text, or what its replica is a copy of;
            empty for frames and files.
    """

    tables: Mapping[WritableTable, Wanted]
    as_of: date
    portfolio_id: str
    settings_digest: str
    org: str
    _owner: Mapping[str, Result]
    _told: dict[str, Mapping[str, tuple[Reason, ...]]] = attrs.field(factory=dict)

    @classmethod
    def by(
        cls, results: Iterable[Result | str], also: Collection[OptIn] = ()
    ) -> Assigned:
        """Results merged, each column from one of them.

        Args:
            also: What is written on request only, and is asked for.
        """
        must_be_opt_ins(also)
        owner: dict[str, Result] = {}
        told: dict[WritableTable, list[tuple[str, pa.Table]]] = {}
        for result in results:
            if isinstance(result, str):
                raise SettingsError(
                    f"a plan is made of results, not of their names such as {result!r}: "
                    "pass findings.values()"
                )
            rows = _asked_for(result.assignments(), also)
            if rows is not None:
                table, rows = _claim(rows, result, owner)
                told.setdefault(table, []).append((result.name, rows))
        if not owner:
            raise SettingsError(
                "none of these results assigns a field of ours that is asked for; tiers and "
                "concentration do"
            )
        params = {result.name: result.params for result in owner.values()}
        settings = {
            name: {key: told[key] for key in told.keys() - _OF_THE_PORTFOLIO}
            for name, told in params.items()
        }
        return cls(
            {table: Wanted(table, tuple(told[table])) for table in sorted(told)},
            date.fromisoformat(_shared(params, "as_of")),
            _shared(params, "portfolio"),
            digest(canonical_json(settings)),
            _shared(params, "org", default=""),
            owner,
        )

    def reasons(
        self, record_id: str, columns: Sequence[str]
    ) -> Mapping[str, tuple[Reason, ...]]:
        """Why the record gets its value in each of these columns."""
        told = {column: self._told[self._owner[column].name] for column in columns}
        return {column: told[column].get(record_id, ()) for column in columns}

    def look_up(self, table: WritableTable, ids: Sequence[str]) -> None:
        """Ask why, of all these records at once: for some results one look is dear."""
        columns = self.tables[table].columns
        for owner in dict.fromkeys(self._owner[column] for column in columns):
            self._told[owner.name] = owner.assigned_because(ids) if ids else {}

    def borders(self) -> Iterator[Bordering]:
        """The accounts that stand near a border, of each result in turn."""
        for result in dict.fromkeys(self._owner.values()):
            for record_id, reason in result.borders():
                yield Bordering(record_id, reason)


def _asked_for(table: pa.Table | None, also: Collection[OptIn]) -> pa.Table | None:
    """What is assigned, without what nobody asked to have written; None: nothing is."""
    if table is None:
        return None
    names = table.column_names
    unasked = [c for c in names if c in OPT_IN and FIELDS[c].opt_in not in also]
    if not unasked:
        return table
    return table.drop_columns(unasked) if len(unasked) < len(names) - 1 else None


def _claim(
    rows: pa.Table, result: Result, owner: dict[str, Result]
) -> tuple[WritableTable, pa.Table]:
    """The table that a result assigns to, and its rows with the key first.

    Each column is claimed by one result.
    """
    names = rows.column_names
    table = next((name for name in VALUES if f"{name}_id" in names), None)
    if table is None:
        raise SettingsError(f"{result.name} does not say to which records it assigns")
    columns = [name for name in names if name != f"{table}_id"]
    for column in columns:
        if column not in VALUES[table]:
            raise SettingsError(
                f"{result.name} assigns {column!r}, which is no field we write"
                + did_you_mean(column, VALUES[table])
            )
        if column in owner:
            raise SettingsError(
                f"{owner[column].name} and {result.name} both assign {column!r}: "
                "plan one of them"
            )
        owner[column] = result
    return table, rows.select([f"{table}_id", *columns])


@attrs.frozen(eq=False, slots=False)
class Wanted:
    """What is wanted in the records of one table, as columns until it is needed.

    There may be millions of opportunities, and few of them change in a night.
    """

    table: WritableTable
    parts: tuple[tuple[str, pa.Table], ...]

    @property
    def key(self) -> str:
        return f"{self.table}_id"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that any of the results assigns."""
        return tuple(c for _, rows in self.parts for c in rows.column_names[1:])

    @cached_property
    def ids(self) -> pa.Array:
        """Every record that any of the results names, once and in order."""
        named = [_ids(name, rows[self.key]) for name, rows in self.parts]
        return _in_order(pc.unique(pa.concat_arrays(named)))

    def compared(self, there: pa.Array) -> dict[str, int]:
        """By column: of how many of these records something is wanted in it."""
        found: dict[str, int] = {}
        for name, rows in self.parts:
            known = pc.is_in(_ids(name, rows[self.key]), value_set=there)
            count = pc.sum(known).as_py() or 0
            found |= dict.fromkeys(rows.column_names[1:], count)
        return found

    def filled(self, held: pa.Table) -> dict[str, int]:
        """By column: how many of these records hold a value in it now."""
        found: dict[str, int] = {}
        for _, rows in self.parts:
            ids = rows[self.key].combine_chunks()
            there = held.filter(pc.is_in(held[self.key], value_set=ids))
            for column in rows.column_names[1:]:
                found[column] = len(there) - there[column].null_count
        return found

    def in_parts(self, ids: pa.Array, size: int) -> Iterator[_Values]:
        """What is wanted of these records, so many at a time.

        Where the first of them stands, which they are, and by record and column what is
        wanted; null clears the field.
        """
        told = [(name, rows.combine_chunks()) for name, rows in self.parts]
        # Found once for all: to look for each part anew would go through all of them.
        places = [
            pc.index_in(ids, value_set=_ids(name, rows[self.key]))
            for name, rows in told
        ]
        for start in range(0, len(ids), size):
            found: dict[str, dict[str, Value]] = {}
            for (name, rows), at in zip(told, places, strict=True):
                _fill(found, rows.take(at.slice(start, size).drop_null()), name)
            yield start, ids.slice(start, size).to_pylist(), found

    def differing(self, held: pa.Table) -> pa.Array:
        """The records that do not hold what is wanted of them, in order.

        One that is not held is none.
        """
        found = []
        for _, rows in self.parts:
            at = pc.index_in(
                rows[self.key].combine_chunks(), held[self.key].combine_chunks()
            )
            if not held.num_rows:
                continue
            there = held.take(at.fill_null(0))
            for column in rows.column_names[1:]:
                was = there[column].combine_chunks()
                wanted = rows[column].combine_chunks().cast(was.type)
                same = pc.equal(was, wanted)
                both_empty = pc.and_(pc.is_null(was), pc.is_null(wanted))
                is_same = pc.or_(pc.fill_null(same, False), both_empty)  # noqa: FBT003
                differs = pc.and_(pc.invert(is_same), pc.is_valid(at))
                found.append(rows[self.key].combine_chunks().filter(differs))
        if not found:
            return self.ids.slice(0, 0)
        return _in_order(pc.unique(pa.concat_arrays(found)).cast(pa.string()))


def _in_order(ids: pa.Array) -> pa.Array:
    return ids.take(pc.sort_indices(ids))


def _ids(name: str, ids: pa.ChunkedArray) -> pa.Array:
    plain = ids.combine_chunks().cast(pa.string())
    if plain.null_count or len(pc.unique(plain)) != len(plain):
        raise SettingsError(f"{name} assigns to one record twice, or to none")
    return plain


def _fill(values: dict[str, dict[str, Value]], rows: pa.Table, name: str) -> None:
    key, *columns = rows.column_names
    ids = rows[key].to_pylist()
    for column in columns:
        for record_id, value in zip(ids, rows[column].to_pylist(), strict=True):
            try:
                values.setdefault(record_id, {})[column] = canonical(column, value)
            except ValueError as error:
                raise SettingsError(
                    f"{name} assigns to {column} of {record_id} what that field cannot "
                    f"hold: {error}"
                ) from error


def _shared(
    params: Mapping[str, Mapping[str, Any]], key: str, *, default: str | None = None
) -> str:
    """The one value all results agree on; the default stands for null."""
    told = {
        str(each[key] if default is None else each.get(key) or default)
        for each in params.values()
    }
    if len(told) > 1:
        raise SettingsError(
            f"these results come from different portfolios: {key} is "
            + " and ".join(sorted(told))
        )
    return told.pop()
