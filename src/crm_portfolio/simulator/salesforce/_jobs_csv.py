"""How are the rows of an upload read, and the rows of a result written?

RFC 4180, UTF-8. vendor docs: an empty cell leaves the field as it is, ``#N/A`` makes it
null.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

__all__ = ["NULL", "Upload", "UploadError", "read_upload", "written"]

NULL: Final = "#N/A"
_MAX_HEADER: Final = 32_000
_MAX_FIELD: Final = 32_000
_MAX_RECORD: Final = 400_000
_MAX_FIELDS: Final = 5_000


class UploadError(Exception):
    """The upload as a whole cannot be read: its job fails with this message."""


@attrs.frozen
class Upload:
    """The cells as they came, row by row."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def read_upload(content: bytes, *, delimiter: str) -> Upload:
    """The rows of an upload, or why the job fails. Vendor docs: the limits."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UploadError("InvalidBatch : the content is not UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        lines = [tuple(line) for line in reader if line]
    except csv.Error as error:
        message = f"InvalidBatch : Failed to parse CSV: {error}"
        raise UploadError(message) from error
    if not lines:
        raise UploadError("InvalidBatch : the header line is missing")
    header, *rows = lines
    if sum(map(len, header)) + len(header) - 1 > _MAX_HEADER:
        raise UploadError(f"InvalidBatch : the header exceeds {_MAX_HEADER} characters")
    for row in rows:
        _must_fit(header, row)
    return Upload(header, tuple(rows))


def _must_fit(header: Sequence[str], row: Sequence[str]) -> None:
    if len(row) != len(header):
        # Seen by users of several clients.
        counts = f"expected {len(header)} columns, found {len(row)}"
        raise UploadError(f"InvalidBatch : the number of columns differs: {counts}")
    if len(row) > _MAX_FIELDS:
        raise UploadError(f"InvalidBatch : more than {_MAX_FIELDS} fields in a record")
    longest = max(map(len, row))
    if longest > _MAX_FIELD or sum(map(len, row)) > _MAX_RECORD:
        message = f"fields have {_MAX_FIELD} characters, records {_MAX_RECORD}, at most"
        raise UploadError(f"InvalidBatch : {message}")


def written(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    delimiter: str,
    line_ending: str,
    is_quoted: bool,
) -> bytes:
    """Rows as the service writes them."""
    text = io.StringIO(newline="")
    writer = csv.writer(
        text,
        delimiter=delimiter,
        lineterminator="\n" if line_ending == "LF" else "\r\n",
        quoting=csv.QUOTE_ALL if is_quoted else csv.QUOTE_MINIMAL,
    )
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()
