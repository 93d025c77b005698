"""What stands in a CSV file, cell by cell, whoever wrote it?

Byte-order marks, semicolons, tabs, line breaks within quotes, UTF-16 and Windows-1252 are
met here; every cell comes out as text, an empty one as null, and ``NA`` is a name.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import attrs
import pyarrow as pa
from pyarrow import csv as arrow_csv

from crm_portfolio.errors import DataError, SettingsError

__all__ = ["Head", "Ragged", "look", "read_cells"]

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS: Final = (",", ";", "\t", "|")
_DELIMITER_NAMES: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_CHUNK: Final = 1 << 20
# A description of 32,000 characters must fit into one block many times over.
_BLOCK: Final = 16 << 20


@attrs.frozen
class Head:
    """The first row of a file, and how the file is written.

    Attributes:
        names: The headers, made different where the file repeats one.
        headers: The headers as they stand, in the same order.
        skipped: Lines before the header.
    """

    path: Path
    encoding: str
    delimiter: str
    headers: tuple[str, ...]
    names: tuple[str, ...]
    skipped: int

    @property
    def how(self) -> str:
        guessed = " (not UTF-8, so taken for it)" if self.encoding == "cp1252" else ""
        cut = f", {_DELIMITER_NAMES[self.delimiter]}" if self.delimiter else ""
        return f"{self.encoding}{guessed}{cut}"


@attrs.frozen
class Ragged:
    """A row with another number of cells than the header.

    Attributes:
        after: How many whole rows stand before it.
    """

    text: str
    cell_count: int
    line: int
    after: int


def look(path: Path, known: Iterable[frozenset[str]], encoding: str | None) -> Head:
    """The header of a file. The delimiter is the one that shows most ``known`` headers.

    Raises:
        SettingsError: There is no header, or the text has an unknown encoding.
    """
    found = encoding or _encoding(path)
    lines, skipped, told = _first_lines(path, found)
    if not lines:
        raise SettingsError(f"{path.name} is empty: it has not even a header")
    delimiter = told or _delimiter(lines, known)
    headers = tuple(cell.strip() for cell in _first_row(lines, delimiter))
    if not any(headers):
        raise SettingsError(f"{path.name} has no header that can be read as CSV")
    return Head(path, found, delimiter, headers, _different(headers), skipped)


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
        for mark, name in _MARKS:
            if start.startswith(mark):
                return name
        decoder = codecs.getincrementaldecoder("utf-8")()
        file.seek(0)
        try:
            while chunk := file.read(_CHUNK):
                if b"\0" in chunk:
                    raise SettingsError(
                        f"{path.name} is neither UTF-8 nor Windows-1252 text: say "
                        'encoding="utf-16-le", or whatever it is'
                    )
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _opened(path: Path, encoding: str) -> io.TextIOWrapper:
    name = "utf-8-sig" if encoding == "utf-8" else encoding
    return path.open(encoding=name, newline="")


def _first_lines(path: Path, encoding: str) -> tuple[str, int, str | None]:
    """Enough text for the header, the lines before it, and Excel's own ``sep=;``."""
    try:
        with _opened(path, encoding) as file:
            text = file.read(_CHUNK)
    except (LookupError, UnicodeError) as error:
        raise _not_in(path, encoding) from error
    skipped, told = 0, None
    while text:
        line, end, rest = _line(text)
        if line.lower().startswith("sep=") and len(line) == 5 and told is None:
            told = line[4] if line[4] in _DELIMITERS else None
        elif line.strip():
            break
        skipped, text = skipped + 1, rest
        if not end:
            break
    return text, skipped, told


def _not_in(path: Path, encoding: str) -> SettingsError:
    return SettingsError(
        f"{path.name} cannot be read as {encoding!r}: say encoding= in the settings"
    )


def _line(text: str) -> tuple[str, str, str]:
    ends = [at for end in ("\r\n", "\n", "\r") if (at := text.find(end)) >= 0]
    if not ends:
        return text, "", ""
    at = min(ends)
    end = "\r\n" if text.startswith("\r\n", at) else text[at]
    return text[:at], end, text[at + len(end) :]


def _delimiter(text: str, known: Iterable[frozenset[str]]) -> str:
    """The one under which most headers are known; else the one that cuts most."""
    from crm_portfolio.connectors.files._headers import fold

    every = frozenset().union(*known)

    def worth(delimiter: str) -> tuple[int, int]:
        cells = _first_row(text, delimiter)
        return sum(fold(cell) in every for cell in cells), len(cells)

    return max(_DELIMITERS, key=worth)


def _first_row(text: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error:
        return []


def _different(headers: Sequence[str]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    names: list[str] = []
    for at, header in enumerate(headers, start=1):
        said = header or f"(column {at})"
        seen[said] += 1
        name = said if seen[said] == 1 else f"{said} ({seen[said]})"
        while name in names:
            name += "'"
        names.append(name)
    return tuple(names)


def read_cells(head: Head, names: Sequence[str]) -> tuple[pa.Table, tuple[Ragged, ...]]:
    """The text of these columns, and the rows that do not fit the header.

    Raises:
        DataError: The text breaks off within quotes, or is not what it seemed to be.
    """
    odd: list[tuple[str, int, int]] = []

    def set_aside(row: arrow_csv.InvalidRow) -> str:
        odd.append((row.text, row.actual_columns, row.number))
        return "skip"

    try:
        table = arrow_csv.read_csv(
            head.path,
            read_options=arrow_csv.ReadOptions(
                column_names=list(head.names),
                skip_rows=head.skipped,
                skip_rows_after_names=1,
                encoding=head.encoding,
                # Row numbers are told only where one thread reads.
                use_threads=False,
                block_size=_BLOCK,
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=head.delimiter,
                newlines_in_values=True,
                invalid_row_handler=set_aside,
            ),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=list(names),
                column_types=dict.fromkeys(head.names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except UnicodeError as error:
        raise _not_in(head.path, head.encoding) from error
    except pa.ArrowInvalid as error:
        # The cause may quote a cell, so it stays out of the message.
        raise DataError(
            f"{head.path.name} cannot be read as CSV in {head.encoding}: mend the file, export "
            "it again, or say encoding= in the settings"
        ) from error
    _refuse_open_quote(head, table, odd)
    first = head.skipped + 2
    ragged = tuple(
        Ragged(text, cells, line, line - first - at)
        for at, (text, cells, line) in enumerate(odd)
    )
    return table, ragged


def _refuse_open_quote(
    head: Head, table: pa.Table, odd: Sequence[tuple[str, int, int]]
) -> None:
    """A quote that nobody closes swallows every row after it, silently."""
    last = [str(row) for row in table.slice(max(table.num_rows - 1, 0)).to_pylist()]
    tail = [*last, *(text for text, _, _ in odd[-1:])]
    if not any("\\n" in text or "\n" in text for text in tail):
        return
    quotes = 0
    with _opened(head.path, head.encoding) as file:
        while chunk := file.read(_CHUNK):
            quotes += chunk.count('"')
    if quotes % 2:
        raise DataError(
            f"{head.path.name} opens a quote that it never closes, so its last rows run "
            "into one: mend the file or export it again"
        )
