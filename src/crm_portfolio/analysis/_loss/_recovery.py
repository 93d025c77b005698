"""When is a loss made good: by growth, by new accounts, by the sales that are open?"""

from __future__ import annotations

from datetime import date, timedelta

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods import _loss as formulas
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._recovery import Openings, Wins, wins_by_month
from crm_portfolio._places import places_of
from crm_portfolio.analysis._facts import RevenueFacts, Sales
from crm_portfolio.analysis._facts._attached import OVERDUE, UNDATED
from crm_portfolio.analysis._loss._case import DAYS_A_MONTH, FINE, Case, months_of
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Json, significant

__all__ = ["Recovery", "has_whole_previous", "odds_of", "starts_on"]

_HALF, _SAFE = 0.5, 0.8
# Books that are invoiced by the quarter may begin a quarter late.
_SLACK = timedelta(days=92)


def starts_on(case: Case) -> date:
    """The first day of the loss."""
    chosen = case.settings.scenario.starts_on
    return chosen or case.facts.period.last_day + timedelta(days=1)


@attrs.frozen(eq=False)
class Recovery:
    """The ways back, as far as the books tell them.

    Attributes:
        growth: A month's, of the accounts that stay; None where it is unknown.
        won_per_month: New yearly revenue a month, in minor units.
        lead_months: From entering a sale to the first revenue; the median account's.
        wins: What the open sales may bring; None without opportunities.
        counted: How many open sales may bring it; ``unsorted`` of them do not say
            whether they are new, or the same again.
        left_out: How many open sales say too little, by what they lack.
    """

    case: Case
    growth: float | None
    won_per_month: float | None
    lead_months: float | None
    wins: Wins | None
    counted: int
    unsorted: int
    left_out: dict[str, int]

    @classmethod
    def of(cls, portfolio: Portfolio, case: Case, sales: Sales | None) -> Recovery:
        settings = case.settings
        openings, left_out = (
            (None, {}) if sales is None else _openings(portfolio, case, sales.openings)
        )
        return cls(
            case,
            growth=_growth(case),
            won_per_month=_won_per_month(case),
            lead_months=None if sales is None else _lead_months(case.facts, sales),
            wins=None
            if openings is None
            else wins_by_month(
                openings,
                months=settings.horizon_months,
                ramp_months=settings.win_ramp_months,
                seed=settings.seed,
                draws=settings.draws,
            ),
            counted=0 if openings is None else openings.size,
            unsorted=left_out.pop("unsorted", 0),
            left_out=left_out,
        )

    @property
    def target(self) -> float | None:
        """Yearly revenue to come back to, in minor units."""
        own = self.case.settings.target_revenue
        return self.case.total if own is None else own * 10**self.case.facts.digits

    def rows(self) -> list[dict[str, Json]]:
        """One for revenue, one for contribution, one for the break-even."""
        case = self.case
        before, after, fixed = (
            None if fine is None else fine / FINE
            for fine in (case.total_contribution, case.contribution_after, case.fixed)
        )
        ratio = formulas.ratio_of(before, case.total or 0)
        return [
            self._row("revenue", self.target, case.total_after, 1.0),
            self._row("contribution", before, after, ratio),
            self._row("break_even", fixed, after, ratio),
        ]

    def _row(
        self,
        level: str,
        target: float | None,
        remaining: float | None,
        ratio: float | None,
    ) -> dict[str, Json]:
        """How long until that target; months are counted from the start of the loss."""
        names = ("compound", "linear", "expected", "p50", "p80")
        row: dict[str, Json] = {"level": level, "target": None, "missing_revenue": None}
        months: dict[str, float | None] = dict.fromkeys(names)
        share = None
        if target is not None and remaining is not None and ratio and ratio > 0:
            unit = 10**self.case.facts.digits
            missing = max(0.0, (target - remaining) / ratio)
            row |= {"target": significant(target / unit)}
            row["missing_revenue"] = significant(missing / unit)
            months |= self._by_rates(target, remaining, missing)
            months |= self._by_sales(missing)
            share = self._won_share(missing)
        for name in names[:2]:
            row[f"months_{name}"] = significant(months[name])
            row[f"months_{name}_with_lead"] = significant(self._later(months[name]))
        row |= {f"months_{name}": months[name] for name in names[2:]}
        return row | {"reached_share": significant(share)}

    def _by_rates(
        self, target: float, remaining: float, missing: float
    ) -> dict[str, float | None]:
        growth, won = self.growth, self.won_per_month
        compound = linear = None
        if growth is not None:
            compound = formulas.months_compound(remaining, target, growth)
        if won is not None:
            linear = formulas.months_linear(missing, won)
        return {"compound": self._whole(compound), "linear": self._whole(linear)}

    def _by_sales(self, missing: float) -> dict[str, float | None]:
        if self.wins is None:
            return {}
        begin = self._ramp if missing else 0
        return {
            "expected": self.wins.month_expected(missing, not_before=begin),
            "p50": self.wins.month_reached(missing, _HALF, not_before=begin),
            "p80": self.wins.month_reached(missing, _SAFE, not_before=begin),
        }

    def _won_share(self, missing: float) -> float | None:
        if self.wins is None:
            return None
        return float((self.wins.drawn[:, -1] >= missing - 0.5).mean())

    @property
    def _ramp(self) -> int:
        return self.case.settings.scenario.ramp_months

    def _whole(self, months: float | None) -> float | None:
        """Nothing is made good before all of it is lost."""
        return max(months, float(self._ramp)) if months else months

    def _later(self, months: float | None) -> float | None:
        """The same where the first new revenue comes a sale's whole way later."""
        if not months or self.lead_months is None:
            return months if months == 0 else None
        return months + self.lead_months

    def curve(self) -> pa.Table:
        """Yearly revenue by month after the start, with what the open sales bring."""
        case, unit = self.case, 10**self.case.facts.digits
        months = np.arange(case.settings.horizon_months + 1)
        parts = [formulas.lost_part(int(m), self._ramp) if m else 0.0 for m in months]
        remaining = (case.total or 0) - int(case.lost.sum()) * np.array(parts)
        columns: dict[str, pa.Array] = {
            "month": pa.array(months),
            "remaining": _money(remaining, unit, case),
        }
        zero = np.zeros(months.size)
        wins = self.wins
        for name, won in {
            "expected": wins.expected if wins else None,
            "reached_p50": wins.surpassed(_HALF) if wins else None,
            "reached_p80": wins.surpassed(_SAFE) if wins else None,
        }.items():
            sums = _money(remaining + (zero if won is None else won), unit, case)
            columns[name] = pa.nulls(months.size, pa.float64()) if won is None else sums
        return pa.table(columns)

    def told(self) -> dict[str, Json]:
        """What the months were computed from."""
        won = self.won_per_month
        unit = 10**self.case.facts.digits
        settings = self.case.settings
        return {
            "growth_per_month": significant(self.growth),
            "growth_from": _origin(settings.growth_per_month, self.growth),
            "won_per_month": None if won is None else significant(won / unit),
            "won_from": _origin(settings.won_per_month, won),
            "lead_months": significant(self.lead_months),
            "open_sales": self.counted,
            "left_out": self.left_out,
            "draws": 0 if self.wins is None else len(self.wins.drawn),
        }


