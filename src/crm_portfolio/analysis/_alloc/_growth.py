"""Does the firm grow, or only its workload?"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods import _indices as indices
from crm_portfolio._methods import _workload as formulas
from crm_portfolio._methods._indices import Amounts
from crm_portfolio.analysis._facts import (
    NO_QUARTERS,
    RevenueFacts,
    Worked,
    begins_before,
    hours_in,
    previous,
    quarterly_workload,
)
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.results import Json, significant

__all__ = ["Growth"]

_SLACK: Final = timedelta(days=92)
"""Where invoices go out each quarter, a book that is whole may begin so late."""


@attrs.frozen
class _Size:
    """The firm in one period; None where it is unknown.

    Attributes:
        is_whole: Whether the revenue lacks no amount, so that it can be compared.
    """

    accounts: int | None
    revenue: float | None
    hours: float | None
    is_whole: bool

    def told(self) -> dict[str, Json]:
        return {
            "account_count": self.accounts,
            "revenue": self.revenue,
            "hours": significant(self.hours),
            "revenue_per_hour": significant(formulas.per(self.revenue, self.hours)),
            "revenue_per_account": significant(
                formulas.per(self.revenue, self.accounts)
            ),
            "hours_per_account": significant(formulas.per(self.hours, self.accounts)),
        }


@attrs.frozen(eq=False)
class Growth:
    """This period beside the one before, and the quarters behind both.

    Attributes:
        quarters: Those whose revenue and hours are both known; ``starts_on``,
            ``account_count``, ``revenue`` and ``hours``.
    """

    before: _Size
    now: _Size
    quarters: pa.Table
    segments: dict[str, Json]

    @classmethod
    def of(
        cls, portfolio: Portfolio, facts: RevenueFacts, given: Worked, *, quarters: int
    ) -> Growth:
        of, total = facts.by_account, facts.total
        hours = int(given.seconds.sum()) / 3600 if given.is_known.any() else None
        revenue = None if total is None else facts.amount(total)
        found = NO_QUARTERS
        if given.source is not None:
            found = quarterly_workload(portfolio, facts, quarters=quarters)
        return cls(
            before=_before(portfolio, facts, given),
            now=_Size(int(of.has_lines.sum()), revenue, hours, bool(of.is_whole.all())),
            quarters=found,
            segments=_segments(facts),
        )

    @property
    def is_unchanged(self) -> bool:
        """As many accounts as before: nothing can be said per cent of growth."""
        return bool(self.now.accounts) and self.before.accounts == self.now.accounts

    def told(self) -> dict[str, Json]:
        """Sheet 2.7: elasticities, and growth in logs: R = n · R/n, H = n · H/n."""
        changes = {
            name: formulas.log_change(
                getattr(self.before, name), getattr(self.now, name)
            )
            for name in ("accounts", "revenue", "hours")
        }
        if not (self.before.is_whole and self.now.is_whole):
            changes["revenue"] = None
        clients = changes["accounts"]
        of_hours = formulas.elasticity(changes["hours"], clients)
        of_revenue = formulas.elasticity(changes["revenue"], clients)
        logs = {
            name: significant(value)
            for name, value in (
                *changes.items(),
                ("revenue_per_account", _less(changes["revenue"], clients)),
                ("hours_per_account", _less(changes["hours"], clients)),
            )
        }
        return {
            "before": self.before.told(),
            "now": self.now.told(),
            "hours_elasticity": significant(of_hours),
            "revenue_elasticity": significant(of_revenue),
            "log_changes": logs,
            "fit": self._fit(),
            "segments": self.segments,
        }

    def _fit(self) -> dict[str, Json]:
        told: dict[str, Json] = {"quarter_count": self.quarters.num_rows}
        for name in ("hours", "revenue"):
            found = None
            if self.quarters.num_rows:
                found = formulas.fit(
                    self.quarters["account_count"].to_pylist(),
                    [each or 0.0 for each in self.quarters[name].to_pylist()],
                )
            told[f"{name}_elasticity"] = (
                None
                if found is None
                else {
                    "slope": significant(found.slope),
                    "interval": [significant(found.low), significant(found.high)],
                    "n": found.n,
                }
            )
        return told


def _less(change: float | None, of_clients: float | None) -> float | None:
    return None if change is None or of_clients is None else change - of_clients


def _before(portfolio: Portfolio, facts: RevenueFacts, given: Worked) -> _Size:
    """Nothing is known of a period in which the book only begins."""
    span, of = previous(facts.period), facts.by_account
    unknown = _Size(None, None, None, is_whole=False)
    first = of.first_on[~np.isnat(of.first_on)]
    if span is None or span.start is None or not first.size:
        return unknown
    if first.min().item() > span.start + _SLACK:
        return unknown
    is_known = of.known_lines_previous.sum() > 0 or of.lines_previous.sum() == 0
    return _Size(
        int((of.lines_previous > 0).sum()),
        facts.amount(int(of.revenue_previous.sum())) if is_known else None,
        _hours_before(portfolio, given, span),
        bool(of.is_whole_previous.all()),
    )


def _hours_before(portfolio: Portfolio, given: Worked, span: Period) -> float | None:
    assert span.start is not None
    if given.source is None or not begins_before(portfolio, span.start):
        return None
    return hours_in(portfolio, [span])[0]


def _segments(facts: RevenueFacts) -> dict[str, Json]:
    """Over how many kinds of client revenue spreads, now and before (article 3)."""
    if "segment" not in facts.account.column_names:
        return {"now": None, "before": None}
    column = facts.account["segment"].combine_chunks().cast(pa.string())
    of = facts.by_account
    has_before = facts.has_previous and of.is_whole_previous.all()
    return {
        "now": _spread(column, of.revenue),
        "before": _spread(column, of.revenue_previous) if has_before else None,
    }


def _spread(segment: pa.Array, revenue: Amounts) -> dict[str, Json]:
    names = pc.drop_null(pc.unique(segment))
    at = pc.fill_null(pc.index_in(segment, names), len(names))
    sums = np.zeros(len(names) + 1, dtype=np.int64)
    np.add.at(sums, at.to_numpy(zero_copy_only=False), np.maximum(revenue, 0))
    of_known, total = sums[:-1], int(sums.sum())
    return {
        "segment_count": int((of_known > 0).sum()),
        "entropy": significant(indices.entropy(of_known)),
        "effective_number": significant(indices.effective_number(of_known, order=1)),
        "evenness": significant(indices.evenness(of_known[of_known > 0])),
        "unknown_share": significant(int(sums[-1]) / total) if total else None,
    }
