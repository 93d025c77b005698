"""Which accounts are about to leave or hurt, and from what?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, cast

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _plots
from crm_portfolio._methods._risk import LEVELS, UNKNOWN, Levels, worst
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._dangers import (
    COMPONENTS,
    Contracts,
    Danger,
    RiskSettings,
    erosion_of,
    of_account,
    payment_of,
    relationship_of,
    renewal_of,
    silence_of,
    told,
    written,
)
from crm_portfolio.analysis._facts import (
    RevenueFacts,
    echo,
    made_by,
    of_same,
    revenue_facts,
)
from crm_portfolio.analysis._tiers import TiersResult, TiersSettings
from crm_portfolio.analysis._tiers import tiers as tiers_of
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Json, Result, Row, significant
from crm_portfolio.schema import TableName

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RiskResult", "RiskSettings", "risk"]

_USUAL: Final = RiskSettings()
_TABLES: Final[Mapping[TableName, str]] = {
    "invoice": "risk_no_payment",
    "rating": "risk_no_relationship",
    "contract": "risk_no_renewal",
}
_ROWS: Final = {
    "overall": "label_risk_overall",
    "silence": "label_risk_silence",
    "erosion": "label_risk_erosion",
    "payment": "label_risk_payment",
    "relationship": "label_risk_relationship",
    "renewal": "label_risk_renewal",
}
_COLUMNS: Final = {
    "low": "label_level_low",
    "medium": "label_level_medium",
    "high": "label_level_high",
    "critical": "label_level_critical",
    "unknown": "label_level_unknown",
}


def risk(
    portfolio: Portfolio,
    settings: RiskSettings = _USUAL,
    *,
    tiers: TiersResult | None = None,
) -> RiskResult:
    """Take the worst known of five dangers: silence, erosion, payment, relationship, renewal.

    Nothing is averaged: one grave danger is not made up for by four that are none. A
    danger whose table the portfolio lacks is unknown, and so is the level of an account
    of which none is known. All of it is an index, no probability.

    Args:
        tiers: Whose rhythm an account borrows that has bought too seldom for its own;
            None: those of the default rule.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> result = analysis.risk(samples.firm())
        >>> result.summary["levels"]["critical"]["account_count"]
        2
        >>> [reason.code for reason in result.reasons("A13")][:2]
        ['risk_is_critical', 'risk_erosion']
    """
    of_same(portfolio, tiers)
    facts = revenue_facts(
        portfolio, settings.period, settings.measure, needed_by="risk"
    )
    if tiers is None:
        same = TiersSettings(period=settings.period, measure=settings.measure)
        tiers = tiers_of(portfolio, same)
    agreed = Contracts.of(portfolio, facts, settings)
    dangers = (
        silence_of(portfolio, facts, settings, _tier(facts, tiers), agreed.is_running),
        erosion_of(portfolio, facts, settings),
        payment_of(portfolio, facts, settings),
        relationship_of(portfolio, facts, settings),
        renewal_of(portfolio, facts, settings, agreed),
    )
    level = worst([each.level for each in dangers])
    order = _order(facts, level, dangers)
    table = _table(facts, level, dangers, written(dangers, settings))
    return RiskResult(
        table=table.take(order),
        rejected=facts.rejected_table(),
        backend=portfolio.backend,
        summary=_summary(facts, level, dangers),
        params=echo(portfolio, facts, settings) | {"tiers": made_by(tiers)},
        coverage=significant(facts.coverage),
        warnings=tuple(_warnings(portfolio, facts, dangers)),
        told=pa.table(told(dangers)).take(order),
    )


def _tier(facts: RevenueFacts, tiers: TiersResult) -> pa.Array:
    frame = tiers.arrow
    at = pc.index_in(facts.by_account.ids, frame["account_id"].combine_chunks())
    return frame["tier"].combine_chunks().take(at)


def _order(facts: RevenueFacts, level: Levels, dangers: Sequence[Danger]) -> pa.Array:
    """The gravest first, then who has more such dangers, then the larger account."""
    of = facts.by_account
    many = sum((each.level == level).astype(np.int64) for each in dangers)
    many = np.where(level == UNKNOWN, 0, many)
    size = np.maximum(of.revenue, of.revenue_previous)
    return pa.array(np.lexsort((-size, -many, -level.astype(np.int64))))


def _named(level: Levels) -> pa.Array:
    """As words; null where it is not known."""
    places = np.maximum(level, 0).astype(np.int64)
    return pa.array(LEVELS, pa.string()).take(pa.array(places, mask=level < 0))


def _table(
    facts: RevenueFacts, level: Levels, dangers: Sequence[Danger], texts: pa.Array
) -> pa.Table:
    of = facts.by_account
    columns = {"account_id": of.ids} | facts.names(of.ids)
    columns |= {
        "risk_level": pc.fill_null(_named(level), "unknown"),
        "risk_reasons": texts,
        "worst_component": _worst(level, dangers),
        "unknown_components": _unknown(dangers),
    }
    for each in dangers:
        columns[f"{each.name}_level"] = _named(each.level)
        columns |= each.columns
    columns["line_count"] = pa.array(of.lines)
    columns["known_line_count"] = pa.array(of.known_lines)
    return pa.table(columns)


def _worst(level: Levels, dangers: Sequence[Danger]) -> pa.Array:
    """The first component that makes the level; null where there is no danger."""
    makes = np.stack([each.level == level for each in dangers])
    return pa.array(COMPONENTS, pa.string()).take(
        pa.array(np.argmax(makes, axis=0), mask=level <= 0)
    )


def _unknown(dangers: Sequence[Danger]) -> pa.Array:
    """The components that are not known, by name; empty where all are."""
    parts = [
        pc.if_else(pa.array(each.is_unknown), f"{each.name}, ", "") for each in dangers
    ]
    return pc.utf8_rtrim(pc.binary_join_element_wise(*parts, ""), characters=", ")


def _summary(
    facts: RevenueFacts, level: Levels, dangers: Sequence[Danger]
) -> dict[str, Json]:
    def counted(own: Levels) -> dict[str, Json]:
        return {name: int((own == _code(name)).sum()) for name in _COLUMNS}

    of = facts.by_account
    levels: dict[str, Json] = {}
    for name in _COLUMNS:
        is_own = level == _code(name)
        revenue = facts.amount(int(of.revenue[is_own].sum()))
        levels[name] = {"account_count": int(is_own.sum()), "revenue": revenue}
    positive = np.maximum(of.revenue, 0)
    total = int(positive.sum())
    known = {each.name: int(positive[~each.is_unknown].sum()) for each in dangers}
    return {
        "account_count": level.size,
        "levels": levels,
        "components": {each.name: counted(each.level) for each in dangers},
        "known_share": {
            name: significant(own / total) if total else None
            for name, own in known.items()
        },
    }


def _code(name: str) -> int:
    return UNKNOWN if name == "unknown" else LEVELS.index(name)


def _warnings(
    portfolio: Portfolio, facts: RevenueFacts, dangers: Sequence[Danger]
) -> Iterator[Reason]:
    yield Reason("index_not_probability")
    yield from facts.warnings()
    for table, code in _TABLES.items():
        if table not in portfolio:
            yield Reason(code, {"table": table})
    columns = {
        name: each for danger in dangers for name, each in danger.columns.items()
    }
    erosion = next(each for each in dangers if each.name == "erosion")
    if facts.by_account.has_lines.any() and (erosion.level == UNKNOWN).all():
        yield Reason("risk_history_short")
    whose = columns["silence_rhythm"]
    counts = {
        "risk_rhythm_of_tier": pc.sum(pc.equal(whose, "tier")),
        "risk_kept_season": pc.sum(pc.equal(whose, "season")),
        "risk_old_ratings": pc.sum(columns["is_rating_old"]),
        "risk_raters_differ": pc.sum(columns["raters_differ"]),
        **_doubtful(columns, dangers[-1]),
    }
    for code, count in counts.items():
        if n := count.as_py():
            yield Reason(code, {"n": n})


def _doubtful(columns: dict[str, pa.Array], renewal: Danger) -> dict[str, pa.Scalar]:
    """How often a contract ends and nobody knows whether it is renewed, and why."""
    is_unknown = pa.array(renewal.level == UNKNOWN)
    ends = pc.and_(is_unknown, pc.is_valid(columns["contract_ends_on"]))
    overlaps = columns["contract_overlaps"]
    return {
        "risk_renewals_overlapped": pc.sum(pc.and_(ends, overlaps)),
        "risk_renewals_unsorted": pc.sum(pc.and_not(ends, overlaps)),
    }


@attrs.frozen(slots=False, eq=False, repr=False)
class RiskResult(Result):
    """The danger of each account, its components, and what each stands on.

    Attributes:
        summary: ``levels`` counts the accounts of each level and their revenue,
            ``components`` the accounts of each level by component, ``known_share`` is
            the part of the revenue whose accounts are known in it.
    """

    name: ClassVar[str] = "risk"
    title: ClassVar[str] = "heading_risk"
    compared: ClassVar[str] = "risk_level"

    _told: pa.Table

    def assignments(self) -> pa.Table:
        """The level, and the reasons in the words of the settings' language."""
        return self._table.select(["account_id", "risk_level", "risk_reasons"])

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        components = cast("dict[str, dict[str, int]]", self.summary["components"])
        levels = cast("dict[str, dict[str, int]]", self.summary["levels"])
        n = cast("int", self.summary["account_count"])
        rows = {"overall": {name: levels[name]["account_count"] for name in _COLUMNS}}
        rows |= components
        counts = [[row[name] for name in _COLUMNS] for row in rows.values()]
        return _plots.matrix(
            _plots.axes(ax),
            rows=[sentence(Reason(_ROWS[name]), lang) for name in rows],
            columns=[sentence(Reason(_COLUMNS[name]), lang) for name in _COLUMNS],
            shares=[[each / n for each in row] for row in counts] if n else None,
            counts=counts,
            words=_plots.Words.of(
                Reason("title_risk", {"n": n}),
                places="label_risk_level",
                others="label_risk_component",
                currency=self.params["currency"],
                lang=lang,
            ),
        )

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        said = self._told.slice(self._row_of[row["account_id"]], 1).to_pylist()[0]
        settings = self.params["settings"]
        return tuple(of_account({**row, **self._money()}, said, settings))
