"""Which rows name a record that left, and whose are they now?

Whom a record is linked to may change without a trace when the other end goes: of two
accounts that an opportunity had, the one that is left is its own now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._pull._checkpoint import Checkpoint
from crm_portfolio._pull._mirror import IS_SET, BatchFile, Mirror
from crm_portfolio.protocols import Rereading, gone_schema
from crm_portfolio.schema import TableName

if TYPE_CHECKING:
    from crm_portfolio.protocols import Source

__all__ = ["merged_since", "reread"]

_AT_ONCE: Final = 100  # a killed pull asks again for no more than these


def reread(
    source: Source,
    mirror: Mirror,
    known: Checkpoint,
    left: Mapping[TableName, pa.Array],
) -> Checkpoint:
    """The part of an increment, with what named those that left as it is now.

    Args:
        left: The records that left other tables.
    """
    part, copy = known.part, known.copy
    assert part is not None
    assert copy is not None
    spec = mirror.spec
    if not isinstance(source, Rereading) or part.kind != "since" or spec.name in IS_SET:
        return known
    links = {
        column.name: left[column.refers_to]
        for column in spec.columns
        if column.refers_to and column.refers_to != spec.name
        if column.refers_to in left
    }
    ids = _naming(mirror, copy.folder, part.folder, links)
    for start in range(0, len(ids), _AT_ONCE):
        batch = source.again(spec.name, ids[start : start + _AT_ONCE])
        mirror.store(part.folder, part.batches, batch.rows)
        rows = part.rows + len(batch.rows)
        part = attrs.evolve(part, batches=part.batches + 1, rows=rows)
        known = attrs.evolve(known, part=part)
        mirror.save(known)
    return known


def merged_since(source: Source, table: TableName, ids: Sequence[str]) -> pa.Table:
    """Those of the records that are now part of another, as `gone_schema` says."""
    found = [gone_schema().empty_table()]
    if isinstance(source, Rereading):
        for start in range(0, len(ids), _AT_ONCE):
            gone = source.again(table, ids[start : start + _AT_ONCE]).gone
            found += [] if gone is None else [gone.select(gone_schema().names)]
    return pa.concat_tables(found)


def _naming(
    mirror: Mirror, copy: str, part: str, links: Mapping[str, pa.Array]
) -> list[str]:
    """The records that name one of those, as far as is known by now; in order."""
    links = {name: left for name, left in links.items() if len(left)}
    (key,) = mirror.spec.key if len(mirror.spec.key) == 1 else ("",)
    if not links or not key:
        return []
    naming: set[str] = set()
    for file in mirror.files(copy):
        naming |= _named_in(file, key, links)[0]
    for file in mirror.files(part):
        here, told = _named_in(file, key, links)
        naming = (naming - told) | here
    return sorted(naming)


def _named_in(
    file: BatchFile, key: str, links: Mapping[str, pa.Array]
) -> tuple[set[str], set[str]]:
    """The records of a file that name one of those, and all of which it says that."""
    schema = file.schema()
    names = [name for name in links if name in schema.names]
    naming: set[str] = set()
    told: set[str] = set()
    for rows in file.tables(schema, [key, *names]) if names else ():
        told.update(rows[key].to_pylist())
        for name in names:
            found = pc.is_in(rows[name].cast(pa.string()), value_set=links[name])
            naming.update(rows[key].filter(found).to_pylist())
    return naming, told
