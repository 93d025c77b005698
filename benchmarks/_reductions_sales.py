"""What of the sales, activities and invoices, ours and as SQL by hand, for one book?

The activities of this book name their account, each of them, and its sales no source and no
odds: by hand nobody asks for that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pyarrow as pa

__all__ = ["OF_SALES"]

_FIRST, _AS_OF = date(2019, 7, 1), date(2026, 6, 30)
_ENDS: Final = tuple(date(year, 6, 30) for year in range(2026, 2020, -1))
_HALVES: Final = tuple(
    date(year, month, day)
    for year in range(2026, 2020, -1)
    for month, day in ((12, 31), (6, 30))
)[1:]


def _numbers(found: Any, names: list[str]) -> Any:
    """With days and moments as whole numbers."""
    columns = {}
    for name in names:
        column = found[name]
        if pa.types.is_date(column.type):
            column = column.cast(pa.int32())
        elif pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
        columns[name] = column
    return pa.table(columns)


def _first(book: Any) -> Any:
    from crm_portfolio.analysis import _facts

    found = _facts.first_wins(book["opportunity"])
    return _numbers(found, ["account_id", "won_on", "entered_at"])


def _open(book: Any) -> Any:
    from crm_portfolio.analysis._facts._attached import open_sales

    found = open_sales(book["opportunity"], _AS_OF, 2)
    return found.select(["account_id", "month", "minor", "is_priced", "count"])


def _contacted(book: Any) -> Any:
    """As often as so many contacts came before an end, so many sales ended so."""
    from crm_portfolio._frames import kept, nw
    from crm_portfolio.analysis import _facts
    from crm_portfolio.analysis._lost._ends import _log_of
    from crm_portfolio.portfolio import Period

    zone = book.calendar.time_zone
    clock = _facts.Clock.of(_FIRST, _AS_OF, zone=zone, backend=book.backend)
    span = Period.between(_FIRST, _AS_OF + timedelta(days=1))
    rows = _facts.ended(book, None, span, clock).select("ordinal", "starts_s", "ends_s")
    log = _log_of(book, _facts.Contacts())
    found = _facts.contacts_of(kept(rows), log, "ordinal", by="ordinal")
    names = ("touches", "out_count", "in_count")
    counted = found.with_columns(n=nw.lit(1)).group_by(*names).agg(nw.col("n").sum())
    return _facts.collected(counted).select([*names, "n"])


def _outbound(book: Any) -> Any:
    from crm_portfolio.analysis import _facts

    which = _facts.Contacts(automatic_kinds=("automatic reply",))
    since = datetime(2026, 4, 1, 22, tzinfo=UTC)
    found = _facts.outbound_since(book, since, which)
    return _numbers(found, ["account_id", "n", "last_at"])


def _came(book: Any) -> Any:
    from crm_portfolio.analysis._facts._inwards import came_inwards
    from crm_portfolio.analysis._facts._spans import came_in

    zone = book.calendar.time_zone
    return came_in(came_inwards(book), _HALVES, zone).select(
        ["account_id", "span", "n"]
    )


def _late(book: Any) -> Any:
    from crm_portfolio.analysis._facts._spans import lateness_at

    found = lateness_at(book["invoice"], _ENDS, digits=2)
    names = [f"{name}_{at}" for at in range(5) for name in ("weight", "floored")]
    return found.select(["account_id", *names])


def _late_by_hand() -> str:
    """As of each of the days: what was paid in the year before, or was due and unpaid."""
    sums = []
    for year in range(2026, 2021, -1):
        day, before = f"DATE '{year}-06-30'", f"DATE '{year - 1}-06-30'"
        is_paid = f"coalesce(paid_on <= {day}, false)"
        which = (
            f"issued_on <= {day} AND CASE WHEN {is_paid} THEN due_on > {before} "
            f"ELSE due_on < {day} END"
        )
        late = f"greatest(CASE WHEN {is_paid} THEN paid_on ELSE {day} END - due_on, 0)"
        sums += [
            f"coalesce(sum({each}) FILTER (WHERE {which}), 0)"
            for each in ("minor", f"minor * {late}")
        ]
    return f"""SELECT account_id, {", ".join(sums)} FROM (
    SELECT *, round(amount * 100)::BIGINT AS minor FROM invoice
    WHERE amount > 0 AND issued_on <= '2026-06-30') GROUP BY account_id"""


def _came_by_hand() -> str:
    """Of the days of the org's zone, a half-year is a span."""
    edges = [
        f"timezone('Europe/Berlin', TIMESTAMP '{end}' + INTERVAL 1 DAY)"
        for end in _HALVES
    ]
    spans = " ".join(
        f"WHEN occurred_at >= {edge} THEN {at}" for at, edge in enumerate(edges[1:])
    )
    return f"""SELECT account_id, CASE {spans} ELSE {len(edges) - 1} END AS span, count(*)
    FROM activity
    WHERE direction = 'in' AND coalesce(status, 'held') = 'held'
    AND occurred_at < {edges[0]} GROUP BY account_id, span"""


