"""What of the revenue lines, ours and as SQL by hand, for one book?

The lines of this book say account, day, amount, product, quantity and list price, each of
them, and name no currency and no line they go back to: by hand nobody asks for that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from types import SimpleNamespace
from typing import Any, Final

import pyarrow as pa

__all__ = ["OF_LINES"]

_START, _END = date(2025, 7, 1), date(2026, 7, 1)
_HALF, _HALF_BEFORE = date(2026, 1, 1), date(2025, 1, 1)
_QUARTERS: Final = tuple(
    date(year, month, 1) for year in range(2023, 2027) for month in (1, 4, 7, 10)
)[2:15]
_ENDS: Final = (
    *(date(2026, 6, 30), date(2025, 12, 31), date(2025, 6, 30), date(2024, 12, 31)),
    *(date(2024, 6, 30), date(2023, 12, 31), date(2023, 6, 30), date(2022, 12, 31)),
    *(date(2022, 6, 30), date(2021, 12, 31), date(2021, 6, 30)),
)


def _year() -> Any:
    from crm_portfolio.portfolio import Period

    return Period.between(_START, _END)


def _halves() -> Any:
    from crm_portfolio.analysis._facts import Span
    from crm_portfolio.portfolio import Period

    now = Period.between(_HALF, _END)
    before = Period.between(_HALF_BEFORE, _START)
    return Span(now, before, later=now, digits=2, home="EUR")


def _by_month(book: Any) -> Any:
    from crm_portfolio.analysis._facts._months import revenue_until

    found = revenue_until(book, "net_revenue", _END)
    names = ("account", "month", "minor", "lines", "known_lines")
    return pa.table({name: getattr(found, name) for name in names})


def _by_quarter(book: Any) -> Any:
    from crm_portfolio.analysis._facts._workload import _revenue_by_quarter

    of: Any = SimpleNamespace(measure="net_revenue")
    found = _revenue_by_quarter(book, of, list(_QUARTERS))
    return found.select(["quarter", "minor", "account_count"])


def _by_span(book: Any) -> Any:
    from crm_portfolio.analysis import _facts
    from crm_portfolio.analysis._facts._spans import bought_in

    found = bought_in(_facts.account_days(book, "net_revenue"), _ENDS)
    days = {
        name: found[name].cast(pa.date32()).cast(pa.int32())
        for name in ("first_on", "last_on")
    }
    names = ["account_id", "span", "days", "minor"]
    return pa.table({name: found[name] for name in names} | days)


def _by_half(book: Any) -> Any:
    from crm_portfolio.analysis import _facts
    from crm_portfolio.analysis._facts._days import with_places

    lines = with_places(book, "revenue_line")
    found = _facts.two_periods(lines, "net_revenue", _halves())
    names = ("minor", "lines", "known_lines", "sold_lines", "costed_lines", "line_cost")
    both = [f"{name}{when}" for when in ("", "_before") for name in names]
    return found.select(["account_id", *both, "minor_later"])


def _products(book: Any) -> Any:
    from crm_portfolio.analysis._facts._two_periods import products_of_two

    found = products_of_two(book["revenue_line"], _halves(), by="product")
    names = ("minor", "lines", "quantity")
    both = [f"{name}{when}" for when in ("", "_before") for name in names]
    return found.select(["product_id", *both])


def _gross(book: Any) -> Any:
    from crm_portfolio.analysis import _facts
    from crm_portfolio.analysis._facts._days import with_places

    found = _facts.grossed(with_places(book, "revenue_line"), _halves())
    names = ("invoiced", "gap", "sold_lines", "priced_lines")
    both = [f"{name}{when}" for when in ("", "_before") for name in names]
    return found.select(["account_id", *both])


def _conceded(book: Any) -> Any:
    """A row of neither half says nothing: by hand there is none."""
    import pyarrow.compute as pc

    from crm_portfolio.analysis import _facts

    found = _facts.conceded(_facts.concessions(book), _halves())
    is_in = pc.greater(pc.add(found["lines"], found["lines_before"]), 0)
    names = ["account_id", "issued", "issued_before", "lines", "lines_before"]
    return found.filter(is_in).select(names)


def _costs(book: Any) -> Any:
    from crm_portfolio.analysis import _facts

    found = _facts.costs_of_lines(book, _year())
    return found.select(["account_id", "line_cost", "sold", "costed"])


def _listed(book: Any) -> Any:
    from crm_portfolio.analysis import _facts

    found = _facts.listed_lines(book["revenue_line"], _year(), 2)
    return found.select(["account_id", "sold", "listed"])


def _kinds_of_products(book: Any) -> Any:
    from crm_portfolio.analysis import _facts

    product = book.arrow("product")
    line = product["line"].combine_chunks().dictionary_encode()
    place_of = pa.table(
        {"product_id": product["product_id"], "place": line.indices.cast(pa.int64())}
    )
    found = _facts.bought_lines(book, "net_revenue", _year(), place_of)
    return found.select(["account_id", "minor", "minor_ever"])


def _young(book: Any) -> Any:
    from itertools import pairwise

    from crm_portfolio.analysis import _facts
    from crm_portfolio.portfolio import Period

    steps = [Period.between(*edges) for edges in pairwise(_QUARTERS[4:])]
    found = _facts.young_revenue(book, "net_revenue", steps, 24)
    return found.select(["step", "minor", "young"])


_MINOR: Final = "round(amount * 100)::BIGINT AS minor"
_IN_NOW, _IN_BEFORE = "booked_on >= '2026-01-01'", "booked_on < '2025-07-01'"
_IN_HALVES: Final = (
    "((booked_on >= '2026-01-01' AND booked_on < '2026-07-01')"
    " OR (booked_on >= '2025-01-01' AND booked_on < '2025-07-01'))"
)
_OF_HALF: Final = (
    "coalesce(sum(minor) FILTER (WHERE {when}), 0), count(*) FILTER (WHERE {when}), "
    "count(minor) FILTER (WHERE {when}), count(*) FILTER (WHERE {when} AND minor > 0), "
    "count(cost) FILTER (WHERE {when} AND minor > 0), "
    "coalesce(sum(cost) FILTER (WHERE {when}), 0)"
)
_OF_GROSS: Final = (
    "coalesce(sum(minor) FILTER (WHERE {when}), 0), "
    "coalesce(sum(listed - minor) FILTER (WHERE {when}), 0), "
    "count(*) FILTER (WHERE {when}), count(listed) FILTER (WHERE {when})"
)
_OF_PRODUCT: Final = (
    "coalesce(sum(minor) FILTER (WHERE {when}), 0), count(*) FILTER (WHERE {when}), "
    "coalesce(sum(parts) FILTER (WHERE {when}), 0)"
)


def _both(sums: str) -> str:
    return ", ".join(sums.format(when=when) for when in (_IN_NOW, _IN_BEFORE))


_QUARTER: Final = "(year(booked_on) - 2023) * 4 + quarter(booked_on) - 3"
_SPAN: Final = (
    "(2026 - year(booked_on)) * 2 + CASE WHEN month(booked_on) < 7 THEN 0 ELSE -1 END"
)
_CONCESSIONS: Final = "('discount', 'credit_note', 'refund', 'goodwill', 'rebate')"

OF_LINES: Final[Mapping[str, tuple[Callable[[Any], Any], str]]] = {
    "revenue by month": (
        _by_month,
        """SELECT account_id, year(booked_on) * 12 + month(booked_on) - 1 AS month,
        sum(round(amount * 100)), count(*), count(amount) FROM revenue_line
        WHERE booked_on < '2026-07-01' GROUP BY account_id, month""",
    ),
    "revenue by quarter": (
        _by_quarter,
        f"""SELECT quarter, sum(minor), count(*) FROM (
        SELECT account_id, {_QUARTER} AS quarter, sum(round(amount * 100)::BIGINT) AS minor
        FROM revenue_line WHERE booked_on >= '2023-07-01' AND booked_on < '2026-07-01'
        GROUP BY ALL) GROUP BY quarter""",
    ),
    "purchases in a season": (
        _by_span,
        f"""SELECT account_id, {_SPAN} AS span, count(*), sum(minor),
        min(booked_on) - DATE '1970-01-01', max(booked_on) - DATE '1970-01-01' FROM (
        SELECT account_id, booked_on, sum(round(amount * 100)::BIGINT) AS minor
        FROM revenue_line WHERE booked_on <= '2026-06-30' GROUP BY ALL HAVING minor > 0)
        GROUP BY account_id, span""",
    ),
    "two half-years by account": (
        _by_half,
        f"""SELECT account_id, {_both(_OF_HALF)},
        coalesce(sum(minor) FILTER (WHERE {_IN_NOW}), 0)
        FROM (SELECT account_id, booked_on, {_MINOR}, round(cost * 100)::BIGINT AS cost
          FROM revenue_line) WHERE {_IN_HALVES} GROUP BY account_id""",
    ),
    "two half-years by product": (
        _products,
        f"""SELECT product_id, {_both(_OF_PRODUCT)} FROM (
        SELECT product_id, booked_on, {_MINOR}, round(10000 * CASE WHEN amount < 0
          THEN -abs(quantity) ELSE quantity END)::BIGINT AS parts
        FROM revenue_line) WHERE {_IN_HALVES} GROUP BY product_id""",
    ),
    "from gross to net": (
        _gross,
        f"""SELECT account_id, {_both(_OF_GROSS)} FROM (
        SELECT account_id, booked_on, kind, {_MINOR},
          round(list_price * quantity * 100)::BIGINT AS listed
        FROM revenue_line) WHERE {_IN_HALVES} AND kind NOT IN {_CONCESSIONS}
        GROUP BY account_id""",
    ),
    "concessions": (
        _conceded,
        f"""SELECT account_id, coalesce(sum(minor) FILTER (WHERE {_IN_NOW}), 0),
        coalesce(sum(minor) FILTER (WHERE {_IN_BEFORE}), 0),
        count(*) FILTER (WHERE {_IN_NOW}), count(*) FILTER (WHERE {_IN_BEFORE})
        FROM (SELECT account_id, kind, booked_on, {_MINOR} FROM revenue_line)
        WHERE {_IN_HALVES} AND kind IN {_CONCESSIONS} GROUP BY account_id, kind""",
    ),
    "young revenue": (
        _young,
        f"""WITH line AS MATERIALIZED (
        SELECT account_id, product_id, booked_on, {_MINOR} FROM revenue_line
        ), came AS (SELECT account_id, min(booked_on) AS came_on FROM line GROUP BY ALL
        ), offered AS (SELECT product_id, min(booked_on) AS offered_on FROM line GROUP BY ALL)
        SELECT {_QUARTER} - 4 AS step, sum(minor), coalesce(sum(minor) FILTER (
          WHERE greatest(came_on, offered_on) >
            date_trunc('quarter', booked_on) - INTERVAL 21 MONTHS), 0)
        FROM line JOIN came USING (account_id) JOIN offered USING (product_id)
        WHERE booked_on >= '2024-07-01' AND booked_on < '2026-07-01' GROUP BY step""",
    ),
    "costs of lines": (
        _costs,
        """SELECT account_id, sum(round(cost * 100)::BIGINT),
        count(*) FILTER (WHERE amount > 0), count(cost) FILTER (WHERE amount > 0)
        FROM revenue_line WHERE booked_on >= '2025-07-01' AND booked_on < '2026-07-01'
        GROUP BY account_id""",
    ),
    "list prices": (
        _listed,
        f"""SELECT account_id, sum(round(amount * 100)::BIGINT),
        sum(round(list_price * quantity * 100)::BIGINT) FROM revenue_line
        WHERE booked_on >= '2025-07-01' AND booked_on < '2026-07-01'
        AND kind NOT IN {_CONCESSIONS} GROUP BY account_id""",
    ),
    "lines bought": (
        _kinds_of_products,
        """SELECT account_id,
        coalesce(sum(minor) FILTER (WHERE booked_on >= '2025-07-01'), 0), sum(minor) AS ever
        FROM (SELECT account_id, product_id, booked_on, round(amount * 100) AS minor
          FROM revenue_line) JOIN product USING (product_id)
        WHERE booked_on < '2026-07-01' GROUP BY account_id, line HAVING ever > 0""",
    ),
}