def _origin(setting: float | None, value: float | None) -> str | None:
    return None if value is None else "books" if setting is None else "settings"


def _money(minor: Floats, unit: int, case: Case) -> pa.Array:
    if case.total is None:
        return pa.nulls(minor.size, pa.float64())
    return pa.array([significant(each / unit) for each in minor], pa.float64())


def _growth(case: Case) -> float | None:
    """The monthly growth of the accounts that stay, from the period before to this."""
    if case.settings.growth_per_month is not None:
        return case.settings.growth_per_month
    of, span = case.facts.by_account, case.facts.period
    if not has_whole_previous(case):
        return None
    stays = ~case.is_lost
    # An amount that lacks on either side would be growth, or the want of it.
    if not (of.is_whole & of.is_whole_previous)[stays].all():
        return None
    now = int(of.revenue[stays].sum())
    before = int(of.revenue_previous[stays].sum())
    if now <= 0 or before <= 0:
        return None
    return float((now / before) ** (1 / months_of(span, None)) - 1)


def has_whole_previous(case: Case) -> bool:
    """Whether the book reaches back to the beginning of the period before."""
    first = case.facts.by_account.first_on
    first = first[~np.isnat(first)]
    span = case.facts.period
    if not case.facts.has_previous or not first.size or span.start is None:
        return False
    assert span.end is not None
    length = span.end - span.start
    begins: date = first.min().item()
    return begins <= span.start - length + _SLACK


