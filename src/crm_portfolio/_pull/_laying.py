"""How does an increment become part of the copy?

The result is written beside the copy and takes its place when it is whole; killed before
that, the same is done again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise import Ordered, Room, merged
from crm_portfolio._pull._checkpoint import Checkpoint, Copy, Part
from crm_portfolio._pull._fetching import keep_merges, merges_in
from crm_portfolio._pull._merging import (
    GONE,
    LISTED,
    NEW,
    OLD,
    Laid,
    Layer,
    Returning,
    tagged,
)
from crm_portfolio._pull._mirror import IS_SET, BatchFile, Mirror, distinct, sort_keys
from crm_portfolio.schema import TableName

__all__ = ["VANISHED", "Laying", "lay", "removed_ids", "returned_ids"]

VANISHED: Final = "vanished"
REMOVED: Final = "removed"
RETURNED: Final = "returned"
_LEFT: Final = "left"  # whoever was removed in any run
_WITH_HISTORY: Final[TableName] = "opportunity"  # it comes back when the record does
# No source tells of a change later than that; an older record was known, or deleted.
_LATE: Final = timedelta(minutes=15)
_FILE_ROWS: Final = 1 << 16
_MEANINGS: Final = {"rows": NEW, "present": LISTED}


@attrs.frozen
class Laying:
    """What came of it.

    Attributes:
        rows: How many there are now.
        gone: How many records left, by reason.
        vanished: How many left without a word.
        is_broken: The copy lacks records that are in the CRM, or has some twice.
    """

    rows: int = 0
    gone: Counter[str] = attrs.field(factory=Counter)
    vanished: int = 0
    is_broken: bool = False


def lay(
    mirror: Mirror,
    known: Checkpoint,
    run: str,
    room: Room,
    *,
    removed: pa.Array,
    became: Callable[[Sequence[str]], pa.Table],
) -> Laying:
    """Bring the copy up to date with the part that was pulled.

    Args:
        removed: Opportunities that left: what they were before goes with them.
        became: Tells into whom records went that left without a word.
    """
    part, copy = known.part, known.copy
    assert part is not None
    assert copy is not None
    found, folder = Laying(), copy.folder
    for kind in (VANISHED, REMOVED, RETURNED):  # of an earlier run
        mirror.drop(copy.folder, kind)
    if not _is_empty(mirror, part) or len(removed):
        folder = mirror.begin(beside=[copy.folder, part.folder])
        over = _Over(mirror, copy, part, folder, room, became)
        is_set = mirror.spec.name in IS_SET
        found = over.laid_set(removed) if is_set else over.laid_records()
        if found.is_broken:
            return found
    rows = copy.rows if folder == copy.folder else found.rows
    fresh = _fresh(mirror, copy, part, folder, rows)
    mirror.save(Checkpoint(known.identity, run, "since", fresh))
    mirror.keep_only(folder)
    return found


def removed_ids(mirror: Mirror, known: Checkpoint) -> pa.Array:
    """The records that left the copy in the run that brought it up to date."""
    return _ids_in(mirror, _folder(known), REMOVED)


def returned_ids(mirror: Mirror, known: Checkpoint) -> pa.Array:
    """The records that came back in that run, after they had been deleted."""
    return _ids_in(mirror, _folder(known), RETURNED)


def _folder(known: Checkpoint) -> str:
    return "" if known.copy is None else known.copy.folder


def _ids_in(mirror: Mirror, folder: str, kind: str) -> pa.Array:
    """The records of a list that stands beside the rows of that folder."""
    ids = [table["id"].combine_chunks() for table in mirror.read(folder, kind)]
    return pa.concat_arrays([pa.array([], pa.string()), *ids])


def _is_empty(mirror: Mirror, part: Part) -> bool:
    has_gone = bool(mirror.files(part.folder, kind="gone"))
    return not (part.rows or has_gone or part.is_reconciled)


def _fresh(mirror: Mirror, copy: Copy, part: Part, folder: str, rows: int) -> Copy:
    moment = None if part.cursor is None else part.cursor.taken_at
    names = mirror.schema(mirror.files(folder)).names
    volatile = {
        column.name
        for column in mirror.spec.columns
        if column.is_volatile and column.name in names
    }
    schemas = [file.schema().names for file in mirror.files(part.folder)]
    is_reread = part.is_reconciled or any(
        volatile <= set(told) and set(told) < set(names) for told in schemas
    )
    return Copy(
        folder,
        rows,
        part.cursor,
        moment,
        moment if is_reread or not volatile else copy.volatile_as_of,
        moment if part.is_reconciled else copy.reconciled_at,
    )


@attrs.frozen(eq=False)
class _Over:
    """A part over a copy, into another folder."""

    mirror: Mirror
    copy: Copy
    part: Part
    folder: str
    room: Room
    became: Callable[[Sequence[str]], pa.Table]

    def laid_records(self) -> Laying:
        mirror, part, folder = self.mirror, self.part, self.folder
        old = mirror.files(self.copy.folder)
        told = [*mirror.files(part.folder), *mirror.files(part.folder, kind="present")]
        schema = mirror.schema([*old, *told])
        runs, layers = _layers(mirror, schema, old, part)
        left = _ids_in(mirror, self.copy.folder, _LEFT)
        laid = Laid(
            mirror.spec,
            schema.names,
            layers,
            listed=part.is_reconciled,
            returning=self._returning(left),
        )
        tables = laid.rows(merged(self.room, runs, laid.order))
        count = _write(mirror, folder, schema, tables)
        if laid.missed or laid.doubled:
            return Laying(is_broken=True)
        gone = mirror.read(part.folder, "gone")
        removed = [*laid.vanished, *laid.left]
        late = self.became(laid.vanished)
        laid.gone.update(late["reason"].to_pylist())
        vanished = sorted({*laid.vanished} - {*late["id"].to_pylist()})
        lists = {VANISHED: vanished, REMOVED: removed, RETURNED: laid.back}
        if mirror.spec.name == _WITH_HISTORY:
            lists[_LEFT] = sorted({*left.to_pylist(), *removed} - {*laid.back})
        for kind, ids in lists.items():
            mirror.store(
                folder, 0, pa.table({"id": pa.array(ids, pa.string())}), kind=kind
            )
        keep_merges(mirror, folder, merges_in(mirror, self.copy.folder), [*gone, late])
        return Laying(count, laid.gone, len(vanished))

    def _returning(self, left: pa.Array) -> Returning | None:
        if self.mirror.spec.name != _WITH_HISTORY:
            return None
        as_of = self.copy.complete_as_of
        return Returning(left, None if as_of is None else as_of - _LATE)

    def laid_set(self, removed: pa.Array) -> Laying:
        """Facts are only added; those of an opportunity that left go with it."""
        mirror = self.mirror
        files = [*mirror.files(self.copy.folder), *mirror.files(self.part.folder)]
        schema = mirror.schema(files)
        keys = sort_keys(mirror.spec, schema.names)
        runs = [
            run
            for file in files
            for run in file.ordered(keys[0], partial(file.tables, schema))
        ]

        def kept() -> Iterator[pa.Table]:
            for rows in distinct(merged(self.room, runs, keys)):
                left = pc.is_in(rows[keys[0]], value_set=removed)
                yield rows.filter(pc.invert(left))

        return Laying(_write(mirror, self.folder, schema, kept()))


def _layers(
    mirror: Mirror, schema: pa.Schema, old: list[BatchFile], part: Part
) -> tuple[list[Ordered], list[Layer]]:
    """Every run, its rows tagged with their layer, and the layers."""
    key = mirror.spec.key[0]
    layers = [Layer(OLD, frozenset(schema.names), -2)]
    runs = [run for file in old for run in _run(file, schema, key, 0, -2)]
    for kind in ("present", "rows"):
        for file in mirror.files(part.folder, kind=kind):
            seq = -1 if kind == "present" else 2 * file.number
            layers.append(Layer(_MEANINGS[kind], frozenset(file.schema().names), seq))
            runs += _run(file, schema, key, len(layers) - 1, seq)
    for file in mirror.files(part.folder, kind="gone"):
        seq = 2 * file.number + 1
        layers.append(Layer(GONE, frozenset(), seq))
        told = partial(_gone_rows, file, schema, key, len(layers) - 1, seq)
        runs += file.ordered("id", told)
    return runs, layers


def _run(
    file: BatchFile, schema: pa.Schema, key: str, layer: int, seq: int
) -> list[Ordered]:
    def tables() -> Iterator[pa.Table]:
        for rows in file.tables(schema):
            yield tagged(rows, layer, seq)

    return file.ordered(key, tables)


def _gone_rows(
    file: BatchFile, schema: pa.Schema, key: str, layer: int, seq: int
) -> Iterator[pa.Table]:
    for gone in file.tables(file.schema()):
        columns = [
            gone["id"] if field.name == key else pa.nulls(len(gone), field.type)
            for field in schema
        ]
        rows = pa.table(columns, schema=schema)
        yield tagged(rows, layer, seq, gone["reason"])


def _write(
    mirror: Mirror, folder: str, schema: pa.Schema, tables: Iterator[pa.Table]
) -> int:
    """Store the rows in files of a fair size; how many there are."""
    count, number, waiting = 0, 0, [schema.empty_table()]
    for rows in tables:
        waiting.append(rows)
        count += len(rows)
        if sum(map(len, waiting)) >= _FILE_ROWS:
            mirror.store(folder, number, pa.concat_tables(waiting))
            number, waiting = number + 1, []
    if waiting:
        mirror.store(folder, number, pa.concat_tables(waiting))
    return count
