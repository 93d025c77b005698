"""Where do rows go whose account or opportunity was merged into another?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise import Stream
from crm_portfolio._pull._mirror import IS_SET
from crm_portfolio.schema import TABLES, Table, TableName

__all__ = ["MERGING", "Merges", "followed", "settled_merges", "without_living"]

Merges: TypeAlias = Mapping[TableName, Mapping[str, str]]
# Whose records other tables name, and people merge.
MERGING: Final[tuple[TableName, ...]] = ("account", "opportunity")


def settled_merges(
    known: Mapping[str, str], gone: Sequence[pa.Table]
) -> dict[str, str]:
    """Each record that was merged away, and the one that lives on in its place.

    Args:
        known: What was known before.
        gone: As ``Batch.gone``, oldest first.
    """
    merges = dict(known)
    for table in gone:
        told = table.select(["id", "merged_into"])
        merges |= {
            row["id"]: row["merged_into"]
            for row in told.filter(told["merged_into"].is_valid()).to_pylist()
            if row["merged_into"] != row["id"]
        }
    return {loser: _winner(loser, merges) for loser in merges}


def _winner(loser: str, merges: Mapping[str, str]) -> str:
    seen = {loser}
    winner = merges[loser]
    while winner in merges and winner not in seen:
        seen.add(winner)
        winner = merges[winner]
    return winner


def without_living(
    table: TableName, merges: Mapping[str, str], records: Stream
) -> dict[str, str]:
    """The merges whose loser is not a record of the table again."""
    (key,) = TABLES[table].key
    if not merges or key not in records.names:
        return {}
    losers, alive = pa.array(merges, pa.string()), set()
    for rows in records.walk([key]):
        found = pc.is_in(losers, value_set=rows[key].combine_chunks())
        alive.update(losers.filter(found).to_pylist())
    return {loser: winner for loser, winner in merges.items() if loser not in alive}


def followed(stream: Stream, spec: Table, merges: Merges) -> Stream:
    """The same rows, naming the winner where the source still says the loser.

    What an opportunity was before goes with it: it is no history of the winner's.
    """
    ways = {
        column.name: _Way.of(merges[column.refers_to])
        for column in spec.columns
        if column.refers_to is not None
        and merges.get(column.refers_to)
        and column.name in stream.names
        and spec.name not in IS_SET
    }
    if not ways:
        return stream

    def walk(names: Sequence[str] | None) -> Iterator[pa.Table]:
        for rows in stream.walk(names):
            yield _followed(rows, ways)

    return attrs.evolve(stream, walk=walk)


@attrs.frozen(eq=False)
class _Way:
    losers: pa.Array
    winners: pa.Array

    @classmethod
    def of(cls, merges: Mapping[str, str]) -> _Way:
        texts = pa.string()
        return cls(pa.array(merges, texts), pa.array(merges.values(), texts))


def _followed(rows: pa.Table, ways: Mapping[str, _Way]) -> pa.Table:
    for name, way in ways.items():
        if name in rows.column_names and rows.schema.field(name).type == pa.string():
            place = pc.index_in(rows[name], value_set=way.losers)
            if place.null_count < len(place):
                winners = way.winners.take(place.combine_chunks())
                values = pc.coalesce(winners, rows[name])
                at = rows.column_names.index(name)
                rows = rows.set_column(at, name, values)
    return rows
