"""What does the CRM hold in the managed fields of these accounts?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from crm_portfolio._managed import PIN, STAMP, VALUES, canonical
from crm_portfolio.errors import FieldNotFoundError
from crm_portfolio.protocols import Org, Quota, Value, WritableTable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Readable", "Row", "as_text", "read_rows", "require", "rows_of"]

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


def require(columns: Iterable[str], source: str) -> None:
    """Check that the CRM has all fields of ours, and that this login sees them.

    Raises:
        FieldNotFoundError: It names the first one missing and `setup`.
    """
    held = set(columns)
    lacking = [column for column in COLUMNS if column not in held]
    if lacking:
        more = f" {len(lacking) - 1} more are missing." if lacking[1:] else ""
        hint = (
            f"{more} Create our fields with setup(crm, dry_run=False), on the command line "
            f"`crm-portfolio setup {source} --apply`, under an administrator's login; "
            "then pull again."
        )
        raise FieldNotFoundError(source, "account", lacking[0], (), hint.strip())


def read_rows(crm: Readable, ids: Sequence[str]) -> dict[str, Row]:
    """The managed and human values the CRM holds now, by id; gone accounts are absent."""
    if not ids:
        return {}
    table = crm.read("account", ids, COLUMNS)
    require(table.column_names, crm.name)
    return rows_of(table)


def rows_of(table: pa.Table) -> dict[str, Row]:
    """The managed and human values of each account, in canonical form, by id."""
    columns = {
        column: [canonical(column, value) for value in table[column].to_pylist()]
        for column in COLUMNS
    }
    ids = table["account_id"].to_pylist()
    rows = zip(*columns.values(), strict=True)
    return {
        record_id: dict(zip(COLUMNS, row, strict=True))
        for record_id, row in zip(ids, rows, strict=True)
    }


def as_text(value: Value) -> str | None:
    """A value that is text in the CRM, such as a stamp."""
    return None if value is None else str(value)
