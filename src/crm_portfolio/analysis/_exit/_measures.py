"""What is known of each account by the thirteen criteria, from where, and since when?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._concentration import ConcentrationResult
from crm_portfolio.analysis._exit._account_facts import AccountFacts
from crm_portfolio.analysis._exit._criteria import (
    CODES,
    CRITERIA,
    UNKNOWN,
    Code,
    source,
)
from crm_portfolio.analysis._exit._given import Given
from crm_portfolio.analysis._exit._judged import Judged
from crm_portfolio.analysis._exit._measured import Measured
from crm_portfolio.analysis._exit._rules import MeasureRules
from crm_portfolio.analysis._facts import RevenueFacts
from crm_portfolio.analysis._freed_capacity import FreedCapacityResult
from crm_portfolio.analysis._profitability import ProfitabilityResult
from crm_portfolio.analysis._receivables import ReceivablesResult
from crm_portfolio.analysis._succession import SuccessionResult
from crm_portfolio.analysis._tiers import TiersResult
from crm_portfolio.analysis._win_back import WinBackResult
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.portfolio import Portfolio

__all__ = ["AccountFacts", "Days", "MeasureRules", "Measures", "measures"]

Days = npt.NDArray[np.datetime64]
_NO_DAY: Final = np.datetime64("NaT", "D")
_USUAL: Final = MeasureRules()


@attrs.frozen(eq=False)
class Measures:
    """What is known by each criterion, accounts in the order of the facts.

    Attributes:
        values: A row an account, a column a criterion; NaN where nothing says it. In the
            unit of the criterion, but 0 (worst) to 10 where ``sources`` is ``rating``.
        sources: Places in `SOURCES`; `UNKNOWN` where nothing says it.
        said_on: Of a measure the last day looked at, of a rating its day; NaT where
            unknown, and where a rating is not dated.
        spread: Between the raters; NaN where it is no rating.
        raters: How many judged, whether or not what they say is the value.
        is_partial: A part of what is measured is unknown, and is not in the value.
        vetoes, protections: By code, one flag an account.
        veto_on: By code: since when; NaT where no veto is, or its day is unknown.
        evidence: By name, what stands beside the values: counts, shares and amounts.
        hour_value: What an hour brings elsewhere, NaN where unknown, and who says so.
        reference: What F1 is held against, and whether for each ``hour`` or unit of
            ``revenue``.
        knows_contracts: Whether there is a table of contracts: without, none may run.
        conflicts: Where one person said two things on one day; the worse one counts.
        misspelt: Criteria of ratings that nobody knows, each with the one it is near.
        people: Ids of owners who are still here; of the accounts' where no table says.
    """

    facts: RevenueFacts
    rules: MeasureRules
    values: Floats
    sources: npt.NDArray[np.int8]
    said_on: Days
    spread: Floats
    raters: npt.NDArray[np.int32]
    is_partial: Flags
    vetoes: Mapping[str, Flags]
    veto_on: Mapping[str, Days]
    protections: Mapping[str, Flags]
    of: AccountFacts
    evidence: Mapping[str, Floats]
    hour_value: float
    hour_value_from: str
    reference: float
    basis: str
    as_of: np.datetime64
    knows_contracts: bool
    conflicts: pa.Table
    misspelt: tuple[tuple[str, str], ...]
    people: tuple[str, ...]

    @property
    def is_known(self) -> Flags:
        known: Flags = self.sources != UNKNOWN
        return known

    @property
    def is_disputed(self) -> Flags:
        """Raters too far apart for their median to say much."""
        apart: Flags = np.nan_to_num(self.spread) > self.rules.rater_spread
        return apart

    @property
    def is_old(self) -> Flags:
        """Judged too long ago; of an undated rating nobody knows."""
        age = (self.as_of - self.said_on).astype("timedelta64[D]")
        is_past = age > np.timedelta64(self.rules.old_rating_days, "D")
        old: Flags = is_past & (self.sources == source("rating"))
        return old

    def column(self, code: Code) -> Floats:
        """What is known of one criterion."""
        column: Floats = self.values[:, CODES.index(code)]
        return column


def measures(
    portfolio: Portfolio,
    facts: RevenueFacts,
    rules: MeasureRules = _USUAL,
    *,
    profitability: ProfitabilityResult | None = None,
    receivables: ReceivablesResult | None = None,
    concentration: ConcentrationResult | None = None,
    tiers: TiersResult | None = None,
    succession: SuccessionResult | None = None,
    win_back: WinBackResult | None = None,
    freed_capacity: FreedCapacityResult | None = None,
) -> Measures:
    """Everything that is known; what a result that is not given would say is unknown.

    What is measured stands before what is judged: a rating says a criterion where nothing
    measures it. Where nobody says anything, it stays unknown.
    """
    ids = facts.by_account.ids
    given = Given.of(
        portfolio,
        ids,
        profitability=profitability,
        receivables=receivables,
        concentration=concentration,
        tiers=tiers,
        succession=succession,
        win_back=win_back,
        freed_capacity=freed_capacity,
    )
    measured = Measured.of(portfolio, facts, rules, given)
    judged = Judged.of(portfolio, ids)
    matrix = _matrix(portfolio, facts, measured, judged)
    _heed_controversies(matrix, measured, rules)
    of = AccountFacts.of(portfolio, facts, given)
    potential = matrix.values[:, CODES.index("F13")]
    return Measures(
        facts=facts,
        rules=rules,
        values=matrix.values,
        sources=matrix.sources,
        said_on=matrix.said_on,
        spread=judged.spread,
        raters=judged.raters,
        is_partial=matrix.is_partial,
        vetoes=judged.vetoes,
        veto_on=judged.veto_on,
        protections=_protections(facts, rules, of, np.isnan(potential)),
        of=of,
        evidence=measured.evidence,
        hour_value=measured.hour_value,
        hour_value_from=measured.hour_value_from,
        reference=measured.reference,
        basis=measured.basis,
        as_of=np.datetime64(portfolio.as_of, "D"),
        knows_contracts="contract" in portfolio,
        conflicts=judged.conflicts,
        misspelt=judged.misspelt,
        people=tuple(_people(portfolio, of)),
    )


@attrs.frozen(eq=False)
class _Matrix:
    """A row an account, a column a criterion."""

    values: Floats
    sources: npt.NDArray[np.int8]
    said_on: Days
    is_partial: Flags


def _matrix(
    portfolio: Portfolio, facts: RevenueFacts, measured: Measured, judged: Judged
) -> _Matrix:
    """What was judged, and over it what is measured."""
    nobody = np.isnan(judged.value)
    found = _Matrix(
        judged.value.copy(),
        np.where(nobody, UNKNOWN, source("rating")).astype(np.int8),
        np.where(nobody, _NO_DAY, judged.on),
        np.zeros(nobody.shape, dtype=bool),
    )
    for at, code in enumerate(CODES):
        own = measured.said.get(code)
        if own is None:
            continue
        wins = ~np.isnan(own.values)
        if CRITERIA[code].is_judged:
            wins &= nobody[:, at]
        found.values[wins, at] = own.values[wins]
        by = np.full(wins.size, source(own.by)) if isinstance(own.by, str) else own.by
        found.sources[wins, at] = by[wins]
        by_now = by[wins] == source("invoice")
        on = np.array([facts.period.last_day, portfolio.as_of], "datetime64[D]")
        found.said_on[wins, at] = on[by_now.astype(np.int64)]
        if own.is_partial is not None:
            found.is_partial[wins, at] = own.is_partial[wins]
    return found


def _heed_controversies(
    matrix: _Matrix, measured: Measured, rules: MeasureRules
) -> None:
    """While one is on record, the reputation is no better than so much."""
    at, on = CODES.index("F5"), measured.controversy_on
    held = matrix.values[:, at]
    falls = ~np.isnat(on) & ~(held <= rules.controversy_rating)
    matrix.values[falls, at] = rules.controversy_rating
    matrix.sources[falls, at] = source("event")
    matrix.said_on[falls, at] = on[falls]


def _protections(
    facts: RevenueFacts, rules: MeasureRules, of: AccountFacts, is_open: Flags
) -> dict[str, Flags]:
    ids = facts.by_account.ids
    is_strategic = np.zeros(len(ids), dtype=bool)
    at = pc.index_in(pa.array(rules.strategic, pa.string()), ids)
    if at.null_count:
        lost = rules.strategic[at.is_null().to_pylist().index(True)]
        near = did_you_mean(lost, ids.to_pylist())
        raise SettingsError(
            f"measures.strategic names {lost!r}, which is no account{near}"
        )
    is_strategic[at.to_numpy()] = True
    edge = np.datetime64(facts.period.months_before_end(rules.new_months), "D")
    return {
        "contract_in_force": of.contract_count > 0,
        "strategic": is_strategic,
        # Since when is unknown: it may be new.
        "new_account": ~(of.since_on <= edge),
        "potential_unknown": is_open,
    }


def _people(portfolio: Portfolio, of: AccountFacts) -> list[str]:
    if "owner" not in portfolio:
        return sorted({each for each in of.owner_id.tolist() if each})
    table = portfolio.arrow("owner")
    if "is_active" in table.column_names:
        is_here = pc.fill_null(table["is_active"], fill_value=True)
        table = table.filter(is_here)
    return sorted(table["owner_id"].to_pylist())
