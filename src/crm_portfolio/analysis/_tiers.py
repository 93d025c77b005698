"""Which tier is each account in, and by which rule?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, cast

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._held import tier_that_stands
from crm_portfolio._methods._rules import (
    LETTERS,
    Abc,
    Bands,
    Cut,
    Method,
    Quantiles,
    Slices,
    cut,
    standing,
)
from crm_portfolio._wording import Lang, Reason, ReasonValue
from crm_portfolio.analysis._facts import (
    Measure,
    RevenueFacts,
    echo,
    partly_unknown,
    revenue_facts,
)
from crm_portfolio.analysis._stable import Stability, Stable
from crm_portfolio.analysis._stable import under_rule as descending
from crm_portfolio.analysis._tier_reasons import by_rule, pinned, since, stands
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.results import Json, Result, Row, json_rows, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "Abc",
    "Bands",
    "Quantiles",
    "Slices",
    "TiersResult",
    "TiersSettings",
    "tiers",
]


_LAST_YEAR = Period.last_months(12)
_FOUR_SLICES = Slices(4)


@attrs.frozen
class TiersSettings:
    """By which rule, and what is worth a warning.

    Attributes:
        measure: None: revenue lines where the portfolio has them, else won opportunities.
        imbalance_share: A slice further from its equal part than this share of revenue.
        border_count: How many accounts are listed on each side of each edge.
        stability: None: each close stands for itself, and an account at an edge moves
            with every order. A nightly job should have it.
    """

    period: Period = _LAST_YEAR
    measure: Measure | None = None
    method: Method = _FOUR_SLICES
    imbalance_share: float = 0.1
    border_count: int = 3
    stability: Stability | None = None


def tiers(
    portfolio: Portfolio, settings: TiersSettings = TiersSettings()
) -> TiersResult:
    """Put each account into a tier by its revenue.

    Accounts whose first revenue came less than three months before the end of the period
    are ``new``, those without net revenue ``none``; both stay outside the rule. Where no
    amount is known the tier is null. A tier pinned by a person stands.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> result = analysis.tiers(samples.firm())
        >>> [(tier["tier"], tier["revenue"]) for tier in result.summary["tiers"]][:4]
        [('A', 260000.0), ('B', 194000.0), ('C', 264000.0), ('D', 230000.0)]
    """
    facts = revenue_facts(
        portfolio, settings.period, settings.measure, needed_by="tiers"
    )
    of = facts.by_account
    under_rule = descending(of.revenue, of.is_known, facts.is_young)
    found = cut(settings.method, facts.by_account.revenue[under_rule], facts.digits)
    raw = _by_rule(facts, found, under_rule)
    stable = _stable(portfolio, facts, raw, settings)
    told = _tier_told(portfolio, facts, raw, stable)
    table = _table(facts, found, under_rule, told)
    by_tier = _by_tier(facts, found, table)
    summary = _summary(facts, found, table, by_tier, settings.border_count)
    summary["stability"] = stable.told() if stable else None
    return TiersResult(
        table=table,
        rejected=facts.rejected_table(),
        backend=portfolio.backend,
        summary=summary,
        params=echo(portfolio, facts, settings),
        coverage=significant(facts.coverage),
        warnings=tuple(_warnings(facts, found, table, settings)),
        tiers=by_tier,
        method=settings.method,
        stability=settings.stability,
    )


def _stable(
    portfolio: Portfolio, facts: RevenueFacts, raw: pa.Array, settings: TiersSettings
) -> Stable | None:
    if settings.stability is None:
        return None
    return Stable.of(
        portfolio, facts, raw, method=settings.method, settings=settings.stability
    )


def _table(
    facts: RevenueFacts, found: Cut, under_rule: Groups, told: dict[str, pa.Array]
) -> pa.Table:
    of, is_known = facts.by_account, facts.by_account.is_known
    columns = {"account_id": of.ids} | facts.names(of.ids) | told
    columns |= {
        "revenue": pa.array(facts.money(of.revenue), mask=~is_known),
        **standing(found, under_rule, len(of.ids), facts.digits),
        "line_count": pa.array(of.lines),
        "known_line_count": pa.array(of.known_lines),
        "first_revenue_on": pa.array(of.first_on),
        "is_dormant": pa.array(~of.has_lines),
    }
    kind = np.where(is_known, 2, 3)
    kind[facts.is_young] = 1
    kind[under_rule] = 0
    return pa.table(columns).take(pa.array(np.lexsort((-of.revenue, kind))))


def _tier_told(
    portfolio: Portfolio, facts: RevenueFacts, raw: pa.Array, stable: Stable | None
) -> dict[str, pa.Array]:
    """The tier that stands, what the rule alone would say, and what is on its way."""
    held = tier_that_stands(
        facts.account,
        stable.tier if stable else raw,
        as_of=portfolio.as_of,
        close=facts.period.last_day,
        came_on=stable.since_on if stable else None,
    )
    moves = (stable or Stable.without(len(raw))).columns()
    return {"tier": held.pop("tier"), "tier_raw": raw, **held, **moves}


def _by_rule(facts: RevenueFacts, found: Cut, under_rule: Groups) -> pa.Array:
    """The tier of each account as the rule says, before any pin."""
    tier = np.where(facts.by_account.is_known, "none", "").astype(object)
    tier[facts.is_young] = "new"
    tier[under_rule] = LETTERS[found.group]
    return pa.array(tier, pa.string(), mask=tier == "")


def _by_tier(facts: RevenueFacts, found: Cut, table: pa.Table) -> pa.Table:
    """One row per tier of the rule, then ``new`` and ``none``."""
    rows: list[dict[str, Any]] = []
    for group, (minor, size) in enumerate(
        zip(found.sums(), found.sizes(), strict=True)
    ):
        share = int(minor) / found.total if found.total else None
        edge = found.edge[group]
        rows.append(
            {
                "tier": LETTERS[group],
                "account_count": int(size),
                "revenue": facts.amount(int(minor)),
                "share": significant(share),
                "lower_edge": None if edge is None else facts.amount(edge),
                "off_even_share": None
                if share is None
                else significant(share - 1 / found.made),
            }
        )
    for tier in ("new", "none"):
        outside = table.filter(pc.equal(table["tier_raw"], tier))
        revenue = round(pc.sum(outside["revenue"]).as_py() or 0.0, facts.digits)
        rows.append(
            {"tier": tier, "account_count": outside.num_rows, "revenue": revenue}
        )
    for row in rows:
        row["count_after_pins"] = _number(pc.equal(table["tier"], row["tier"]))
    return pa.Table.from_pylist(rows, schema=_BY_TIER)


_BY_TIER = pa.schema(
    {
        "tier": pa.string(),
        "account_count": pa.int64(),
        "count_after_pins": pa.int64(),
        "revenue": pa.float64(),
        "share": pa.float64(),
        "lower_edge": pa.float64(),
        "off_even_share": pa.float64(),
    }
)


def _number(flags: pa.ChunkedArray) -> int:
    return int(pc.sum(flags).as_py() or 0)


def _summary(
    facts: RevenueFacts,
    found: Cut,
    table: pa.Table,
    by_tier: pa.Table,
    border_count: int,
) -> dict[str, Json]:
    total = found.total
    return {
        "account_count": table.num_rows,
        "tiered_count": int(found.amounts.size),
        "tiered_revenue": facts.amount(total),
        "total": None if facts.total is None else facts.amount(facts.total),
        "unknown_count": table["tier_raw"].null_count,
        "pinned_count": _number(table["is_pinned"]),
        "moved_count": _number(pc.not_equal(table["tier_before"], table["tier"])),
        "imbalance": significant(found.imbalance),
        "tiers": json_rows(by_tier),
        "borders": _borders(facts, found, table, border_count),
    }


def _borders(
    facts: RevenueFacts, found: Cut, table: pa.Table, count: int
) -> list[Json]:
    """The accounts nearest to each edge, on both sides."""
    ids = table["account_id"].slice(0, found.amounts.size).to_pylist()

    def listed(places: range) -> list[Json]:
        return [
            {"account_id": ids[at], "revenue": facts.amount(int(found.amounts[at]))}
            for at in places
        ]

    borders: list[Json] = []
    for group, edge in enumerate(found.edge):
        if edge is None or not found.has_worse()[group]:
            continue
        last = int(np.searchsorted(found.group, group, side="right"))
        borders.append(
            {
                "tier": LETTERS[group],
                "edge": facts.amount(edge),
                "above": listed(range(last - 1, max(last - count, 0) - 1, -1)),
                "below": listed(range(last, min(last + count, found.amounts.size))),
            }
        )
    return borders


def _warnings(
    facts: RevenueFacts, found: Cut, table: pa.Table, settings: TiersSettings
) -> Iterator[Reason]:
    yield from facts.warnings()
    asked = settings.method.tier_count
    if found.made < asked:
        yield Reason("fewer_tiers", {"made": found.made, "asked": asked})
    empty = [LETTERS[g] for g, size in enumerate(found.sizes()) if size == 0]
    if empty:
        yield Reason(
            "empty_tier", {"tiers": ", ".join(empty), "tier_count": len(empty)}
        )
    imbalance = found.imbalance
    is_even_meant = isinstance(settings.method, Slices)
    if is_even_meant and imbalance is not None and imbalance > settings.imbalance_share:
        yield Reason("imbalance", {"imbalance": significant(imbalance)})
    if pinned := _number(table["is_pinned"]):
        yield Reason("pinned", {"n": pinned})
    if restated := _number(table["is_restated"]):
        yield Reason("close_restated", {"n": restated})


# The reasons that say how near an edge is, and which of their values is its tier.
_NEAR = (
    ("above", {"tier_margin", "tier_smallest"}, "tier"),
    ("below", {"tier_next"}, "better"),
)


@attrs.frozen(slots=False, eq=False, repr=False)
class TiersResult(Result):
    """The tier of each account, the tiers themselves, and who stands near an edge.

    Attributes:
        summary: ``tiers`` as the rule makes them, ``borders`` the accounts nearest to each
            edge, ``imbalance`` the furthest slice's distance from an equal part.
    """

    name: ClassVar[str] = "tiers"
    title: ClassVar[str] = "heading_tiers"
    compared: ClassVar[str] = "tier"

    _tiers: pa.Table
    _method: Method
    _stability: Stability | None = None

    @property
    def tiers(self) -> NativeFrame:
        """One row per tier: accounts, revenue, share, lower edge."""
        return from_arrow(self._tiers, self._backend)

    def assignments(self) -> pa.Table:
        """The tier of each account and since when; both null where it is unknown."""
        return self._table.select(["account_id", "tier", "tier_since_on"])

    def borders(self) -> tuple[tuple[str, Reason], ...]:
        """The accounts of ``summary["borders"]``, those above an edge and those below."""
        return tuple(
            (near["account_id"], reason)
            for border in cast("list[dict[str, Any]]", self.summary["borders"])
            for side, codes, tier in _NEAR
            for near in border[side]
            for reason in self.reasons(near["account_id"])
            if reason.code in codes and reason.values[tier] == border["tier"]
        )

    def to_dict(self) -> dict[str, Any]:
        return super().to_dict() | {"tiers": json_rows(self._tiers)}

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        shown = self._tiers.filter(pc.greater(self._tiers["account_count"], 0))
        return _plots.paired_bars(
            _plots.axes(ax),
            names=shown["tier"].to_pylist(),
            amounts=shown["revenue"].to_pylist(),
            counts=shown["account_count"].to_pylist(),
            words=_plots.Words.of(
                Reason("title_tiers"),
                places="label_tier",
                others="label_account_count",
                currency=self.params["currency"],
                lang=lang,
            ),
        )

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        own = (*pinned(row), *stands(row, self._stability), *self._by_rule(row))
        return (*own, *partly_unknown(row), *since(row))

    def _by_rule(self, row: Row) -> Iterator[Reason]:
        money = self._money()
        match row["tier_raw"]:
            case None:
                yield Reason("tier_unknown", {"lines": row["line_count"]})
            case "new":
                yield Reason("tier_new", {"first_on": row["first_revenue_on"]})
            case "none" if row["is_dormant"]:
                yield Reason("tier_none_dormant")
            case "none":
                yield Reason("tier_none", {"revenue": row["revenue"]} | money)
            case tier:
                own = {"tier": tier, "revenue": row["revenue"], "share": row["share"]}
                n = cast("int", self.summary["tiered_count"])
                yield by_rule(self._method, row, own | money, n)
                yield from self._distances(row, {"tier": tier} | money)

    def _distances(self, row: Row, own: dict[str, ReasonValue]) -> Iterator[Reason]:
        """How far above its own edge, how far below the next one."""
        if row["margin"] is not None and row["has_worse"]:
            values = own | {"edge": row["lower_edge"], "margin": row["margin"]}
            yield Reason(self._margin(row), values)
        if row["gap"] is None:
            yield Reason("tier_top", own)
        else:
            better = {key: row[key] for key in ("better", "edge_above", "gap")}
            yield Reason("tier_next", own | better)

    def _margin(self, row: Row) -> str:
        """An edge that is no account's own leaves room even to the smallest account."""
        if row["margin"] or isinstance(self._method, Bands):
            return "tier_margin"
        sizes = dict(
            zip(
                self._tiers["tier"].to_pylist(),
                self._tiers["account_count"].to_pylist(),
                strict=True,
            )
        )
        return "tier_alone" if sizes[row["tier_raw"]] == 1 else "tier_smallest"
