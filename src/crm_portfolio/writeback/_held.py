"""What does the CRM hold in the managed fields of these records?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from crm_portfolio import schema
from crm_portfolio._managed import FIELDS, OPT_IN, PIN, STAMP, VALUES, canonical
from crm_portfolio.errors import FieldNotFoundError
from crm_portfolio.protocols import (
    Fitting,
    Org,
    Progress,
    Quota,
    Value,
    WritableTable,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "PORTION",
    "Readable",
    "Row",
    "as_text",
    "fitted",
    "mapped_columns",
    "read_rows",
    "require",
    "rows_of",
]

Row = Mapping[str, Value]

# How many records are asked for at once: one call to Salesforce, twenty to HubSpot.
PORTION: Final = 2_000
_READ: Final[Mapping[WritableTable, str]] = {
    "account": "read accounts",
    "opportunity": "read opportunities",
}

# A stamp covers every managed value, and a pin stops a write: all are always read.
COLUMNS: Final[Mapping[WritableTable, tuple[str, ...]]] = {
    table: (*VALUES[table], STAMP, *PIN[table]) for table in VALUES
}


class Readable(Protocol):
    """A CRM that can be asked and not written: all that `plan` and `undo` are given."""

    @property
    def name(self) -> str: ...

    def org(self) -> Org: ...

    def read(
        self, table: WritableTable, ids: Sequence[str], columns: Sequence[str]
    ) -> pa.Table: ...

    def quota(self) -> Quota | None: ...


def require(
    table: WritableTable,
    columns: Iterable[str],
    source: str,
    *,
    wanted: Iterable[str] = (),
) -> None:
    """Check that the CRM has all fields of ours, and that this login sees them.

    Args:
        wanted: Columns that are to be written; of what is written on request only these
            must be there.

    Raises:
        FieldNotFoundError: It names the first one missing and `setup`.
    """
    held, asked = set(columns), set(wanted)
    lacking = [
        column
        for column in COLUMNS[table]
        if column not in held and (column not in OPT_IN or column in asked)
    ]
    if lacking:
        more = f" {len(lacking) - 1} more are missing." if lacking[1:] else ""
        # The stamp of a table of which all is on request comes with any of it.
        chosen = (c for c in COLUMNS[table] if c in OPT_IN and c in asked)
        names = dict.fromkeys(str(FIELDS[c].opt_in) for c in chosen)
        also = f", also={list(names)}" if names else ""
        stated = ' with that in "also" under [write]' if names else ""
        hint = (
            f"{more} Create our fields with setup(crm{also}, dry_run=False), on the command "
            f"line `crm-portfolio setup {source} --apply`{stated}, under an "
            "administrator's login; then pull again."
        )
        raise FieldNotFoundError(source, table, lacking[0], (), hint.strip())


def read_rows(
    crm: Readable,
    table: WritableTable,
    ids: Sequence[str],
    also: Sequence[str] = (),
    *,
    wanted: Iterable[str] = (),
    progress: Progress | None = None,
) -> dict[str, Row]:
    """The managed and human values the CRM holds now, by id; who is gone is absent.

    Args:
        also: Other columns, as the CRM gives them.
        wanted: Columns that are to be written, and so must be there.
        progress: Told before each portion, and at the end.
    """
    rows: dict[str, Row] = {}
    columns = (*_held_columns(crm, table), *also) if ids else ()
    step = _READ[table]
    for first in range(0, len(ids), PORTION):
        if progress is not None:
            progress(step, first, len(ids))
        held = crm.read(table, ids[first : first + PORTION], columns)
        require(table, held.column_names, crm.name, wanted=wanted)
        rows |= rows_of(table, held, also)
    if progress is not None:
        progress(step, len(ids), len(ids))
    return rows


def _held_columns(crm: Readable, table: WritableTable) -> tuple[str, ...]:
    """Those of our columns that the org has, as far as it may lack them; no call."""
    # Of a table in which all is on request the stamp may lack as well.
    may_lack = OPT_IN if table == "account" else frozenset(COLUMNS[table])
    return tuple(c for c in COLUMNS[table] if c not in may_lack or _has(crm, table, c))


def _has(crm: Readable, table: WritableTable, column: str) -> bool:
    try:
        crm.read(table, (), (column,))
    except FieldNotFoundError:
        return False
    return True


def mapped_columns(crm: Readable, table: WritableTable) -> tuple[str, ...]:
    """The columns of a table that this login sees and that are not ours; no call."""
    ours = (*COLUMNS[table], f"{table}_id")
    others = [name for name in schema.TABLES[table].names if name not in ours]
    while True:  # a connector names one column at a time that it lacks
        try:
            crm.read(table, (), others)
        except FieldNotFoundError as error:
            if error.field not in others:
                return ()
            others.remove(error.field)
        else:
            return tuple(others)


def rows_of(
    table: WritableTable, held: pa.Table, also: Sequence[str] = ()
) -> dict[str, Row]:
    """The managed and human values of each record, in canonical form, by id.

    What the org has no field for is empty.
    """
    names = set(held.column_names)
    columns = {
        column: [canonical(column, value) for value in held[column].to_pylist()]
        if column in names
        else [None] * held.num_rows
        for column in COLUMNS[table]
    }
    columns |= {column: held[column].to_pylist() for column in also}
    ids = held[f"{table}_id"].to_pylist()
    rows = zip(*columns.values(), strict=True)
    return {
        record_id: dict(zip(columns, row, strict=True))
        for record_id, row in zip(ids, rows, strict=True)
    }


def fitted(
    crm: Readable, wanted: Mapping[str, Mapping[str, Value]]
) -> Mapping[str, Mapping[str, Value]]:
    """What is wanted, by record and column, as the org's own fields will hold it."""
    if not isinstance(crm, Fitting):
        return wanted
    found: dict[str, dict[str, Value]] = {one: {} for one in wanted}
    columns = dict.fromkeys(column for values in wanted.values() for column in values)
    for column in columns:
        ids = [one for one, values in wanted.items() if column in values]
        kept = crm.fitted(column, [wanted[one][column] for one in ids])
        for one, value in zip(ids, kept, strict=True):
            found[one][column] = value
    return found


def as_text(value: Value) -> str | None:
    """A value that is text in the CRM, such as a stamp."""
    return None if value is None else str(value)
