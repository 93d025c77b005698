"""What could become of each account, whatever its tier?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods import _potential as formulas
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._facts import RevenueFacts
from crm_portfolio.analysis._facts._promise import Judged, came_in, judged
from crm_portfolio.analysis._tier._settings import Potential, PotentialWeights
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Json

__all__ = ["PARTS", "Promise", "grid"]

PARTS: Final = tuple(field.name for field in attrs.fields(PotentialWeights))
_TENTHS: Final = 10
_NAMES: Final = np.array(formulas.CLASSES, dtype=object)


@attrs.frozen(eq=False)
class Promise:
    """The potential of each account, in the order of the facts, with its parts.

    Attributes:
        parts: By name, 0 to 1; NaN where nobody knows.
        name: The class: low, medium, high or unknown.
    """

    parts: Mapping[str, Floats]
    score: Floats
    coverage: Floats
    name: pa.Array
    wallet: Judged

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        facts: RevenueFacts,
        settings: Potential,
        growth: Mapping[str, float] | Floats | None,
    ) -> Promise:
        wallet = judged(portfolio, facts, settings.wallet_criterion)
        parts = {
            "size": _size(facts.account),
            "headroom": _headroom(facts, settings, wallet),
            "growth": growth
            if isinstance(growth, np.ndarray)
            else _growth(facts, growth or {}),
            "engagement": formulas.percentiles(
                came_in(portfolio, facts, days=settings.recent_days)
            ),
            "fit": _fit(facts.account, settings.core_segments),
        }
        weights = attrs.asdict(settings.weights)
        score, coverage = formulas.weighted(
            [parts[name] for name in PARTS], [weights[name] for name in PARTS]
        )
        place, _ = formulas.classes(
            score,
            coverage,
            least_coverage=settings.least_coverage,
            edges=(settings.medium_from, settings.high_from),
        )
        return cls(parts, score, coverage, pa.array(_NAMES[place], pa.string()), wallet)

    def columns(self, tier: pa.Array, last: str | None) -> dict[str, pa.Array]:
        """What the table of tiers shows of it.

        Args:
            last: The last tier of the rule, the one that gets the least.
        """
        guarded = pc.is_in(self.name, pa.array(["high", "unknown"]))
        is_last = pc.fill_null(
            pc.equal(tier, pa.scalar(last, pa.string())), fill_value=False
        )
        return {
            "potential": self.name,
            "potential_score": pa.array(self.score, from_pandas=True),
            "potential_coverage": pa.array(self.coverage),
            **{
                f"potential_{name}": pa.array(np.round(part, 12), from_pandas=True)
                for name, part in self.parts.items()
            },
            "wallet_rated_by": self.wallet.rated_by,
            "wallet_rated_on": self.wallet.rated_on,
            "needs_review": pc.and_(is_last, guarded),
        }


def grid(table: pa.Table, tiers: list[str]) -> dict[str, Json]:
    """How many accounts of each tier have which potential, and who needs a person."""
    rows: list[dict[str, Json]] = []
    for tier in tiers:
        here = table["potential"].filter(pc.equal(table["tier"], tier))
        rows.append({"tier": tier} | {name: _count(here, name) for name in _NAMES})
    known = {name: _known(table[f"potential_{name}"]) for name in PARTS}
    return {
        "grid": rows,
        "unknown_count": _count(table["potential"], "unknown"),
        "review_count": int(pc.sum(table["needs_review"]).as_py() or 0),
        "known_counts": known,
    }


def _count(column: pa.ChunkedArray, value: str) -> int:
    return int(pc.sum(pc.equal(column, value)).as_py() or 0)


def _known(column: pa.ChunkedArray) -> int:
    return int(len(column) - column.null_count)


def _size(account: pa.Table) -> Floats:
    """How large it is among those whose size is known: a proxy, and never our revenue."""
    sizes = (_numbers(account, name) for name in ("account_turnover", "employee_count"))
    return formulas.mean_known([formulas.percentiles(each) for each in sizes])


def _headroom(facts: RevenueFacts, settings: Potential, wallet: Judged) -> Floats:
    """What people judge; else by its turnover, where we know what part of it to ask for."""
    by_people = 1 - wallet.value / _TENTHS
    months = facts.period.months
    if settings.wallet_share is None or months is None:
        return by_people
    of = facts.by_account
    yearly = np.where(of.is_known, facts.money(of.revenue), np.nan) * 12 / months
    turnover = _numbers(facts.account, "account_turnover")
    by_size = formulas.headroom(yearly, turnover * settings.wallet_share)
    return np.where(np.isnan(by_people), by_size, by_people)


def _growth(facts: RevenueFacts, growth: Mapping[str, float]) -> Floats:
    found = np.full(len(facts.by_account.ids), np.nan)
    if not growth:
        return found
    asked = pa.array([*growth], pa.string())
    at = pc.index_in(asked, facts.by_account.ids)
    if at.null_count:
        lost = asked[at.is_null().to_pylist().index(True)].as_py()
        near = did_you_mean(lost, facts.by_account.ids.to_pylist())
        raise SettingsError(f"growth names {lost!r}, which is no account{near}")
    odds = np.array([*growth.values()], dtype=np.float64)
    if ((odds < 0) | (odds > 1)).any():
        raise SettingsError("growth is a probability for each account, from 0 to 1")
    found[at.to_numpy()] = odds
    return found


def _fit(account: pa.Table, core: tuple[str, ...]) -> Floats:
    if not core or "segment" not in account.column_names:
        return np.full(account.num_rows, np.nan)
    segment = account["segment"].combine_chunks().cast(pa.string())
    is_core: Flags = pc.is_in(segment, pa.array(core)).to_numpy(zero_copy_only=False)
    is_known = pc.is_valid(segment).to_numpy(zero_copy_only=False)
    return np.where(is_known, is_core.astype(np.float64), np.nan)


def _numbers(account: pa.Table, name: str) -> Floats:
    if name not in account.column_names:
        return np.full(account.num_rows, np.nan)
    column: Any = account[name].combine_chunks().cast(pa.float64())
    numbers: Floats = column.to_numpy(zero_copy_only=False)
    return numbers
