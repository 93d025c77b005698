"""What does the CRM hold in the managed fields of these accounts?"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from crm_portfolio import schema
from crm_portfolio._managed import FIELDS, OPT_IN, PIN, STAMP, VALUES, canonical
from crm_portfolio.errors import FieldNotFoundError
from crm_portfolio.protocols import Fitting, Org, Quota, Value, WritableTable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
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

# A stamp covers every managed value, and a pin stops a write: all are always read.
COLUMNS: Final = (*VALUES, STAMP, *PIN)


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
    columns: Iterable[str], source: str, *, wanted: Container[str] = ()
) -> None:
    """Check that the CRM has all fields of ours, and that this login sees them.

    Args:
        wanted: Columns that are to be written; of what is written on request only these
            must be there.

    Raises:
        FieldNotFoundError: It names the first one missing and `setup`.
    """
    held = set(columns)
    lacking = [
        column
        for column in COLUMNS
        if column not in held and (column not in OPT_IN or column in wanted)
    ]
    if lacking:
        more = f" {len(lacking) - 1} more are missing." if lacking[1:] else ""
        asked = FIELDS[lacking[0]].opt_in
        also = f', also=("{asked}",)' if asked else ""
        chosen = ' with that name in "also" under [write]' if asked else ""
        hint = (
            f"{more} Create our fields with setup(crm{also}, dry_run=False), on the command "
            f"line `crm-portfolio setup {source} --apply`{chosen}, under an "
            "administrator's login; then pull again."
        )
        raise FieldNotFoundError(source, "account", lacking[0], (), hint.strip())


def read_rows(
    crm: Readable,
    ids: Sequence[str],
    also: Sequence[str] = (),
    *,
    wanted: Container[str] = (),
) -> dict[str, Row]:
    """The managed and human values the CRM holds now, by id; gone accounts are absent.

    Args:
        also: Other columns, as the CRM gives them.
        wanted: Columns that are to be written, and so must be there.
    """
    if not ids:
        return {}
    table = crm.read("account", ids, (*_held_columns(crm), *also))
    require(table.column_names, crm.name, wanted=wanted)
    return rows_of(table, also)


def _held_columns(crm: Readable) -> tuple[str, ...]:
    """Those of our columns that the org has, as far as it may lack them; no call."""
    return tuple(c for c in COLUMNS if c not in OPT_IN or _has(crm, c))


def _has(crm: Readable, column: str) -> bool:
    try:
        crm.read("account", (), (column,))
    except FieldNotFoundError:
        return False
    return True


def mapped_columns(crm: Readable) -> tuple[str, ...]:
    """The columns of an account that this login sees and that are not ours; no call."""
    ours = (*COLUMNS, "account_id")
    others = [name for name in schema.TABLES["account"].names if name not in ours]
    while True:  # a connector names one column at a time that it lacks
        try:
            crm.read("account", (), others)
        except FieldNotFoundError as error:
            if error.field not in others:
                return ()
            others.remove(error.field)
        else:
            return tuple(others)


def rows_of(table: pa.Table, also: Sequence[str] = ()) -> dict[str, Row]:
    """The managed and human values of each account, in canonical form, by id.

    What the org has no field for is empty.
    """
    held = set(table.column_names)
    columns = {
        column: [canonical(column, value) for value in table[column].to_pylist()]
        if column in held
        else [None] * table.num_rows
        for column in COLUMNS
    }
    columns |= {column: table[column].to_pylist() for column in also}
    ids = table["account_id"].to_pylist()
    rows = zip(*columns.values(), strict=True)
    return {
        record_id: dict(zip(columns, row, strict=True))
        for record_id, row in zip(ids, rows, strict=True)
    }


def fitted(
    crm: Readable, wanted: Mapping[str, Mapping[str, Value]]
) -> Mapping[str, Mapping[str, Value]]:
    """What is wanted, by account and column, as the org's own fields will hold it."""
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
