"""What happened beside the business: exceptional items, and businesses bought or sold?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._ranking import Flags
from crm_portfolio._places import rows_of
from crm_portfolio.analysis._facts import (
    RevenueFacts,
    Span,
    booked_until,
    events_within,
    exceptional_costs,
    last_events,
    paid_until,
    running_costs,
)
from crm_portfolio.analysis._half_year._settings import ReviewSettings
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Json

__all__ = ["Beside"]

_ITEMS: Final = pa.schema(
    [
        ("record_id", pa.string()),
        ("table", pa.string()),
        ("on", pa.date32()),
        ("period", pa.string()),
        ("kind", pa.string()),
        ("label", pa.string()),
        ("account_id", pa.string()),
        ("minor", pa.int64()),
        ("is_counted", pa.bool_()),
    ]
)


@attrs.frozen(eq=False)
class Beside:
    """What stands under operating profit, and what running the firm cost above it.

    Attributes:
        items: Exceptional costs and events, by day; ``is_counted`` unless the amount is
            unknown, or an exceptional cost of the same day and amount has told it.
        costs: By period (now, before): all but exceptional ones; None where no row says
            one, or where the first of all comes more than a month after the period begins.
        costs_begin: That first day, where it is too late for one of the periods.
        delivery: By period: what the ``cost`` table says delivering cost.
        is_perimeter: Accounts that came or went with a business bought or sold.
        left_on: By account: when the last event before this period says that it left.
        strangers: Of the ``perimeter_accounts``: ids that no account has.
        paid_above: Of how many accounts invoices paid go beyond the opportunities won,
            and by how much: they are told and never added. Of bookings only.
    """

    facts: RevenueFacts
    items: pa.Table
    costs: tuple[int | None, int | None]
    costs_begin: date | None
    delivery: tuple[int, int]
    is_perimeter: Flags
    left_on: pa.Array
    paid_above: tuple[int, int]
    strangers: tuple[str, ...]

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        facts: RevenueFacts,
        span: Span,
        settings: ReviewSettings,
    ) -> Beside:
        happened = (
            events_within(portfolio["event"], span) if "event" in portfolio else None
        )
        spent = running = None
        if "cost" in portfolio:
            spent = exceptional_costs(portfolio["cost"], span)
            running = running_costs(portfolio["cost"], span)
        costs, costs_begin, delivery = _running(running, span)
        return cls(
            facts,
            items=_items(spent, happened, span),
            costs=costs,
            costs_begin=costs_begin,
            delivery=delivery,
            is_perimeter=_perimeter(facts, happened, settings),
            left_on=_left_on(portfolio, facts, span, settings),
            paid_above=_paid_above(portfolio, facts, span),
            strangers=_strangers(facts, settings),
        )

    def exceptional(self, period: str) -> int:
        """Minor units of the period's items, those that cost as less than zero."""
        mine = pc.and_(pc.equal(self.items["period"], period), self.items["is_counted"])
        return pc.sum(self.items.filter(mine)["minor"]).as_py() or 0

    @property
    def told_twice(self) -> int:
        """Events whose amount an exceptional cost of the day has told already."""
        is_known = pc.is_valid(self.items["minor"])
        return pc.sum(pc.and_not(is_known, self.items["is_counted"])).as_py() or 0

    def told(
        self, nets: tuple[Any, Any], line_costs: tuple[Any, Any]
    ) -> dict[str, Json]:
        """Of both periods: net revenue, costs, operating profit, what is exceptional."""
        told: dict[str, Json] = {}
        for at, (name, period) in enumerate((("now", "now"), ("before", "before"))):
            net, costs = nets[at], _added(self.costs[at], line_costs[at])
            profit = None if net is None or costs is None else net - costs
            beside = self.exceptional(period)
            after = None if profit is None else profit + beside
            figures = {
                "net_revenue": net,
                "costs": costs,
                "operating_profit": profit,
                "exceptional": beside,
                "result": after,
            }
            told[name] = {
                key: None if each is None else self.facts.amount(each)
                for key, each in figures.items()
            }
        return told

    def table(self) -> pa.Table:
        """The items with their amounts in the currency."""
        minor = self.items["minor"].cast(pa.float64())
        amount = pc.divide(minor, float(10**self.facts.digits))
        at = self.items.column_names.index("minor")
        return self.items.set_column(at, "amount", amount)


def _added(costs: int | None, line_costs: int | None) -> int | None:
    return None if costs is None or line_costs is None else costs + line_costs


_A_MONTH: Final = timedelta(days=31)
"""Costs are often booked once a month: the first may stand on the last day of its month."""

