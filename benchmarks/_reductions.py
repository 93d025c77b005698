"""Which reductions of the long tables are held against SQL by hand, for one book?

Each is ours, and the query that somebody who knows DuckDB and the rules would write for
it: no slower than need be, and no more than gives the same numbers. Whatever the book does
not have is left out by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final, TypeAlias

from benchmarks._as_known import known, known_by_hand
from benchmarks._reductions_lines import OF_LINES
from benchmarks._reductions_sales import OF_SALES

__all__ = ["ON_SPARK", "REDUCTIONS"]

Reduction: TypeAlias = tuple[Callable[[Any], Any], str]
AS_OF: Final = date(2026, 6, 30)
_START, _END, _BEFORE = date(2025, 7, 1), date(2026, 7, 1), date(2024, 7, 1)


def _revenue(book: Any) -> Any:
    from crm_portfolio.analysis import _facts
    from crm_portfolio.analysis._facts._revenue import _by_account, _months
    from crm_portfolio.portfolio import Period

    days = _facts.account_days(book, "net_revenue")
    span, before = Period.between(_START, _END), Period.between(_BEFORE, _START)
    table = _by_account(days, span, before)
    assert _months(days, span).num_rows <= table.num_rows
    return table.select(["account_id", "revenue", "lines", "revenue_previous"])


def _bought(book: Any) -> Any:
    from crm_portfolio.analysis import _facts
    from crm_portfolio.analysis._facts._signals import purchase_days

    days = _facts.account_days(book, "net_revenue")
    return purchase_days(days, _END).select(["account_id", "days"])


def _paid(book: Any) -> Any:
    from crm_portfolio.analysis import _facts

    found = _facts.payments(book["invoice"], start=_START, as_of=AS_OF, digits=2)
    return found.select(["payer_id", "weight", "floored"])


def _inbound(book: Any) -> Any:
    from datetime import UTC, datetime

    from crm_portfolio.analysis._facts._signals import activities_in

    edges = tuple(
        datetime(each.year, each.month, each.day, tzinfo=UTC)
        for each in (_BEFORE, _START, _END)
    )
    return activities_in(book["activity"], edges).select(
        ["account_id", "now", "before"]
    )


def _opened(book: Any) -> Any:
    from crm_portfolio.analysis import _facts

    days = [date(2026, month, 1) for month in range(1, 7)]
    names = ["owner_id", *(f"at_{at}" for at in range(6))]
    return _facts.open_by_owner(book, days).select(names)


def _after(book: Any) -> Any:
    from crm_portfolio.analysis import _facts

    found = _facts.after_losses(book, _facts.Contacts())
    return found.select(["opportunity_id", "attempts", "answers"])


_LATE: Final = """
SELECT payer_id, sum(weight)::BIGINT, sum(weight * greatest(days, 0))::BIGINT,
  sum(weight * days)::BIGINT, sum(CASE WHEN days > 0 THEN weight END)::BIGINT, count(*),
  count(*) FILTER (WHERE days > 0), sum(days)::BIGINT, sum(greatest(days, 0))::BIGINT,
  max(greatest(days, 0)), max(CASE WHEN days > 0 AND is_paid THEN paid_on END),
  min(CASE WHEN NOT is_paid THEN due_on END) FROM (
  SELECT account_id AS payer_id, is_disputed, due_on, paid_on, is_paid,
    CASE WHEN is_paid THEN net ELSE least(coalesce(still, net), net) END AS weight,
    date_diff('day', due_on, coalesce(CASE WHEN is_paid THEN paid_on END,
      DATE '2026-06-30')) AS days
  FROM (SELECT *, coalesce(paid_on <= DATE '2026-06-30', false) AS is_paid,
    round(amount * 100)::BIGINT AS net, round(open_amount * 100)::BIGINT AS still
    FROM invoice WHERE amount > 0 AND issued_on <= DATE '2026-06-30'))
