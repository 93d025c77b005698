"""What do the cells of a raw table say, and which of them say nothing sensible?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from crm_portfolio._normalise._keys import KeyCheck
from crm_portfolio._normalise._log import FaultLog
from crm_portfolio._normalise._rows import numbered, with_keys
from crm_portfolio._normalise._streams import Stream
from crm_portfolio.schema import Table, header_faults, read_rows

__all__ = ["typed_rows"]


def typed_rows(
    spec: Table, stream: Stream, time_zone: str, log: FaultLog
) -> Iterator[pa.Table]:
    """The rows with their types and numbers; what each shows by itself is logged."""
    log.add(header_faults(spec, stream.names))
    check = KeyCheck(spec, stream.names, is_ordered=stream.is_ordered)
    for rows, faults in _numbered(spec, stream, None, time_zone):
        log.add(faults)
        log.add(check.passing(rows))
        yield rows

    def again(names: Sequence[str]) -> Iterator[pa.Table]:
        for rows, _ in _numbered(spec, stream, names, time_zone):
            yield rows

    log.add(check.afterwards(again))


def _numbered(
    spec: Table, stream: Stream, names: Sequence[str] | None, time_zone: str
) -> Iterator[tuple[pa.Table, list[pa.Table]]]:
    first = 0
    for raw in stream.walk(names):
        typed, faults = read_rows(spec, raw, time_zone, first_row=first)
        rows = numbered(typed, first)
        yield rows, [with_keys(found, rows, spec) for found in faults]
        first += len(rows)
