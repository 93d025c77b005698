"""How do frames that are too long to be taken up become a portfolio in a folder?

Each engine writes what it holds beside the folder's tables, by itself; from there the
rows pass through the normaliser a few at a time, as those of a pull do. Nothing but the
accounts' ids is held of all of them.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import attrs
import pyarrow as pa
import pyarrow.parquet as pq

from crm_portfolio._frames import (
    LAZY,
    NativeFrame,
    backend_of,
    plain,
    row_count,
    to_arrow,
    to_parquet,
)
from crm_portfolio._normalise import Disk, Stream, Told, normalise_streams
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio._draft import Draft
from crm_portfolio.portfolio._header import SOURCE, Header, read_header
from crm_portfolio.portfolio._place import Folder
from crm_portfolio.portfolio._saved import SavedTables
from crm_portfolio.schema import TableName

__all__ = ["SHORT", "anew", "held", "is_long", "laid", "place_for", "taken_up"]

SHORT: Final = 250_000
"""So many rows of a lazy frame are taken into memory, and no more."""
_PIECE: Final = 1 << 16
_ASIDE: Final = ".frames"


def is_long(frame: NativeFrame) -> bool:
    """Whether it stays where it is: a lazy frame that is not short."""
    return backend_of(frame) in LAZY and row_count(frame) > SHORT


def held(frames: Mapping[str, NativeFrame]) -> dict[TableName, pa.Table]:
    """Frames as they are held in memory.

    Names the model lacks are for the normaliser to refuse, with all other faults.
    """
    return {cast("TableName", name): to_arrow(frame) for name, frame in frames.items()}


def taken_up(frames: Mapping[str, NativeFrame]) -> dict[TableName, pa.Table]:
    """The same, where there is no folder for what is long.

    Raises:
        SettingsError: One of them is long and lazy.
    """
    for name, frame in frames.items():
        if is_long(frame):
            raise SettingsError(
                f"{name} is lazy and has more than {SHORT:,} rows, which would be taken "
                "into memory: give all tables to Portfolio.from_frames at once, with "
                "into= and a folder"
            )
    return held(frames)


def place_for(frames: Mapping[str, NativeFrame]) -> Path:
    """A folder of this machine's own, for who names none.

    Raises:
        SettingsError: One of the engines works on other machines.
    """
    far = [name for name, frame in frames.items() if _is_far(frame)]
    if far:
        raise SettingsError(
            f"{', '.join(far)}: this Spark works on other machines, which do not see a "
            "temporary folder of this one: name one that all of them see, with into=; "
            "for a part of a book that is in a folder, load it with another backend"
        )
    return Path(tempfile.mkdtemp(prefix="crm-portfolio-"))


def anew(
    raw: Mapping[Any, NativeFrame | Stream], header: Header, place: Path
) -> tuple[SavedTables, SavedTables]:
    """The tables of these, and what is told of them, in a folder that goes with them."""
    try:
        laid(raw, header, place, header.currency)
        tables, told = SavedTables.both(Folder(place), read_header(place))
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    weakref.finalize(tables, shutil.rmtree, place, ignore_errors=True)
    return tables, told


def laid(
    frames: Mapping[Any, NativeFrame | Stream],
    header: Header,
    folder: Path,
    given: str | None,
) -> Told:
    """Make the folder the portfolio of these frames, lazy ones and others.

    Args:
        header: Of what is to come; its currency is not asked for.
        given: The currency to convert to; None: the only one in the tables.
    """
    draft = Draft(folder)
    aside = folder / SOURCE / _ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    try:
        streams = {
            cast("TableName", name): _stream(frame, aside / "rows" / name)
            for name, frame in frames.items()
        }
        told = normalise_streams(
            streams,
            as_of=header.as_of,
            currency=given,
            time_zone=header.time_zone,
            room=Disk(aside / "spill"),
            opened=draft.opened,
        )
        draft.publish(attrs.evolve(header, currency=told.currency))
    finally:
        draft.discard()
        shutil.rmtree(aside, ignore_errors=True)
        if aside.parent.is_dir() and not any(aside.parent.iterdir()):
            aside.parent.rmdir()
    return told


def _stream(frame: NativeFrame | Stream, place: Path) -> Stream:
    """The rows as they were at one moment: an engine may give others the next time."""
    if isinstance(frame, Stream):
        return frame
    if backend_of(frame) not in LAZY:
        return Stream.of(to_arrow(frame))
    place.mkdir(parents=True)
    to_parquet(frame, place)
    files = sorted(place.glob("*.parquet"))
    return Stream(tuple(pq.read_schema(files[0]).names), partial(_pieces, files))


def _pieces(files: Sequence[Path], names: Sequence[str] | None) -> Iterator[pa.Table]:
    none = plain(pq.read_schema(files[0]).empty_table())
    wanted = none.column_names if names is None else list(names)
    yield none.select(wanted)
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_PIECE, columns=wanted):
                yield plain(pa.Table.from_batches([batch])).select(wanted)


def _is_far(frame: NativeFrame) -> bool:
    """Spark where it is not this process's own; Connect does not say where it is."""
    if backend_of(frame) != "pyspark":
        return False
    session = frame.sparkSession
    master = session.conf.get("spark.master", "")
    return not str(master).startswith("local")