def _won_per_month(case: Case) -> float | None:
    """What accounts that are new in the period bring in a year, over its own months."""
    own, of = case.settings.won_per_month, case.facts.by_account
    if own is not None:
        return own * float(10**case.facts.digits)
    if not has_whole_previous(case):
        return None
    is_new = (of.first_on >= np.datetime64(case.facts.period.start)) & ~case.is_lost
    months = months_of(case.facts.period, None)
    return float(np.maximum(of.revenue[is_new], 0).sum()) / months


def _lead_months(facts: RevenueFacts, sales: Sales) -> float | None:
    days = (facts.by_account.first_on - sales.first_entered_on).astype(float)
    known = days[~np.isnan(days) & (days >= 0)]
    return float(np.median(known)) / DAYS_A_MONTH if known.size else None


def _openings(
    portfolio: Portfolio, case: Case, found: pa.Table
) -> tuple[Openings, dict[str, int]]:
    """The open sales that say enough to be counted on, and why the others do not."""
    odds = odds_of(portfolio, found)
    at = pc.fill_null(places_of(found["account_id"], case.facts.by_account.ids), -1)
    place = at.to_numpy()
    is_lost = np.append(case.is_lost, values=False)[place]
    odds = np.where(is_lost, odds * (1 - case.settings.scenario.lost_share), odds)
    month, count = found["month"].to_numpy(), found["count"].to_numpy()
    rules = (
        ("renewals", pc.equal(found["kind"], "renewal").to_numpy()),
        ("overdue", month == OVERDUE),
        ("without_day", month == UNDATED),
        ("without_amount", found["is_priced"].to_numpy() == 0),
        ("without_odds", np.isnan(odds)),
        ("of_lost_accounts", is_lost & (odds == 0)),
    )
    is_open = np.ones(month.size, dtype=bool)
    left_out: dict[str, int] = {}
    for name, applies in rules:
        left_out[name] = int(count[is_open & applies].sum())
        is_open &= ~applies
    left_out["unsorted"] = int(
        count[is_open & pc.equal(found["kind"], "").to_numpy()].sum()
    )
    begins = starts_on(case)
    first = begins.year * 12 + begins.month - 1
    counted = Openings(
        month=np.maximum(month[is_open] - first + 1, 0),
        odds=np.clip(odds[is_open], 0.0, 1.0),
        minor=found["minor"].to_numpy()[is_open],
        count=count[is_open],
    )
    return counted, left_out


def odds_of(portfolio: Portfolio, found: pa.Table) -> Floats:
    """Each sale's own, else its stage's; NaN where neither says."""
    odds: Floats = found["odds"].to_numpy().copy()
    odds[odds < 0] = np.nan
    if "stage" not in portfolio:
        return odds
    stages = portfolio.arrow("stage")
    if "default_probability" not in stages.column_names:
        return odds
    at = pc.index_in(_stage_key(found), _stage_key(stages).combine_chunks())
    default = pc.take(stages["default_probability"], at).to_numpy()
    rated: Floats = np.where(np.isnan(odds), default, odds)
    return rated


def _stage_key(table: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(table["pipeline"], table["stage"], "\x1f")
