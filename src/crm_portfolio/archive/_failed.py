"""Which changes failed for good, in a file that a person can mend?

CSV with one line for each: UTF-8, LF, made so that a spreadsheet runs nothing. Only
``after`` is to be mended; the other columns say which change it is and why it failed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from crm_portfolio import _storage
from crm_portfolio._inert import inert
from crm_portfolio._managed import STAMP
from crm_portfolio.errors import SettingsError
from crm_portfolio.protocols import WritableTable

if TYPE_CHECKING:
    from crm_portfolio.archive._entries import Entry

__all__ = ["PERMANENT", "Mended", "read_mended", "save_failed"]

_COLUMNS: Final = (
    "run",
    "table",
    "record_id",
    "column",
    "before",
    "after",
    "found",
    "state",
    "code",
    "field",
    "what_to_do",
)
_NEEDED: Final = _COLUMNS[:6]
# A file of an older version is of accounts only, and says so.
_OLDER: Final = "account_id"
_WHAT_TO_DO: Final[Mapping[str, str]] = {
    "rejected": "mend in the CRM what the code says, or put another value in 'after'",
    "invalid": "put a value that the field can hold in 'after'",
    "gone": "restore the record in the CRM, or delete this line",
}
PERMANENT: Final = frozenset(_WHAT_TO_DO)
_FORMULA_STARTS: Final = (*"=+-@\t\r'", *"\uff1d\uff0b\uff0d\uff20")
_LARGEST: Final = 64 * 1024 * 1024


@attrs.frozen
class Mended:
    """One line of a mended file, as text; ``line`` counts from 1, the header."""

    line: int
    run_id: str
    table: WritableTable
    record_id: str
    column: str
    after: str

    @property
    def key(self) -> tuple[WritableTable, str, str]:
        return self.table, self.record_id, self.column


def save_failed(run_id: str, entries: Iterable[Entry], path: Path | str) -> int:
    """Write the permanent failures into a file; how many there are.

    Stamps are left out: whoever sends the values again makes new ones.
    """
    rows = [
        _row(run_id, entry)
        for entry in entries
        if entry.state in _WHAT_TO_DO and entry.change.column != STAMP
    ]
    buffer = io.StringIO()
    # All in quotes: else a carriage return in a text begins a line, and what follows it
    # may be a formula.
    writer = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([_COLUMNS, *rows])
    try:
        _storage.write_atomically(
            Path(path), buffer.getvalue().encode("utf-8", "replace"), private=True
        )
    except OSError as error:
        raise SettingsError(
            f"the failed changes cannot be saved as {str(path)!r}: {error.strerror}. Name "
            "a file in a folder that is there and that this user may write."
        ) from error
    return len(rows)


def read_mended(path: Path | str) -> list[Mended]:
    """The lines of a file that `save_failed` wrote and a person mended.

    A spreadsheet may have given it a mark at its start, semicolons, and CR LF.

    Raises:
        SettingsError: There is no such file, or it is none of ours.
    """
    file = Path(path)
    try:
        raw = file.read_bytes()[: _LARGEST + 1]
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise SettingsError(
            f"{str(path)!r} cannot be read: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{file.name} is not UTF-8 text: save it as 'CSV UTF-8'"
        ) from error
    header = text.partition("\n")[0]
    delimiter = ";" if header.count(";") > header.count(",") else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    names = list(reader.fieldnames or ())
    is_older = _OLDER in names
    given = {"table", "record_id"} if is_older else set()
    lacking = [name for name in _NEEDED if name not in given.union(names)]
    if lacking or len(raw) > _LARGEST:
        raise SettingsError(
            f"{file.name} is no file of failed changes: it lacks the column "
            f"{(lacking or ['record_id'])[0]!r}. `history RUN --failed FILE` writes one."
        )
    found = [
        Mended(
            reader.line_num,
            run_id=_unquoted(row["run"]),
            table="account" if is_older else _table(row["table"]),
            record_id=_unquoted(row[_OLDER if is_older else "record_id"]),
            column=_unquoted(row["column"]),
            after=_unquoted(row["after"]),
        )
        for row in reader
        if any(row.get(name) for name in _NEEDED)
    ]
    if not found:
        raise SettingsError(f"{file.name} holds no change: nothing is to be sent again")
    return found


def _row(run_id: str, entry: Entry) -> list[str]:
    change = entry.change
    place = (run_id, change.table, change.record_id, change.column)
    ours = (*place, change.before, change.after)
    theirs = (entry.found, entry.state, entry.code, entry.field)
    told = ["" if value is None else inert(str(value)) for value in theirs]
    kept = ["" if value is None else str(value) for value in ours]
    return [*map(_quoted, kept + told), _WHAT_TO_DO[entry.state]]


def _table(text: str | None) -> WritableTable:
    named = _unquoted(text)
    # What is none of ours did not fail in any run: who sends it again says so.
    return "opportunity" if named == "opportunity" else "account"


def _quoted(text: str) -> str:
    # A text that begins with ' gets one too, so that reading takes off what was put on.
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text


def _unquoted(text: str | None) -> str:
    return (text or "").removeprefix("'")