Running = tuple[tuple[int | None, int | None], date | None, tuple[int, int]]


def _running(found: pa.Table | None, span: Span) -> Running:
    """Of this period and the one before: costs, where they begin, those of delivering."""
    rows = [] if found is None else found.to_pylist()
    row: dict[str, Any] = rows[0] if rows else {}
    first: date | None = row.get("first_on")
    costs: list[int | None] = []
    is_late = False
    for when, period in (("", span.now), ("_before", span.before)):
        assert period.start is not None
        lines, known = (row.get(f"{name}{when}") for name in ("lines", "known_lines"))
        begins_late = first is not None and first - period.start > _A_MONTH
        is_late |= begins_late and period.start != date.min
        is_known = bool(known) and known == lines and not begins_late
        costs.append(int(row[f"cost{when}"]) if is_known else None)
    delivery = int(row.get("delivery") or 0), int(row.get("delivery_before") or 0)
    return (costs[0], costs[1]), first if is_late else None, delivery


def _items(spent: pa.Table | None, happened: pa.Table | None, span: Span) -> pa.Table:
    rows: list[dict[str, Any]] = []
    costs = spent.to_pylist() if spent is not None else []
    told = Counter(_size(row) for row in costs if row["minor"] is not None)
    for table, found in (("cost", costs), ("event", _listed(happened))):
        for row in found:
            is_told = table == "event" and told[_size(row)] > 0
            if is_told:  # one event a cost: the next of that size is another matter
                told[_size(row)] -= 1
            period = _period(row["day"], span)
            rows.append(
                row
                | {"table": table, "on": row["day"], "period": period}
                | {"is_counted": row["minor"] is not None and not is_told}
            )
    ordered = sorted(rows, key=lambda row: (row["on"], row["table"], row["record_id"]))
    return pa.Table.from_pylist(ordered, schema=_ITEMS)


def _size(row: Mapping[str, Any]) -> tuple[date, int | None]:
    """By which an event is known again, whatever sign either was entered with."""
    return row["day"], None if row["minor"] is None else abs(row["minor"])


def _listed(happened: pa.Table | None) -> list[dict[str, Any]]:
    return happened.to_pylist() if happened is not None else []


def _period(day: Any, span: Span) -> str:
    for name, period in (("before", span.before), ("now", span.now)):
        if period.start <= day < period.end:
            return name
    return "between"


def _perimeter(
    facts: RevenueFacts, happened: pa.Table | None, settings: ReviewSettings
) -> Flags:
    ids, account = facts.by_account.ids, facts.account
    named = [*settings.perimeter_accounts]
    if happened is not None:
        says = pc.is_in(
            happened["kind"], pa.array(settings.perimeter_events, pa.string())
        )
        named += pc.drop_null(happened.filter(says)["account_id"]).to_pylist()
    is_in = pc.is_in(ids, pa.array(named, pa.string()))
    found: Flags = np.asarray(is_in)
    if "segment" in account.column_names:
        segments = pa.array(settings.perimeter_segments, pa.string())
        found = found | np.asarray(pc.is_in(account["segment"], segments))
    return found


def _strangers(facts: RevenueFacts, settings: ReviewSettings) -> tuple[str, ...]:
    named = pa.array(sorted(set(settings.perimeter_accounts)), pa.string())
    is_known = pc.is_in(named, facts.by_account.ids)
    return tuple(named.filter(pc.invert(is_known)).to_pylist())


def _left_on(
    portfolio: Portfolio, facts: RevenueFacts, span: Span, settings: ReviewSettings
) -> pa.Array:
    ids = facts.by_account.ids
    if "event" not in portfolio or not settings.left_events:
        return pa.nulls(len(ids), pa.date32())
    last = last_events(portfolio["event"], settings.left_events, span)
    at = rows_of(ids, last["account_id"])
    return last["day"].combine_chunks().cast(pa.date32()).take(at)


def _paid_above(
    portfolio: Portfolio, facts: RevenueFacts, span: Span
) -> tuple[int, int]:
    if facts.measure != "booked" or "invoice" not in portfolio:
        return 0, 0
    paid = paid_until(portfolio["invoice"], span)
    booked = booked_until(portfolio["opportunity"], span)
    at = pc.index_in(paid["account_id"], booked["account_id"].combine_chunks())
    sold = pc.fill_null(booked["booked"].combine_chunks().take(at.combine_chunks()), 0)
    more = np.maximum(paid["paid"].to_numpy() - sold.to_numpy(), 0)
    return int((more > 0).sum()), int(more.sum())
