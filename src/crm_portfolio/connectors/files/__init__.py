"""What do the files in this folder say, in the words of the model?

source = connect("files", "exports/", dialect="salesforce-report")
print(source.proposal())          # how each file and header was understood
portfolio = pull(source, as_of=date(2026, 6, 30), currency="EUR")
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from crm_portfolio.connectors.files._settings import Dialect, FilesSettings
from crm_portfolio.errors import (
    CursorLostError,
    SchemaError,
    SettingsError,
    did_you_mean,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from crm_portfolio.connectors.files._proposal import Proposal
    from crm_portfolio.protocols import Batch, Cursor
    from crm_portfolio.schema import TableName

__all__ = ["Dialect", "Files", "FilesSettings"]


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
    batch_rows: ClassVar[int] = 1 << 16

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

    def fingerprint(self) -> str:
        """Changes with the files: a copy of others is not one that is to be gone on with."""
        return self._content.edition

    def pull(
        self,
        table: TableName,
        *,
        columns: Sequence[str] | None = None,
        since: Cursor | None = None,
        resume: Cursor | None = None,
    ) -> Iterator[Batch]:
        """The rows of one table, in the order of its files.

        A file does not say which of its rows changed: ``since`` gives none of them where
        no file was touched.

        Raises:
            SchemaError: Cells of any table that cannot be read, all of them.
            SettingsError: No such table.
            CursorLostError: The files are others than those of the cursor.
        """
        if self._content.faults is not None:
            raise SchemaError(self._content.faults)
        if table not in self._content.tables:
            raise SettingsError(
                f"these files hold no table {table!r}"
                + (did_you_mean(table, self._content.tables) or ".")
            )
        at = self._place_of(table, resume or since)
        rows = self._content.tables[table]
        if columns is not None:
            from crm_portfolio.schema import TABLES

            wanted = {*TABLES[table].key, *columns}
            rows = rows.select([name for name in rows.column_names if name in wanted])
        return self._batches(table, rows, at)

    def _batches(self, table: TableName, rows: pa.Table, at: int) -> Iterator[Batch]:
        from crm_portfolio.protocols import Batch, Cursor

        taken_at = datetime.fromtimestamp(self._content.modified[table], UTC)
        is_last = False
        while not is_last:
            part = rows.slice(at, self.batch_rows)
            at += part.num_rows
            is_last = at >= rows.num_rows
            token = json.dumps({"version": 1, "row": at, "of": self.fingerprint()})
            cursor = Cursor(table, token, taken_at)
            yield Batch(table, part, cursor, None, is_last)

    def _place_of(self, table: TableName, cursor: Cursor | None) -> int:
        """The row behind a cursor; the last batch's is behind all of them."""
        if cursor is None:
            return 0
        try:
            said = json.loads(cursor.token)
            if cursor.table == table and said["of"] == self.fingerprint():
                return int(said["row"])
        except (ValueError, TypeError, KeyError):
            pass
        raise CursorLostError(
            self.name,
            f"{table}: the files have changed since, and do not tell in what: read them "
            "whole, without a cursor",
        )
