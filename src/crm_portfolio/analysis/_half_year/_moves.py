"""Who came, left, grew and shrank, at the exchange rates of the period before?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._bridge import Bridge, of_groups
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._places import places_of
from crm_portfolio.analysis._facts import (
    PARTS,
    RevenueFacts,
    Span,
    counted,
    rateless,
    two_periods,
)
from crm_portfolio.analysis._facts._days import with_places
from crm_portfolio.analysis._facts._lines import TABLE_OF
from crm_portfolio.analysis._half_year._settings import ReviewSettings
from crm_portfolio.analysis._half_year._span import Days
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.results import Json, significant

__all__ = ["Moves", "Rates"]


@attrs.frozen
class Rates:
    """What other currencies were worth in the period before.

    Attributes:
        known: By currency; those without a rate then are in none.
        source: By currency: the ``lines`` of that period, else the ``exchange_rate`` table.
    """

    known: Mapping[str, float]
    source: Mapping[str, str]
    digits: int

    @classmethod
    def of(cls, portfolio: Portfolio, found: pa.Table, span: Span) -> Rates:
        """From the scan of both periods: what the books themselves converted at."""
        foreign = found.filter(pc.not_equal(found["currency"], ""))
        sums = foreign.group_by("currency").aggregate(
            [("face_before", "sum"), ("worth_before", "sum")]
        )
        known: dict[str, float] = {}
        source: dict[str, str] = {}
        for row in sums.sort_by("currency").to_pylist():
            code, face = row["currency"], row["face_before_sum"]
            rate = (
                row["worth_before_sum"] / 10**span.digits / (face / PARTS)
                if face
                else _listed(portfolio, code, span)
            )
            if rate is not None:
                known[code] = rate
                source[code] = "lines" if face else "exchange_rate"
        return cls(known, source, span.digits)

    def constant(self, rows: pa.Table) -> Amounts:
        """This period's minor units of these rows at those rates.

        A currency that had none is taken at its own: what rates did to it is unknown.
        """
        minor: Amounts = rows["minor"].to_numpy()
        codes = rows["currency"].combine_chunks().cast(pa.string())
        listed = pa.array(list(self.known), pa.string())
        at = pc.index_in(codes, listed)
        rates = pa.array(list(self.known.values()), pa.float64()).take(at)
        rate: Floats = rates.to_numpy(zero_copy_only=False)
        face = rows["face"].to_numpy() / PARTS * 10**self.digits
        worth = np.rint(face * np.nan_to_num(rate)).astype(np.int64)
        constant: Amounts = np.where(np.isnan(rate), minor, worth)
        return constant

    def lacks(self, rows: pa.Table) -> npt.NDArray[np.bool_]:
        """Rows in another currency of which no rate of the period before is known."""
        is_foreign = pc.not_equal(rows["currency"], "")
        has = pc.is_in(rows["currency"], pa.array(list(self.known), pa.string()))
        lacks: npt.NDArray[np.bool_] = pc.and_not(is_foreign, has).to_numpy()
        return lacks


def _listed(portfolio: Portfolio, code: str, span: Span) -> float | None:
    """The mean of the rates in force on each day of the period before."""
    if "exchange_rate" not in portfolio:
        return None
    rows = portfolio.arrow("exchange_rate")
    mine = pc.and_(pc.equal(rows["currency"], code), pc.equal(rows["base"], span.home))
    listed = rows.filter(mine).sort_by("from_on")
    start, end = span.before.start, span.before.end
    assert start is not None
    assert end is not None
    if not listed.num_rows or start >= end:
        return None
    days = np.arange(np.datetime64(start, "D"), np.datetime64(end, "D"))
    from_on = listed["from_on"].to_numpy().astype("datetime64[D]")
    at = np.searchsorted(from_on, days, side="right") - 1
    if not (at >= 0).any():
        return None
    return float(listed["rate"].to_numpy()[at[at >= 0]].mean())


@attrs.frozen(eq=False)
class Moves:
    """Each account in both periods, by its place in the facts; in minor units.

    Attributes:
        left_out: The lines of which no rate was known: see `rateless`.
        is_unknown: Who has, itself, a line of unknown amount in one of the periods.
        later: Twelve months after the period before: the same as now in the usual case.
        rates: Of the other currencies, in the period before.
        without_rate: By currency: what this period brought in one that had no rate then.
        line_costs: By period (now, before): the cost of the lines, or None where some
            line says it and another that sells does not; 0 where none does.
    """

    facts: RevenueFacts
    bridge: Bridge
    later: Amounts
    lines: Groups
    lines_before: Groups
    known_lines: Groups
    known_lines_before: Groups
    left_out: pa.Table
    is_unknown: Flags
    is_perimeter: Flags
    roots: pa.Array
    rates: Rates
    without_rate: Mapping[str, int]
    line_costs: tuple[int | None, int | None]

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        facts: RevenueFacts,
        days: Days,
        settings: ReviewSettings,
        perimeter: Flags,
    ) -> Moves:
        found = _scanned(portfolio, facts, days.span)
        rates = Rates.of(portfolio, found, days.span)
        size = len(facts.by_account.ids)
        sums = {name: _placed(found, found[name].to_numpy(), size) for name in _SUMS}
        left_out = rateless(portfolio, facts.measure)
        _add_rateless(sums, left_out, facts, days.span)
        constant = _placed(found, rates.constant(found), size)
        groups, group_of = facts.groups()
        is_grouped = settings.level == "group"
        if is_grouped:
            perimeter = perimeter | _came_with(
                perimeter, groups.ids, group_of, sums, facts
            )
        movement = of_groups(
            group_of if is_grouped else np.arange(size),
            perimeter,
            sums["minor_before"],
            constant,
            was_here=sums["lines_before"] > 0,
            is_here=sums["lines"] > 0,
            is_older=_is_older(facts, left_out, days.span),
            is_unknown=_is_unknown(sums),
        )
        return cls(
            facts,
            Bridge(
                sums["minor_before"],
                sums["minor"],
                constant,
                movement,
                group_of if is_grouped else None,
            ),
            later=sums["minor_later"],
            **{name: sums[name] for name in _COUNTS},
            left_out=left_out,
            is_unknown=_is_unknown(sums),
            is_perimeter=perimeter,
            roots=groups.ids.take(pa.array(group_of)),
            rates=rates,
            without_rate=_without_rate(found, rates),
            line_costs=(_line_costs(sums, ""), _line_costs(sums, "_before")),
        )

    def total(self, *, before: bool = False) -> int | None:
        """Minor units of all; None where there are lines, and no amount of them."""
        lines = self.lines_before if before else self.lines
        known = self.known_lines_before if before else self.known_lines
        if lines.any() and not known.any():
            return None
        return int((self.bridge.before if before else self.bridge.now).sum())

    def told_rates(self) -> list[dict[str, Json]]:
        return [
            {
                "currency": code,
                "rate_before": significant(rate),
                "from": self.rates.source[code],
            }
            for code, rate in self.rates.known.items()
        ]


_COUNTS = ("lines", "lines_before", "known_lines", "known_lines_before")
_SUMS = (
    *("minor", "minor_before", "minor_later"),
    *_COUNTS,
    *("sold_lines", "costed_lines", "line_cost"),
    *("sold_lines_before", "costed_lines_before", "line_cost_before"),
)


def _scanned(portfolio: Portfolio, facts: RevenueFacts, span: Span) -> pa.Table:
    """Both periods by account and currency, each with the place of its account."""
    lines = with_places(portfolio, TABLE_OF[facts.measure])
    found = two_periods(lines, facts.measure, span)
    return found.append_column("place", found["account_id"])


def _placed(found: pa.Table, values: Amounts, size: int) -> Amounts:
    sums = np.zeros(size, dtype=np.int64)
    np.add.at(sums, found["place"].to_numpy(), values)
    return sums


def _add_rateless(
    sums: dict[str, Amounts], left: pa.Table, facts: RevenueFacts, span: Span
) -> None:
    """A line that was left out without a rate is one of unknown amount, never none."""
    ids = facts.by_account.ids
    sums["lines"] += counted(left, ids, span.now)
    sums["lines_before"] += counted(left, ids, span.before)


def _is_older(facts: RevenueFacts, left: pa.Table, span: Span) -> Flags:
    """Who has a line of a day before both periods, be it one without a rate."""
    first = span.before.start or date.min
    older = Period("older", start=date.min, end=first)
    dated = left.filter(pc.is_valid(left["day"]))
    is_older: Flags = facts.by_account.first_on < np.datetime64(first, "D")
    return is_older | (counted(dated, facts.by_account.ids, older) > 0)


def _came_with(
    perimeter: Flags,
    roots: pa.Array,
    group_of: Groups,
    sums: Mapping[str, Amounts],
    facts: RevenueFacts,
) -> Flags:
    """Who is in one period alone, of a group that was bought or sold by its head's name."""
    head = places_of(roots, facts.by_account.ids).to_numpy()
    is_one: Flags = (sums["lines"] > 0) != (sums["lines_before"] > 0)
    came: Flags = perimeter[head][group_of] & is_one
    return came


def _is_unknown(sums: Mapping[str, Amounts]) -> Flags:
    unknown: Flags = (sums["lines"] > sums["known_lines"]) | (
        sums["lines_before"] > sums["known_lines_before"]
    )
    return unknown


def _line_costs(sums: Mapping[str, Amounts], when: str) -> int | None:
    sold = int(sums[f"sold_lines{when}"].sum())
    costed = int(sums[f"costed_lines{when}"].sum())
    cost = int(sums[f"line_cost{when}"].sum())
    return None if (costed or cost) and costed < sold else cost


def _without_rate(found: pa.Table, rates: Rates) -> dict[str, int]:
    rows = found.filter(pa.array(rates.lacks(found)))
    rows = rows.filter(pc.not_equal(rows["face"], 0))
    sums = rows.group_by("currency").aggregate([("minor", "sum")])
    told = sums.sort_by("currency").to_pylist()
    return {row["currency"]: row["minor_sum"] for row in told}
