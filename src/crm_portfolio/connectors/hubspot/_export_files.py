"""What does the file of an export say, a piece at a time?

One CSV, or a zip of one or several. It is read from disk in pieces of a few megabytes,
every value as text, as the pages of the API say it.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import IO, TYPE_CHECKING, Final, cast

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors.hubspot._converting import Raw, settled
from crm_portfolio.connectors.hubspot._exports import EXPORTED, NoExportError
from crm_portfolio.connectors.hubspot._fields import ID, Link
from crm_portfolio.connectors.hubspot._refusals import unreadable
from crm_portfolio.errors import ConnectorError

if TYPE_CHECKING:
    from crm_portfolio.connectors.hubspot._columns import Layout

__all__ = ["BLOCK_BYTES", "blocks"]

BLOCK_BYTES: Final = 1 << 22  # a record is far smaller
_HEADER_BYTES: Final = 1 << 20
# A moment in minutes, of a zone that it does not tell.
_MINUTES: Final = r"^\d{4}-\d\d-\d\d \d\d:\d\d$"


def blocks(file: IO[bytes], wanted: Layout) -> Iterator[Raw]:
    """The records of a file: a column for each property, for ``$id`` and for each link.

    Raises:
        NoExportError: It does not say what was asked, or not exactly.
    """
    try:
        for opened in _members(file):
            with closing(opened()) as stream:
                header = _header(stream)
            names = _named(header, wanted)
            with closing(opened()) as stream:
                for batch in _rows(stream, header):
                    yield _columns(batch, names, wanted)
    except (zipfile.BadZipFile, pa.ArrowException, EOFError, csv.Error):
        raise unreadable("reading an export") from None


def _members(file: IO[bytes]) -> Sequence[Callable[[], IO[bytes]]]:
    file.seek(0)
    is_packed = file.read(4) == b"PK\x03\x04"
    if not is_packed:
        return [lambda: cast("IO[bytes]", _Rewound(file))]
    archive = zipfile.ZipFile(file)
    return [
        lambda name=name: archive.open(name)  # type: ignore[misc]
        for name in archive.namelist()
        if name.lower().endswith(".csv")
    ]


class _Rewound(io.RawIOBase):
    """A file from its start, which stays open when this is closed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        file.seek(0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        piece = self._file.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


class _Plain(io.RawIOBase):
    """A stream without null bytes, which no text has and files of text carry at times."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        plain = b""
        while not plain and (piece := self._stream.read(len(buffer))):
            plain = piece.replace(b"\0", b"")  # nothing would mean the end
        buffer[: len(plain)] = plain
        return len(plain)


def _header(stream: IO[bytes]) -> list[str]:
    whole = stream.read(_HEADER_BYTES).replace(b"\0", b"")
    text = whole.decode("utf-8-sig", "replace")
    return next(csv.reader(io.StringIO(text, newline="")), [])


def _rows(stream: IO[bytes], header: Sequence[str]) -> Iterator[pa.RecordBatch]:
    reader = arrow_csv.open_csv(
        pa.PythonFile(_Plain(stream), mode="r"),
        read_options=arrow_csv.ReadOptions(
            use_threads=False, block_size=BLOCK_BYTES, encoding="utf8"
        ),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    with reader:
        for batch in reader:
            if batch.num_rows:
                yield batch


def _named(header: Sequence[str], wanted: Layout) -> Mapping[str, str]:
    """What of ours → the file's own header."""
    found = {name: name for name in wanted.properties if name in header}
    for name in _assumptions.EXPORT_ID_HEADERS:
        if name in header:
            found[ID] = name
    for link in wanted.links:
        for name in header:
            told = _assumptions.EXPORT_LINKED_HEADER.fullmatch(name)
            if told and told["kind"].upper() == EXPORTED[link.to]:
                found[f"{link.source} first" if told["first"] else link.source] = name
    if {ID, *wanted.properties, *(link.source for link in wanted.links)} - set(found):
        raise _not_as_asked("it lacks what was asked for")
    return found


def _columns(batch: pa.RecordBatch, names: Mapping[str, str], wanted: Layout) -> Raw:
    raw = {name: batch.column(named) for name, named in names.items()}
    for name in wanted.properties:
        if wanted.kinds.get(name) == "datetime" and _says_minutes(raw[name]):
            raise _not_as_asked("it says moments in minutes")
    for link in wanted.links:
        first = raw.pop(f"{link.source} first", None)
        linked = _settled(raw[link.source], link)
        raw[link.source] = (
            linked if first is None else pc.coalesce(_settled(first, link), linked)
        )
    return raw


def _settled(ids: pa.Array, link: Link) -> pa.Array:
    """Of ids side by side, the only one."""
    split = pc.split_pattern(ids, ";")
    flat = pc.utf8_trim_whitespace(split.flatten())
    kinds = pa.repeat(pa.scalar(""), len(flat))
    linked = pa.StructArray.from_arrays([flat, kinds], names=["id", "type"])
    sizes = pc.fill_null(pc.list_value_length(split), 0)
    ends = pc.cumulative_sum(sizes)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends.cast(pa.int32())])
    return settled(pa.ListArray.from_arrays(offsets, linked), link)


def _says_minutes(said: pa.Array) -> bool:
    valid = said.drop_null()
    return bool(len(valid)) and re.fullmatch(_MINUTES, valid[0].as_py()) is not None


def _not_as_asked(what: str) -> NoExportError:
    return NoExportError(
        ConnectorError("hubspot", f"reading an export: {what}, so pages are read"),
        can_be_mended=False,
    )