OF_SALES: Final[Mapping[str, tuple[Callable[[Any], Any], str]]] = {
    "contacts of sales that ended": (
        _contacted,
        """SELECT touches, outs, ins, count(*) FROM (
        SELECT count(*) AS touches, count(*) FILTER (WHERE is_out) AS outs,
          count(*) FILTER (WHERE is_in) AS ins FROM (
          SELECT opportunity_id, kind = 'meeting' OR coalesce(direction, 'out') <> 'in'
            AS is_out, kind = 'meeting' OR direction = 'in' AS is_in
          FROM activity JOIN (
            SELECT opportunity_id,
              timezone('Europe/Berlin', (closed_on + 1)::TIMESTAMP) AS ends_at
            FROM opportunity WHERE status IN ('won', 'lost')
            AND closed_on >= '2019-07-01' AND closed_on < '2026-07-01'
          ) USING (opportunity_id)
          WHERE coalesce(status, 'held') = 'held' AND occurred_at < ends_at)
        GROUP BY opportunity_id) GROUP BY ALL""",
    ),
    "first sales won": (
        _first,
        # A pair in one number: no sale is as many seconds old. The least of pairs takes
        # a third longer, the entry that goes with the first day twice as long.
        """SELECT account_id, pair // 10000000000, pair % 10000000000 * 1000000 FROM (
        SELECT account_id, min((closed_on - DATE '1970-01-01') * 10000000000
          + epoch_us(created_at) // 1000000) AS pair FROM opportunity
        WHERE status = 'won' AND closed_on IS NOT NULL GROUP BY account_id)""",
    ),
    "open sales": (
        _open,
        """SELECT account_id, CASE WHEN expected_close_on IS NULL THEN -1
          WHEN expected_close_on < '2026-06-30' THEN -2
          ELSE year(expected_close_on) * 12 + month(expected_close_on) - 1 END AS month,
        coalesce(round(amount * 100)::BIGINT, 0) AS minor,
        (amount IS NOT NULL)::INT AS is_priced, count(*), pipeline, stage, kind
        FROM opportunity WHERE status = 'open'
        GROUP BY account_id, month, minor, is_priced, pipeline, stage, kind""",
    ),
    "pressure on accounts": (
        _outbound,
        """SELECT account_id, count(*), epoch_us(max(occurred_at)) FROM activity
        WHERE coalesce(status, 'held') = 'held' AND kind <> 'automatic reply'
        AND (kind = 'meeting' OR coalesce(direction, 'out') <> 'in')
        AND occurred_at >= '2026-04-01 22:00:00+00'
        AND occurred_at < '2026-06-30 22:00:00+00' GROUP BY account_id""",
    ),
    "inbound in half-years": (_came, _came_by_hand()),
    "lateness at five dates": (_late, _late_by_hand()),
}
