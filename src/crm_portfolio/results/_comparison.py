"""Who moves when the rules change, from where to where, why, and what moves with them?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _html
from crm_portfolio._frames import NativeFrame, from_arrow, to_arrow
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.errors import SettingsError
from crm_portfolio.results._values import Json, json_rows, leaves, significant

if TYPE_CHECKING:
    from crm_portfolio.results._result import Result

__all__ = ["Comparison", "compared"]

_NOTEBOOK_ROWS: Final = 20


@attrs.frozen(eq=False, repr=False)
class Comparison:
    """Who moved between two results of the same analysis.

    Attributes:
        column: What is compared.
        moves: How many went from which value to which, most frequent first.
        came: Accounts only the later result knows.
        left: Accounts only the earlier one knows.
        changed: The settings and circumstances that differ: before and after, by path.
    """

    column: str
    moves: Mapping[tuple[Json, Json], int]
    came: tuple[str, ...]
    left: tuple[str, ...]
    changed: Mapping[str, tuple[Json, Json]]
    _table: pa.Table
    _groups: pa.Table
    _before: Result
    _after: Result

    @property
    def frame(self) -> NativeFrame:
        """Those that moved, by id: ``before``, ``after``, and what they bring."""
        return from_arrow(self._table, self._after._backend)  # noqa: SLF001

    @property
    def groups(self) -> NativeFrame:
        """Accounts, revenue and, where they are known, hours of each value, twice."""
        return from_arrow(self._groups, self._after._backend)  # noqa: SLF001

    def reasons(self, record_id: str) -> tuple[tuple[Reason, ...], tuple[Reason, ...]]:
        """Why it was where the earlier result had it, and why it is where it is."""
        return self._before.reasons(record_id), self._after.reasons(record_id)

    def explain(self, record_id: str, *, lang: Lang = "en") -> str:
        """From where to where, and why it was there and why it is here; for people."""
        if record_id in self.came or record_id in self.left:
            known = self._after if record_id in self.came else self._before
            return known.explain(record_id, lang=lang)
        before, after = (
            each._row(record_id)[self.column]  # noqa: SLF001
            for each in (self._before, self._after)
        )
        code = "compared_same" if before == after else "compared_moved"
        moved = Reason(code, {"before": before, "after": after})
        said = [sentence(moved, lang)]
        for heading, result in (
            ("compared_before", self._before),
            ("compared_after", self._after),
        ):
            said.append(sentence(Reason(heading), lang))
            lines = result.explain(record_id, lang=lang).splitlines()
            said += [f"  {line}" for line in lines]
        return "\n".join(said)

    def told(self, *, lang: Lang = "en") -> NativeFrame:
        """The frame with a sentence for each that moved: why it is where it is now."""
        why = pa.array(list(self._why(lang)), pa.string())
        table = self._table.append_column("why", why)
        return from_arrow(table, self._after._backend)  # noqa: SLF001

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-able values in a stable order."""
        return {
            "name": self._after.name,
            "column": self.column,
            "moves": [
                {"before": before, "after": after, "n": n}
                for (before, after), n in self.moves.items()
            ],
            "came": list(self.came),
            "left": list(self.left),
            "changed": {
                path: {"before": before, "after": after}
                for path, (before, after) in self.changed.items()
            },
            "groups": json_rows(self._groups),
            "frame": json_rows(self._table),
        }

    def __repr__(self) -> str:
        return (
            f"<Comparison of {self.column}: {self._table.num_rows} moved, "
            f"{len(self.came)} came, {len(self.left)} left>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: how many went from where to where, and who."""
        moves = [
            {"before": before, "after": after, "n": n}
            for (before, after), n in self.moves.items()
        ]
        told = to_arrow(self.told()).slice(0, _NOTEBOOK_ROWS)
        return "\n".join(
            [
                _html.paragraph(repr(self)),
                _html.table(("before", "after", "n"), moves),
                _html.table(told.column_names, told.to_pylist()),
            ]
        )

    def _why(self, lang: Lang) -> Iterator[str]:
        after = self._after
        ids = self._table[after.key].combine_chunks()
        at = pc.index_in(ids, after._table[after.key].combine_chunks())  # noqa: SLF001
        for row in after._table.take(at).to_pylist():  # noqa: SLF001
            reasons = after._reasons(row)  # noqa: SLF001
            yield sentence(reasons[0], lang, names=after._names(reasons))  # noqa: SLF001


def compared(after: Result, before: Result) -> Comparison:
    """What is different in the later of two results of one analysis."""
    was, now, key = before._table, after._table, after.key  # noqa: SLF001
    if key not in was.column_names or after.compared not in was.column_names:
        raise SettingsError(f"these two results of {after.name} have nothing in common")
    at = pc.index_in(now[key].combine_chunks(), was[key].combine_chunks())
    values = was[after.compared].combine_chunks().take(at)
    both = pa.table({"before": values, "after": now[after.compared].combine_chunks()})
    is_moved = pc.and_(pc.is_valid(at), _differ(both["before"], both["after"]))
    moved = both.filter(is_moved)
    beside = [name for name in ("name", *after.summed) if name in now.column_names]
    told = now.select([key, *beside]).filter(is_moved)
    told = told.add_column(1, "before", moved["before"])
    told = told.add_column(2, "after", moved["after"])
    return Comparison(
        after.compared,
        _counted(moved),
        came=_only(now[key], was[key]),
        left=_only(was[key], now[key]),
        changed=_changed(before.params, after.params),
        table=told.sort_by(key).combine_chunks(),
        groups=_groups(was, now, after),
        before=before,
        after=after,
    )


def _only(these: pa.ChunkedArray, others: pa.ChunkedArray) -> tuple[str, ...]:
    """Those of these that are none of the others, sorted."""
    is_alone = pc.invert(pc.is_in(these, others.combine_chunks()))
    return tuple(sorted(these.filter(is_alone).to_pylist()))


def _differ(before: pa.ChunkedArray, after: pa.ChunkedArray) -> pa.ChunkedArray:
    """Where two columns differ; unknown is no other unknown, and differs from all else."""
    one_unknown = pc.not_equal(pc.is_null(before), pc.is_null(after))
    return pc.coalesce(pc.not_equal(before, after), one_unknown)


def _counted(moved: pa.Table) -> dict[tuple[Json, Json], int]:
    found = moved.group_by(["before", "after"]).aggregate([([], "count_all")])
    rows = [tuple(row.values()) for row in found.to_pylist()]
    counts = {(row[0], row[1]): int(row[2]) for row in rows}
    return dict(sorted(counts.items(), key=lambda item: (-item[1], str(item[0]))))


def _changed(
    before: Mapping[str, Json], after: Mapping[str, Json]
) -> dict[str, tuple[Json, Json]]:
    was, now = dict(leaves(before, "")), dict(leaves(after, ""))
    paths = [*now, *(path for path in was if path not in now)]
    return {
        path: (was.get(path), now.get(path))
        for path in paths
        if was.get(path) != now.get(path)
    }


def _groups(was: pa.Table, now: pa.Table, result: Result) -> pa.Table:
    """One row for each value of the compared column, in order, the unknown last.

    A column of numbers makes no groups: each account would be one of its own.
    """
    column = result.compared
    kind = now.schema.field(column).type
    both = pa.chunked_array([*was[column].chunks, *now[column].chunks], kind)
    values = pc.unique(both) if pa.types.is_string(kind) else pa.array([], kind)
    values = values.take(pc.sort_indices(values))
    sides = [(when, _summed(table, result)) for when, table in _sides(was, now)]
    columns: dict[str, pa.Array] = {column: values}
    for figure in ("account_count", *result.summed):
        for when, found in sides:
            if figure in found.column_names:
                at = pc.index_in(values, found[column].combine_chunks())
                here = found[figure].combine_chunks().take(at)
                # Nobody there: that is nothing, and known.
                columns[f"{figure}_{when}"] = pc.if_else(pc.is_null(at), 0, here)
    return pa.table(columns)


def _sides(was: pa.Table, now: pa.Table) -> tuple[tuple[str, pa.Table], ...]:
    return ("before", was), ("after", now)


def _summed(table: pa.Table, result: Result) -> pa.Table:
    """By value: how many, and the sums of what is known, whatever its order."""
    column = result.compared
    figures = {
        name: parts
        for name, parts in result.summed.items()
        if name in table.column_names
    }
    whole = {name: _in_parts(table[name], parts) for name, parts in figures.items()}
    found = (
        pa.table({column: table[column]} | whole)
        .group_by(column)
        .aggregate([([], "count_all"), *((name, "sum") for name in figures)])
    )
    told = {column: found[column], "account_count": found["count_all"]}
    for name, parts in figures.items():
        sums = pc.divide(found[f"{name}_sum"].cast(pa.float64()), float(parts))
        told[name] = pa.chunked_array([_significant(sums)])
    return pa.table(told)


def _in_parts(column: pa.ChunkedArray, parts: int) -> pa.ChunkedArray:
    return pc.round(pc.multiply(column, float(parts))).cast(pa.int64())


def _significant(sums: pa.ChunkedArray) -> pa.Array:
    return pa.array([significant(each) for each in sums.to_pylist()], pa.float64())
