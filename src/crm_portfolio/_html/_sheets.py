"""How does a table become a sheet that opens anywhere and runs nothing?"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import attrs
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from crm_portfolio._inert import inert
from crm_portfolio.errors import MissingExtraError, SettingsError

__all__ = ["Lines", "csv", "sheet_title", "without_formulas", "xlsx"]

# A spreadsheet takes these for the start of a formula, blanks and controls before or not.
# Those of full width begin one where such are typed.
_WIDE = "\uff1d\uff0b\uff0d\uff20"
_FORMULA = rf"^([\s\x00-\x1f]*[=+\-@{_WIDE}]|[\t\r\n])"
_SHEET_ROWS: Final = 1_048_576
_WIDE_COLUMNS: Final = {"reason": 90, "warning": 90, "value": 40, "name": 30}
_NARROWEST: Final = 12
_NOT_IN_EXCEL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


def csv(table: pa.Table) -> bytes:
    """A CSV file whose text cells are text to any spreadsheet."""
    buffer = io.BytesIO()
    pa_csv.write_csv(without_formulas(table), buffer)
    return buffer.getvalue()


@attrs.frozen
class Lines:
    """A sheet of lines that are not all of one kind."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def xlsx(sheets: Mapping[str, pa.Table | Lines]) -> bytes:
    """A workbook without formulas, one sheet a table: the header stays, shares are in %.

    Raises:
        SettingsError: A table has more rows than a sheet can have.
    """
    try:
        from openpyxl import Workbook
    except ImportError as error:
        raise MissingExtraError("openpyxl", "excel") from error
    book = Workbook(write_only=True)
    for title, content in sheets.items():
        _fill(book.create_sheet(title), title, content)
    return _timeless(book)


_FIRST_MOMENT: Final = datetime(1980, 1, 1)  # noqa: DTZ001 - a ZIP tells no zone


def _timeless(book: Any) -> bytes:
    """The same bytes for the same sheets: nothing in them says when they were written."""
    from openpyxl.writer.excel import ExcelWriter

    book.properties.created = book.properties.modified = _FIRST_MOMENT
    written, buffer = io.BytesIO(), io.BytesIO()
    with ZipFile(written, "w") as archive:
        ExcelWriter(book, archive).write_data()
    with ZipFile(written) as dated, ZipFile(buffer, "w", ZIP_DEFLATED) as file:
        for name in dated.namelist():
            info = ZipInfo(name, _FIRST_MOMENT.timetuple()[:6])
            # As on a Unix, whatever the machine.
            info.create_system, info.compress_type = 3, ZIP_DEFLATED
            file.writestr(info, dated.read(name))
    return buffer.getvalue()


_TITLE_LENGTH: Final = 31
_NOT_IN_TITLE = re.compile(rf"[\\/?*\[\]:]|^[=+\-@'{_WIDE}]|'$")


def sheet_title(name: str, taken: Iterable[str]) -> str:
    """A name made fit for a sheet: short, without signs Excel refuses, and its only one."""
    safe = _NOT_IN_TITLE.sub("_", inert(name).strip()) or "_"
    others = {each.casefold() for each in (*taken, "History")}
    title, number = _cut(safe, _TITLE_LENGTH), 1
    while title.casefold() in others:
        number += 1
        ending = f" ({number})"
        title = _cut(safe, _TITLE_LENGTH - len(ending)) + ending
    return title


def _cut(name: str, length: int) -> str:
    """As much of it as fits, as Excel counts: a sign beyond the first plane is two."""
    units = name.encode("utf-16-le")[: 2 * length]
    return units.decode("utf-16-le", errors="ignore").rstrip(" '")


def _fill(sheet: Any, title: str, content: pa.Table | Lines) -> None:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    columns, rows = _lines(content)
    count = content.num_rows if isinstance(content, pa.Table) else len(content.rows)
    if count >= _SHEET_ROWS:
        raise SettingsError(
            f"{title} has {count:,} rows, more than a sheet can have; "
            "save it as .csv or .parquet"
        )
    sheet.freeze_panes = "A2"
    for at, name in enumerate(columns, 1):
        wide = _WIDE_COLUMNS.get(name, max(_NARROWEST, len(name) + 3))
        sheet.column_dimensions[get_column_letter(at)].width = wide
    heads = [WriteOnlyCell(sheet, value=name) for name in columns]
    for head in heads:
        head.font = Font(bold=True)
    sheet.append(heads)
    shares = {at for at, name in enumerate(columns) if name.endswith("share")}
    for row in rows:
        cells = [_for_excel(value) for value in row]
        for at in shares & set(range(len(cells))):
            cells[at] = WriteOnlyCell(sheet, value=cells[at])
            cells[at].number_format = "0.0 %"
        sheet.append(cells)


def _lines(content: pa.Table | Lines) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    if isinstance(content, Lines):
        return content.columns, (list(map(_guarded, row)) for row in content.rows)
    table = without_formulas(content)
    batches = table.to_batches(max_chunksize=10_000)
    rows = (
        row
        for batch in batches
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    return table.column_names, rows


def _guarded(value: Any) -> Any:
    return re.sub(_FORMULA, r"'\1", value) if isinstance(value, str) else value


def without_formulas(table: pa.Table) -> pa.Table:
    """Text that begins like a formula gets an apostrophe before it."""
    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            plain = pc.replace_substring_regex(table[at], _FORMULA, r"'\1")
            table = table.set_column(at, field, plain)
    return table


def _for_excel(value: Any) -> Any:
    """A value a cell can hold: moments without their zone, which is UTC; lists as text."""
    if isinstance(value, str):
        return _NOT_IN_EXCEL.sub("", value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, list | dict):
        return _for_excel(_guarded(str(value)))
    return value
