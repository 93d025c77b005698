"""How does a stream of CSV become typed columns, and how do we know that it is whole?

The bytes go to the parser as they come, so a page is never in memory twice, and their
encoding is never guessed: Bulk API 2.0 speaks UTF-8, whatever the headers leave out.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

import attrs
import pyarrow as pa
import pyarrow.csv as pa_csv
import requests
from zlib_ng import zlib_ng

from crm_portfolio.connectors._mapping import moments
from crm_portfolio.connectors.salesforce._refusals import unreadable

__all__ = ["OddValueError", "Reading", "columns_of", "rows_of", "sobject_of"]

_CHUNK: Final = 1 << 20
_PACKED: Final = 1 << 16  # of a packed body, which becomes some ten times as much
_GZIP: Final = 16 + zlib_ng.MAX_WBITS
# Its stub says that it is an exception, not the type of one.
_NotGzipError = cast("type[Exception]", zlib_ng.error)
# A record has at most 400,000 characters; one that lies across two blocks is refused.
_ROOMY: Final = 16 << 20
_NUMBERS: Final = frozenset({"currency", "double", "int", "long", "percent"})
_TYPES: Final[Mapping[str, pa.DataType]] = {
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us", "UTC"),
    **dict.fromkeys(_NUMBERS, pa.float64()),
}


class OddValueError(Exception):
    """A value or a record that the fast way does not take: read the page with care."""


@attrs.frozen
class Reading:
    """What a page should hold.

    Attributes:
        columns: In any order in the page, in this one in the table.
        kinds: Salesforce type of a column; what is not here is text.
        with_care: Slowly: values that are not as their type are left as text.
        must_have_header: Nothing at all is no answer.
    """

    columns: tuple[str, ...]
    kinds: Mapping[str, str]
    with_care: bool = False
    must_have_header: bool = False

    def type_of(self, column: str) -> pa.DataType:
        return _TYPES.get(self.kinds.get(column, ""), pa.string())


_SELECT: Final = re.compile(
    r"\s*SELECT\s+(?P<columns>.+?)\s+FROM\s+(?P<sobject>\w+)", re.IGNORECASE | re.DOTALL
)


def columns_of(soql: str) -> tuple[str, ...]:
    """The names of a select's columns, dots kept, aliases in the place of what they name."""
    return tuple(item.split()[-1] for item in _parts(soql)["columns"].split(","))


def sobject_of(soql: str) -> str:
    """The object that a select reads."""
    return _parts(soql)["sobject"]


def _parts(soql: str) -> re.Match[str]:
    found = _SELECT.match(soql)
    if found is None:
        raise ValueError("not a select")
    return found


def rows_of(reply: requests.Response, reading: Reading, *, where: str) -> pa.Table:
    """The rows of a reply, of which none may be missing.

    Raises:
        OddValueError: Read the same page again, with care.
        TransientError: Rows are missing, or it is no CSV of these columns.
    """
    body = _Body(_without_nulls(_unpacked(reply)))
    try:
        found = _parsed(body, reading, where)
    except _NotGzipError:
        raise unreadable(where) from None
    except pa.ArrowInvalid as error:
        is_odd = "conversion error" in str(error) or "straddling" in str(error)
        if is_odd and not reading.with_care:
            raise OddValueError from None
        raise unreadable(where) from None
    return found


def _unpacked(reply: requests.Response) -> Iterator[bytes]:
    """The body; urllib3 would unpack it too, and copy it four times on the way."""
    headers = reply.raw.headers
    if headers.get("content-encoding", "").strip().lower() != "gzip":
        yield from reply.iter_content(_CHUNK)
        return
    del headers["content-encoding"]  # so that it comes as it was sent
    gzip = zlib_ng.decompressobj(_GZIP)
    for packed in reply.iter_content(_PACKED):
        left = packed
        while left:
            if gzip.eof:  # a body may be several such files, one behind the other
                gzip = zlib_ng.decompressobj(_GZIP)
            yield gzip.decompress(left, _CHUNK)
            left = gzip.unused_data if gzip.eof else gzip.unconsumed_tail
    yield gzip.flush()
    if not gzip.eof and reply.raw.tell():
        raise _NotGzipError


def _without_nulls(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Results carry stray null bytes at times, between the values and within them."""
    for chunk in chunks:
        plain = chunk.replace(b"\0", b"") if b"\0" in chunk else chunk
        if plain:  # nothing would mean the end
            yield plain


def _parsed(body: _Body, reading: Reading, where: str) -> pa.Table:
    header = body.header()
    if not header and not reading.must_have_header:
        return _empty(reading)
    names = _in_our_words(header, reading.columns, where)
    text = reading.with_care
    wanted = {name: pa.string() if text else reading.type_of(name) for name in names}
    reader = pa_csv.open_csv(
        body,
        read_options=pa_csv.ReadOptions(
            use_threads=False,
            block_size=_ROOMY if text else _CHUNK,
            column_names=names,
            skip_rows=1,
        ),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=wanted,
            include_columns=list(reading.columns),
            # Only nothing is null: "NA", "null" and "None" are names of somebody.
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    rows = pa.Table.from_batches(list(reader), reader.schema)
    return _typed_with_care(rows, reading) if text else rows


def _in_our_words(
    header: Sequence[str], columns: Sequence[str], where: str
) -> list[str]:
    """The header's names as the select wrote them; Salesforce ignores their case."""
    ours = {name.casefold(): name for name in columns}
    names = [ours.get(name.casefold(), name) for name in header]
    if len(set(names)) != len(names) or not set(columns) <= set(names):
        raise unreadable(where)
    return names


def _empty(reading: Reading) -> pa.Table:
    fields = [(name, reading.type_of(name)) for name in reading.columns]
    return pa.schema(fields).empty_table()


def _typed_with_care(rows: pa.Table, reading: Reading) -> pa.Table:
    arrays = [
        _cast(rows[name].combine_chunks(), reading.kinds.get(name, ""))
        for name in reading.columns
    ]
    return pa.table(arrays, names=list(reading.columns))


def _cast(text: pa.Array, kind: str) -> pa.Array:
    if kind not in _TYPES:
        return text
    try:
        return moments(text) if kind == "datetime" else text.cast(_TYPES[kind])
    except pa.ArrowInvalid:
        return text


class _Body:
    """The chunks of a reply as the file that the parser reads, block by block."""

    closed = False

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._left = chunks, b""

    def header(self) -> list[str]:
        """The names in the first line, which stays to be read."""
        while b"\n" not in self._left:
            more = next(self._chunks, b"")
            self._left += more or (b"\n" if self._left else b"")
            if not more:
                break
        line = self._left.partition(b"\n")[0].decode("utf-8-sig", "replace")
        return next(csv.reader(io.StringIO(line.rstrip("\r"))), [])

    def read(self, size: int = -1) -> bytes:
        """So many bytes, fewer only at the end: short blocks could cut a record."""
        parts, lacking = [self._left], size - len(self._left)
        while lacking > 0:
            more = next(self._chunks, b"")
            if not more:
                break
            parts.append(more)
            lacking -= len(more)
        last = memoryview(parts.pop())
        cut = len(last) + min(lacking, 0)
        self._left = bytes(last[cut:])
        return b"".join([*parts, last[:cut]])

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True
