"""Which way is a query read, and where does it go on?

By REST in the order of ids, or by Bulk where it finds many records: the first page tells
how many, so that choosing costs no call. A query that the org gives up on is cut in two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote_plus

import attrs
import pyarrow as pa

from crm_portfolio.connectors.salesforce._bulk import Bulk, BulkPage
from crm_portfolio.connectors.salesforce._columns import json_table
from crm_portfolio.connectors.salesforce._id_ranges import halves, parts
from crm_portfolio.connectors.salesforce._places import Range, Spot
from crm_portfolio.connectors.salesforce._refusals import (
    BulkRefusedError,
    QueryTooLargeError,
)
from crm_portfolio.connectors.salesforce._rest import LOST_CURSOR, Query, Record, Rest
from crm_portfolio.connectors.salesforce._settings import SalesforceSettings
from crm_portfolio.errors import ConnectorError

__all__ = ["Chunk", "Reader", "Select"]

# The request line and all headers together may have 16,384 bytes; a token is long.
_LONGEST_QUERY: Final = 12_000
_MOST_RANGES: Final = 4_096
# Rows that are put in order in memory, where Bulk gives them in none.
_SORTED_ROWS: Final = 250_000


@attrs.frozen
class Select:
    """A query, and the types of its fields.

    Attributes:
        by_rest: Bulk does not serve it, or something is added page by page.
    """

    query: Query
    kinds: Mapping[str, str]
    by_rest: bool = False

    @property
    def is_sorted(self) -> bool:
        """Whether all records of one key must come together, and in order."""
        return self.query.key != "Id"


@attrs.frozen(eq=False)
class Chunk:
    """Some of the rows; ``spot`` is behind them, None behind the last."""

    rows: pa.Table
    spot: Spot | None


class Reader:
    """Reads queries whole, whatever way."""

    def __init__(self, rest: Rest, bulk: Bulk, settings: SalesforceSettings) -> None:
        self._rest, self._bulk, self._settings = rest, bulk, settings
        self._refused: set[str] = set()

    def chunks(self, select: Select, spot: Spot | None = None) -> Iterator[Chunk]:
        """The rows, as they come; at least one chunk."""
        here, was_lost, is_over = spot or Spot(), False, False
        while not is_over:
            try:
                for chunk in self._range(select, here):
                    here, was_lost = chunk.spot or here, False
                    is_over = chunk.spot is None
                    yield chunk
            except QueryTooLargeError as error:
                here = self._halved(select, here, error)
            except _ManyError as many:
                here = many.spot
            except ConnectorError as error:
                # A cursor dies with the session that made it, and after two days.
                if error.code != LOST_CURSOR or was_lost or here.bulk is not None:
                    raise
                was_lost = True

    def goes_by_bulk(self, select: Select, total: int) -> bool:
        """Whether so many records come by Bulk."""
        if select.by_rest or select.query.sobject in self._refused:
            return False
        if self._settings.bulk == "auto":
            return total > self._settings.bulk_from
        return self._settings.bulk == "always"

    def _range(self, select: Select, here: Spot) -> Iterator[Chunk]:
        """The first range of a spot."""
        if here.bulk is None and not self._is_sure_of_bulk(select):
            try:
                yield from self._by_rest(select, here)
            except _LargeError as large:
                self._cut_if_sorted(select, here, large.total)
            else:
                return
        try:
            yield from self._by_bulk(select, here)
        except BulkRefusedError:
            self._refused.add(select.query.sobject)
            if here.bulk is not None:
                raise
            yield from self._by_rest(select, here)

    def _is_sure_of_bulk(self, select: Select) -> bool:
        return self._settings.bulk == "always" and self.goes_by_bulk(select, 0)

    # REST

    def _by_rest(self, select: Select, here: Spot) -> Iterator[Chunk]:
        (after, until), *others = here.ranges
        rest_of_it = Spot(tuple(others)) if others else None
        held: list[Record] = []
        is_first = True
        for records, total, is_last in self._pages(select.query, after, until):
            if is_first and self.goes_by_bulk(select, total):
                raise _LargeError(total)
            is_first = False
            given, held = _complete(select, [*held, *records], is_last=is_last)
            if given:
                after = str(given[-1][select.query.key])
            behind = rest_of_it if is_last else Spot(((after, until), *others))
            if given or is_last:
                yield Chunk(self._table(select, given), behind)

    def _table(self, select: Select, records: Sequence[Record]) -> pa.Table:
        query = select.query
        return json_table(records, query.fields, select.kinds, query.sobject)

    def _pages(
        self, query: Query, after: str | None, until: str | None
    ) -> Iterator[tuple[list[Record], int, bool]]:
        first, *others = _narrow(query)
        before = after
        for page in self._rest.answer(first, first.soql(after=after, until=until)):
            records = page.records
            for other in others if records else ():
                last = str(records[-1]["Id"])
                records = self._joined(records, other, before, last)
            before = str(page.records[-1]["Id"]) if page.records and others else before
            yield records, page.total, page.is_last

    def _joined(
        self, records: list[Record], query: Query, after: str | None, until: str
    ) -> list[Record]:
        """More fields of the same records; one that has vanished meanwhile is left out."""
        pages = self._rest.answer(query, query.soql(after=after, until=until))
        more = {record["Id"]: record for page in pages for record in page.records}
        return [
            {**record, **more[record["Id"]]}
            for record in records
            if record["Id"] in more
        ]

    # Bulk

    def _by_bulk(self, select: Select, here: Spot) -> Iterator[Chunk]:
        (after, until), *others = here.ranges
        rest_of_it = Spot(tuple(others)) if others else None
        query = select.query
        pages = _kept(
            self._bulk.pages(
                query.soql(after=after, until=until, is_ordered=False),
                kinds={name: select.kinds[name] for name in query.fields},
                with_deleted=query.with_deleted,
                resume=here.bulk,
            )
        )
        if select.is_sorted:
            order = [(name, "ascending") for name in (query.key, *query.then)]
            whole = pa.concat_tables([page.rows for page in pages]).sort_by(order)
            yield Chunk(whole, rest_of_it)
            return
        for page in pages:
            at_page = Spot(here.ranges, page.place)
            yield Chunk(page.rows, rest_of_it if page.place is None else at_page)

    def _cut_if_sorted(self, select: Select, here: Spot, total: int) -> None:
        """Rows to be put in order come in ranges that memory holds."""
        if (
            not select.is_sorted
            or total <= _SORTED_ROWS
            or here.ranges != Spot().ranges
        ):
            return
        ends = self._ends(select.query, (None, None))
        if ends is not None:
            raise _ManyError(Spot(parts(*ends, -(-total // _SORTED_ROWS))))

    # Too large

    def _halved(self, select: Select, here: Spot, error: ConnectorError) -> Spot:
        first, *others = here.ranges
        ends = self._ends(select.query, first)
        both = halves(*ends, first) if ends is not None else None
        if both is None or len(others) > _MOST_RANGES:
            raise error
        return Spot((*both, *others))

    def _ends(self, query: Query, whole: Range) -> tuple[str, str] | None:
        first = whole[0] or self._rest.edge(query, is_last=False)
        last = whole[1] or self._rest.edge(query, is_last=True)
        return (first, last) if first and last else None


class _LargeError(Exception):
    """The first page says that the query finds many."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self.total = total