WHERE weight > 0 AND (is_paid OR due_on < DATE '2026-06-30')
  AND (NOT is_paid OR due_on >= DATE '2025-07-01')
GROUP BY payer_id, is_disputed"""
_AFTER: Final = """
WITH lost AS (SELECT opportunity_id, closed_on,
    timezone('Europe/Berlin', (closed_on + 1)::TIMESTAMP) AS since
    FROM opportunity WHERE status = 'lost' AND closed_on IS NOT NULL)
SELECT opportunity_id, count(*) FILTER (WHERE is_out), count(*) FILTER (WHERE is_in) FROM (
  SELECT opportunity_id, kind = 'meeting' OR coalesce(direction, 'out') <> 'in' AS is_out,
    kind = 'meeting' OR direction = 'in' AS is_in
  FROM activity JOIN lost USING (opportunity_id)
  WHERE coalesce(status, 'held') = 'held' AND occurred_at >= since
    AND occurred_at < TIMESTAMPTZ '2026-06-30 22:00:00+00')
GROUP BY opportunity_id"""

ON_SPARK: Final[Mapping[str, Reduction]] = {
    "revenue by account": (
        _revenue,
        """SELECT account_id, coalesce(sum(minor) FILTER (WHERE booked_on >= '2025-07-01'), 0),
        count(*) FILTER (WHERE booked_on >= '2025-07-01'),
        coalesce(sum(minor) FILTER (WHERE booked_on >= '2024-07-01'
          AND booked_on < '2025-07-01'), 0), count(DISTINCT date_trunc('month', booked_on)),
        min(booked_on)
        FROM (SELECT *, round(amount * 100)::BIGINT AS minor FROM revenue_line)
        WHERE booked_on < '2026-07-01' GROUP BY account_id""",
    ),
    "days of purchases": (
        _bought,
        """SELECT account_id, count(*) FROM (SELECT account_id, booked_on FROM revenue_line
        WHERE booked_on < '2026-07-01' GROUP BY ALL
        HAVING sum(round(amount * 100)::BIGINT) > 0) GROUP BY account_id""",
    ),
    "lateness of payers": (_paid, _LATE),
    "inbound activities": (
        _inbound,
        """SELECT account_id, count(*) FILTER (WHERE occurred_at >= '2025-07-01 00:00:00+00'),
        count(*) FILTER (WHERE occurred_at < '2025-07-01 00:00:00+00') FROM activity
        WHERE direction = 'in' AND coalesce(status, 'held') = 'held'
        AND account_id IS NOT NULL AND occurred_at >= '2024-07-01 00:00:00+00'
        AND occurred_at < '2026-07-01 00:00:00+00' GROUP BY account_id""",
    ),
    "open by owner": (
        _opened,
        "SELECT coalesce(owner_id, ''), "
        + ", ".join(
            f"count(*) FILTER (WHERE created_at < timezone('Europe/Berlin', "
            f"TIMESTAMP '2026-{month:02}-01') AND (closed_on IS NULL "
            f"OR closed_on >= '2026-{month:02}-01'))"
            for month in range(1, 7)
        )
        + " FROM opportunity WHERE status = 'open' OR closed_on IS NOT NULL GROUP BY ALL",
    ),
    "contacts after losses": (_after, _AFTER + " HAVING bool_or(is_out OR is_in)"),
}
_FIRST: Final = ("contacts of sales that ended", "sales as known")
_ALL: Final = {
    "sales as known": (known, known_by_hand),
    **ON_SPARK,
    **OF_LINES,
    **OF_SALES,
}
# On Spark those above are measured, which say as much of it. Of those that share what is
# prepared once, the first is the one that needs most of it: it pays for the others.
REDUCTIONS: Final[Mapping[str, Reduction]] = {
    name: _ALL[name] for name in dict.fromkeys((*_FIRST, *_ALL))
}
