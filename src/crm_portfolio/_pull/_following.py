"""Where do rows go whose account was merged into another?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise import Stream
from crm_portfolio.schema import Table

__all__ = ["followed", "settled_merges", "without_living"]


def settled_merges(
    known: Mapping[str, str], gone: Sequence[pa.Table]
) -> dict[str, str]:
    """Each account that was merged away, and the one that lives on in its place.

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


def without_living(merges: Mapping[str, str], accounts: Stream) -> dict[str, str]:
    """The merges whose loser is not an account again."""
    if not merges or "account_id" not in accounts.names:
        return {}
    losers, alive = pa.array(merges, pa.string()), set()
    for rows in accounts.walk(["account_id"]):
        found = pc.is_in(losers, value_set=rows["account_id"].combine_chunks())
        alive.update(losers.filter(found).to_pylist())
    return {loser: winner for loser, winner in merges.items() if loser not in alive}


def followed(stream: Stream, spec: Table, merges: Mapping[str, str]) -> Stream:
    """The same rows, naming the winner where the source still says the loser."""
    columns = [
        column.name
        for column in spec.columns
        if column.refers_to == "account" and column.name in stream.names
    ]
    if not merges or not columns:
        return stream
    losers = pa.array(merges, pa.string())
    winners = pa.array(merges.values(), pa.string())

    def walk(names: Sequence[str] | None) -> Iterator[pa.Table]:
        for rows in stream.walk(names):
            yield _followed(rows, columns, losers, winners)

    return attrs.evolve(stream, walk=walk)


def _followed(
    rows: pa.Table, columns: Sequence[str], losers: pa.Array, winners: pa.Array
) -> pa.Table:
    for name in columns:
        if name in rows.column_names and rows.schema.field(name).type == pa.string():
            place = pc.index_in(rows[name], value_set=losers)
            if place.null_count < len(place):
                values = pc.coalesce(winners.take(place.combine_chunks()), rows[name])
                at = rows.column_names.index(name)
                rows = rows.set_column(at, name, values)
    return rows
