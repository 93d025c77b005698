"""What do the files in this folder say, in the words of the model?

source = connect("files", "exports/", dialect="salesforce-report")
print(source.proposal())          # how each file and header was understood
portfolio = pull(source, as_of=date(2026, 6, 30), currency="EUR")
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from crm_portfolio.connectors.files._settings import Dialect, FilesSettings
from crm_portfolio.errors import SchemaError, SettingsError, did_you_mean

if TYPE_CHECKING:
    from crm_portfolio.connectors.files._proposal import Proposal
    from crm_portfolio.protocols import Batch, Cursor
    from crm_portfolio.schema import TableName

__all__ = ["Dialect", "Files", "FilesSettings"]

_ROWS_AT_ONCE = 1 << 16


class Files:
    """A folder of tables, or of files that a person exported from a CRM.

    Args:
        folder: Where the files are; only those in it, not in folders below.
        dialect: What kind of files; None: guessed, as `proposal` tells.

    Raises:
        SettingsError: The folder is empty, or something in it can be read in two ways;
            the message lists all of that, with the setting that settles each.
        FieldNotFoundError: A file lacks a header that the settings name.
    """

    name = "files"

    def __init__(
        self,
        folder: Path | str,
        *,
        dialect: Dialect | None = None,
        settings: FilesSettings | None = None,
    ) -> None:
        from crm_portfolio.connectors.files._tables import read

        self._content = read(Path(folder), dialect, settings or FilesSettings())

    def __repr__(self) -> str:
        proposal = self._content.proposal
        return f"<Files {proposal.dialect}: {len(proposal.files)} file(s)>"

    def proposal(self) -> Proposal:
        """How each file, header and format was understood, and how surely."""
        return self._content.proposal

    def tables(self) -> Mapping[TableName, tuple[str, ...]]:
        return {
            name: tuple(table.column_names)
            for name, table in self._content.tables.items()
        }

    def pull(
        self,
        table: TableName,
        *,
        columns: Sequence[str] | None = None,
        since: Cursor | None = None,  # noqa: ARG002
        resume: Cursor | None = None,
    ) -> Iterator[Batch]:
        """The rows of one table, in the order of its files.

        A file does not say which of its rows changed, so ``since`` gives all of them.

        Raises:
            SchemaError: Cells of any table that cannot be read, all of them.
        """
        from crm_portfolio.protocols import Batch, Cursor

        if self._content.faults is not None:
            raise SchemaError(self._content.faults)
        if table not in self._content.tables:
            raise SettingsError(
                f"these files hold no table {table!r}"
                + (did_you_mean(table, self._content.tables) or ".")
            )
        rows = self._content.tables[table]
        if columns is not None:
            rows = rows.select([name for name in rows.column_names if name in columns])
        taken_at = datetime.fromtimestamp(self._content.modified[table], UTC)
        at = int(resume.token) if resume is not None else 0
        while True:
            until = min(at + _ROWS_AT_ONCE, rows.num_rows)
            cursor = Cursor(table, str(until), taken_at)
            is_last = until >= rows.num_rows
            yield Batch(table, rows.slice(at, until - at), cursor, None, is_last)
            if is_last:
                return
            at = until
