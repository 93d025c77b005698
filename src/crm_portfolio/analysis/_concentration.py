"""How much of the revenue hangs on how few accounts and groups?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, cast

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._methods import _indices as indices
from crm_portfolio._methods._ranking import (
    League,
    Revenue,
    count_for,
    top_count,
)
from crm_portfolio._wording import Lang, Reason
from crm_portfolio.analysis._facts import (
    Measure,
    RevenueFacts,
    echo,
    parent_loops,
    partly_unknown,
    quarterly_revenue,
    revenue_facts,
)
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.results import Json, Result, Row, json_rows, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ConcentrationResult", "ConcentrationSettings", "concentration"]

_LAST_YEAR = Period.last_months(12)
_QUARTERS = 8
_SHOWN_BARS = 25
_FEW = 30
_Places: TypeAlias = npt.NDArray[np.int64]


def _is_share(_: object, field: attrs.Attribute[float], value: float) -> None:
    if not 0 < value <= 1:
        raise SettingsError(f"{field.name} is a share above 0 and up to 1, not {value}")


@attrs.frozen
class ConcentrationSettings:
    """What counts, and where the lines are drawn.

    Attributes:
        measure: None: revenue lines where the portfolio has them, else won opportunities.
        population: ``with_lines`` counts accounts with a line in the period, ``all`` the
            others too, at zero.
        top_share: The "20" of 80/20; rounded up to whole accounts.
        target: The "80" of 80/20.
        major_share: From this share of revenue on (inclusive) a client is major.
        dependent_share: Above this share (exclusive) we depend on it.
        negatives: The form of the Gini index to read where revenue is negative.
        seed: Of the resampling behind the interval of the Gini index.
        draws: How many resamples; a book of over 40,000 accounts takes fewer, never
            under 100 of those asked for.
    """

    period: Period = _LAST_YEAR
    measure: Measure | None = None
    population: Literal["with_lines", "all"] = "with_lines"
    top_share: float = attrs.field(default=0.2, validator=_is_share)
    target: float = attrs.field(default=0.8, validator=_is_share)
    major_share: float = attrs.field(default=0.1, validator=_is_share)
    dependent_share: float = attrs.field(default=0.2, validator=_is_share)
    negatives: Literal["rsv", "ctr", "plain"] = "rsv"
    seed: int = 2026
    draws: int = 500


def concentration(
    portfolio: Portfolio, settings: ConcentrationSettings = ConcentrationSettings()
) -> ConcentrationResult:
    """Rank accounts and groups by revenue, and say how much hangs on the largest.

    Shares are of total net revenue; where that is not positive, shares and all that is
    built on them are null. Dependence is judged by ultimate parent.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> result = analysis.concentration(samples.firm())
        >>> [(major["members"], major["share"]) for major in result.summary["majors"]]
        [(['A01'], 0.26), (['A02', 'A03', 'A04'], 0.15)]
    """
    facts = revenue_facts(
        portfolio, settings.period, settings.measure, needed_by="concentration"
    )
    groups_of, group_of = facts.groups()
    accounts = _league(facts, facts.by_account, settings)
    groups = _league(facts, groups_of, settings)
    summary: dict[str, Json] = {
        "by_account": _figures(accounts, facts, settings),
        "by_group": _figures(groups, facts, settings),
        "majors": _majors(portfolio, facts, groups, group_of),
    }
    curve = indices.lorenz(accounts.counted) or (np.zeros(0), np.zeros(0))
    return ConcentrationResult(
        table=_account_table(facts, accounts, groups, group_of),
        rejected=facts.rejected_table(),
        backend=portfolio.backend,
        summary=summary,
        params=echo(portfolio, facts, settings, population=settings.population),
        coverage=significant(facts.coverage),
        warnings=tuple(_warnings(portfolio, facts, accounts, groups, settings)),
        groups=_group_table(facts, groups, group_of),
        lorenz=pa.table({"account_share": curve[0], "revenue_share": curve[1]}),
    )


def _league(
    facts: RevenueFacts, of: Revenue, settings: ConcentrationSettings
) -> League:
    is_all = settings.population == "all"
    return League(
        of,
        is_counted=np.ones(of.lines.size, dtype=bool) if is_all else of.has_lines,
        has_previous=facts.has_previous,
        total=facts.total,
        major_share=settings.major_share,
        dependent_share=settings.dependent_share,
    )


def _figures(
    league: League, facts: RevenueFacts, settings: ConcentrationSettings
) -> dict[str, Json]:
    amounts, total, major_share = league.counted, facts.total, settings.major_share
    k = top_count(amounts.size, settings.top_share)
    reading = league.reading(settings.negatives)
    interval = indices.gini_interval(
        amounts, form=reading, seed=settings.seed, draws=settings.draws
    )
    top = f"share_of_top_{100 * settings.top_share:g}pct"
    shares = {
        top: league.share(amounts[:k].sum()),
        "major_share": league.share(indices.majors(amounts, major_share).sum()),
        "customer_concentration": indices.customer_concentration(amounts, major_share),
        **indices.all_indices(amounts),
    }
    return {
        "n": amounts.size,
        "n_positive": int((amounts > 0).sum()),
        "total": None if total is None else facts.amount(total),
        "top_k": k,
        f"n_for_{100 * settings.target:g}": count_for(amounts, settings.target),
        **league.kinds,
        **{key: significant(value) for key, value in shares.items()},
        "gini_reading": reading,
        "gini_interval": [significant(each) for each in interval] if interval else None,
    }


def _majors(
    portfolio: Portfolio, facts: RevenueFacts, groups: League, group_of: _Places
) -> list[Json]:
    """The groups from the major share on: who is in them, since when, and their trend."""
    found: list[dict[str, Json]] = []
    members: dict[str, str] = {}
    for at in (
        p for p in groups.order if groups.dependence[p] in {"major", "dependent"}
    ):
        group_id = groups.of.ids[at].as_py()
        own = facts.by_account.ids.take(pa.array(np.flatnonzero(group_of == at)))
        members |= dict.fromkeys(own.to_pylist(), group_id)
        first_on = groups.of.first_on[at].item()
        years = (portfolio.as_of - first_on).days / 365.25
        found.append(
            {
                "ultimate_parent_id": group_id,
                "revenue": facts.amount(int(groups.of.revenue[at])),
                "share": significant(groups.share(groups.of.revenue[at])),
                "dependence": str(groups.dependence[at]),
                "members": own.to_pylist(),
                "first_revenue_on": first_on.isoformat(),
                "years_of_relationship": round(years, 1),
            }
        )
    each, totals = quarterly_revenue(portfolio, facts, members, quarters=_QUARTERS)
    for major in found:
        quarters = zip(each[str(major["ultimate_parent_id"])], totals, strict=True)
        major["share_by_quarter"] = [
            significant(minor / total) if total > 0 else None
            for minor, total in quarters
        ]
    return [*found]


def _account_table(
    facts: RevenueFacts, accounts: League, groups: League, group_of: _Places
) -> pa.Table:
    of, places = accounts.of, pa.array(group_of)
    sizes = np.bincount(group_of, minlength=len(groups.of.ids))
    columns = {"account_id": of.ids} | facts.names(of.ids)
    columns |= accounts.columns(facts.digits)
    columns |= {
        "line_count": pa.array(of.lines),
        "known_line_count": pa.array(of.known_lines),
        "months_active": pa.array(of.months),
        "first_revenue_on": pa.array(of.first_on),
        "is_dormant": pa.array(~of.has_lines),
        "is_young": pa.array(facts.is_young),
        "ultimate_parent_id": groups.of.ids.take(places),
        "group_member_count": pa.array(sizes).take(places),
        "group_share": groups.shares().take(places),
        "is_group_unknown": pa.array(~groups.of.is_known).take(places),
        "dependence": _text(groups.dependence).take(places),
    }
    return pa.table(columns).take(pa.array(accounts.order))


def _group_table(facts: RevenueFacts, groups: League, group_of: _Places) -> pa.Table:
    of = groups.of
    columns = {"ultimate_parent_id": of.ids} | facts.names(of.ids)
    columns |= groups.columns(facts.digits)
    columns |= {
        "member_count": pa.array(np.bincount(group_of, minlength=len(of.ids))),
        "first_revenue_on": pa.array(of.first_on),
        "is_dormant": pa.array(~of.has_lines),
        "dependence": _text(groups.dependence),
    }
    return pa.table(columns).take(pa.array(groups.order))


def _text(words: npt.NDArray[np.str_]) -> pa.Array:
    return pa.array(words.tolist(), pa.string())


def _warnings(
    portfolio: Portfolio,
    facts: RevenueFacts,
    accounts: League,
    groups: League,
    settings: ConcentrationSettings,
) -> Iterator[Reason]:
    amounts = accounts.counted
    if facts.total is not None and facts.total <= 0:
        total = facts.amount(facts.total)
        yield Reason("non_positive_total", {"total": total, "currency": facts.currency})
    yield from facts.warnings()
    counts = {
        "negative_accounts": int((amounts < 0).sum()),
        "n_lt_30": amounts.size if amounts.size < _FEW else 0,
        "dormant": int((~accounts.of.has_lines).sum()),
        "young_accounts": int(facts.is_young.sum()),
        "cycle_in_parents": parent_loops(portfolio),
    }
    yield from (Reason(code, {"n": n}) for code, n in counts.items() if n)
    if counts["negative_accounts"]:
        yield Reason(
            "negatives_used", {"reading": accounts.reading(settings.negatives)}
        )
        mass = significant(indices.negative_mass(amounts))
        if mass is not None:
            yield Reason("negative_mass", {"negative_mass": mass})
    if accounts.kinds != groups.kinds:
        by_account = {f"{kind}_accounts": n for kind, n in accounts.kinds.items()}
        by_group = {f"{kind}_groups": n for kind, n in groups.kinds.items()}
        yield Reason("level_differs", by_account | by_group)


@attrs.frozen(slots=False, eq=False, repr=False)
class ConcentrationResult(Result):
    """The ranking, by account and by group, and what hangs on whom.

    Attributes:
        summary: ``by_account`` and ``by_group`` hold the same figures side by side;
            ``majors`` lists the groups from the major share on.
    """

    name: ClassVar[str] = "concentration"
    title: ClassVar[str] = "heading_concentration"
    compared: ClassVar[str] = "rank"

    _groups: pa.Table
    _lorenz: pa.Table

    @property
    def groups(self) -> NativeFrame:
        """The ranking by ultimate parent."""
        return from_arrow(self._groups, self._backend)

    @property
    def lorenz(self) -> NativeFrame:
        """``account_share`` and the ``revenue_share`` they hold, smallest first."""
        return from_arrow(self._lorenz, self._backend)

    def assignments(self) -> pa.Table:
        """Rank, share of total net revenue (6 places) and dependence of each account."""
        table = self._table
        return pa.table(
            {
                "account_id": table["account_id"],
                "portfolio_rank": table["rank"],
                "revenue_share": pc.round(table["share"], 6),
                "dependence": table["dependence"],
            }
        )

    def to_dict(self) -> dict[str, Any]:
        return super().to_dict() | {"groups": json_rows(self._groups)}

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        ranked = self._table.filter(pc.is_valid(self._table["cum_share"]))
        ranked = ranked.filter(pc.invert(ranked["is_dormant"]))
        shown = ranked.slice(0, _SHOWN_BARS)
        counts = {"shown": shown.num_rows, "n": ranked.num_rows}
        is_all = shown.num_rows == ranked.num_rows
        title = "title_concentration" if is_all else "title_concentration_first"
        target = cast("Mapping[str, float]", self.params["settings"])["target"]
        return _plots.pareto(
            _plots.axes(ax),
            names=self._called(shown),
            amounts=shown["revenue"].to_pylist(),
            cum_percent=pc.multiply(shown["cum_share"], 100.0).to_pylist(),
            target_percent=100 * target,
            words=_plots.Words.of(
                Reason(title, counts),
                places="label_accounts_by_rank",
                others="label_cum_share",
                currency=self.params["currency"],
                lang=lang,
            ),
        )

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        return (
            *self._place(row),
            *_cautions(row),
            *self._history(row),
            self._hangs(row),
        )

    def _place(self, row: Row) -> list[Reason]:
        n = cast("Mapping[str, int]", self.summary["by_account"])["n"]
        if row["rank"] is None:
            return [Reason("revenue_unknown", {"lines": row["line_count"]})]
        if row["is_dormant"] and self.params["population"] == "with_lines":
            return [Reason("rank_dormant", {"n": n})]
        values = {key: row[key] for key in ("rank", "revenue", "share", "cum_share")}
        code = "rank" if row["share"] is not None else "rank_without_share"
        return [Reason(code, values | {"n": n} | self._money())]

    def _history(self, row: Row) -> list[Reason]:
        if row["has_left"]:
            left = {"revenue_previous": row["revenue_previous"]}
            return [Reason("rank_has_left", left | self._money())]
        if row["is_new"]:
            return [Reason("rank_is_new")]
        change = row["rank_change"]
        if change is None:
            return []
        values = {"places": abs(change), "rank_previous": row["rank_previous"]}
        code = "rank_up" if change > 0 else "rank_down" if change < 0 else "rank_same"
        return [Reason(code, values if change else {})]

    def _hangs(self, row: Row) -> Reason:
        kind, group = row["dependence"], {"group_id": row["ultimate_parent_id"]}
        if kind == "unknown":
            if row["is_group_unknown"]:
                return Reason("dependence_unmeasured", group)
            if row["group_share"] is None:
                return Reason("dependence_unknown", group)
            return Reason("dependence_open", group | {"share": row["group_share"]})
        settings = cast("Mapping[str, float]", self.params["settings"])
        line = settings["dependent_share" if kind == "dependent" else "major_share"]
        values = group | {"share": row["group_share"], "threshold": line}
        members = row["group_member_count"]
        if members > 1:
            values |= {"members": members}
        return Reason(_DEPENDENCE[kind][members > 1], values)


_DEPENDENCE = {  # alone, and as a group
    "none": ("dependence_none", "dependence_none_group"),
    "major": ("dependence_major", "dependence_major_group"),
    "dependent": ("dependence_dependent", "dependence_dependent_group"),
}


def _cautions(row: Row) -> list[Reason]:
    found = partly_unknown(row)
    if (row["revenue"] or 0) < 0:
        found.append(Reason("revenue_negative"))
    if row["is_young"]:
        values = {"first_on": row["first_revenue_on"], "months": row["months_active"]}
        found.append(Reason("young", values))
    return found
