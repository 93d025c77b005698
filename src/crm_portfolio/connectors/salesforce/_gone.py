"""Who left a table: deleted, or merged into which record, and when?"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors._mapping import moments
from crm_portfolio.connectors.salesforce._refusals import QueryTooLargeError
from crm_portfolio.connectors.salesforce._rest import Record, Rest
from crm_portfolio.errors import RightMissingError
from crm_portfolio.protocols import gone_schema

__all__ = ["DELETED", "MERGED_INTO", "LogTooShortWarning", "deletion_log", "parted"]

DELETED: Final = "IsDeleted"
MERGED_INTO: Final = "MasterRecordId"  # only objects that can be merged have it
_LOG_DAYS: Final = timedelta(days=15)
_SHORTEST: Final = timedelta(minutes=1)  # the log counts in minutes


class LogTooShortWarning(UserWarning):
    """Records purged before the deletion log begins are only found by reconciling."""


def parted(raw: pa.Table, stamp: str) -> tuple[pa.Table, pa.Table | None]:
    """The records that are there, and those that are gone."""
    mask = raw[DELETED]
    if not pc.any(mask).as_py():
        return raw, None
    left = raw.filter(mask)
    into = (
        left[MERGED_INTO]
        if MERGED_INTO in left.column_names
        else pa.chunked_array([pa.nulls(len(left), pa.string())])
    )
    reason = pc.if_else(pc.is_valid(into), pa.scalar("merged"), pa.scalar("deleted"))
    at = left[stamp].cast(pa.timestamp("us", "UTC"))
    gone = pa.table([left["Id"], reason, into, at], schema=gone_schema())
    return raw.filter(pc.invert(mask)), gone


def deletion_log(
    rest: Rest, sobject: str, *, since: datetime, now: datetime
) -> Iterator[pa.Table]:
    """The ids the log holds for a time, purged ones included, window by window."""
    start, end = max(since, now - _LOG_DAYS + _SHORTEST), now
    if since < start:
        _warn(sobject, start)
    start = min(start, now - 2 * _SHORTEST)
    while start < now:
        try:
            entries, earliest, covered = rest.deleted(sobject, start, end)
        except QueryTooLargeError:
            half = start + (end - start) / 2
            if half - start <= _SHORTEST:
                raise
            end = half
            continue
        except RightMissingError:
            return  # the object keeps no log; deleted records are seen all the same
        kept_from = _moment(earliest)
        if kept_from > start + _SHORTEST:
            _warn(sobject, kept_from)
        yield _gone(entries)
        start, end = max(_moment(covered), end) if end < now else now, now


def _gone(entries: list[Record]) -> pa.Table:
    ids = pa.array([str(entry["id"]) for entry in entries], pa.string())
    at = moments(pa.array([entry["deletedDate"] for entry in entries], pa.string()))
    reason = pa.repeat(pa.scalar("deleted"), len(ids))
    into = pa.nulls(len(ids), pa.string())
    return pa.table([ids, reason, into, at], schema=gone_schema())


def _moment(text: str) -> datetime:
    moment: datetime = moments(pa.array([text]))[0].as_py()
    return moment


def _warn(sobject: str, start: datetime) -> None:
    warnings.warn(
        f"salesforce keeps its log of deleted {sobject} records from {start:%Y-%m-%d} on "
        "only: reconcile, to find those that were purged before",
        LogTooShortWarning,
        stacklevel=3,
    )