class _ManyError(Exception):
    """Too many rows to be put in order at once: go on in these ranges."""

    def __init__(self, spot: Spot) -> None:
        super().__init__(spot)
        self.spot = spot


def _kept(pages: Iterator[BulkPage]) -> Iterator[BulkPage]:
    """The pages; the job is left for its week, in case a place in it is gone on from."""
    for page in pages:
        yield page
        if page.place is None:
            return


def _complete(
    select: Select, records: list[Record], *, is_last: bool
) -> tuple[list[Record], list[Record]]:
    """What may be given, and what waits for the rest of its key."""
    if is_last or not select.is_sorted or not records:
        return records, []
    key = select.query.key
    cut = len(records)
    while cut and records[cut - 1][key] == records[-1][key]:
        cut -= 1
    return records[:cut], records[cut:]


def _narrow(query: Query) -> list[Query]:
    """The query, in as many parts by columns as its length in an address asks for."""
    if query.key != "Id" or len(quote_plus(query.soql())) <= _LONGEST_QUERY:
        return [query]
    bare = attrs.evolve(query, fields=("Id",))
    room = _LONGEST_QUERY - len(quote_plus(bare.soql(after="0" * 18, until="0" * 18)))
    queries, fields, used = [], ["Id"], 0
    for name in (name for name in query.fields if name != "Id"):
        length = len(quote_plus(f", {name}"))
        if used + length > room and len(fields) > 1:
            queries.append(attrs.evolve(query, fields=tuple(fields)))
            fields, used = ["Id"], 0
        fields.append(name)
        used += length
    return [*queries, attrs.evolve(query, fields=tuple(fields))]
