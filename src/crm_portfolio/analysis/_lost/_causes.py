"""Why was it lost, in whose words, and how sure are the shares and the rates?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._drawn_shares import share_intervals
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._rates import wilson, wilson_bounds
from crm_portfolio._methods._shrinkage import prior_of
from crm_portfolio.results import Json, significant

__all__ = ["NO_ANSWERS", "Reasons", "plain", "rate_table"]

NO_ANSWERS: Final = (
    *("other", "others", "unknown", "none", "n/a", "na", "not specified", "no reason"),
    *("autre", "autres", "inconnu", "inconnue", "aucune", "non précisé"),
)
"""Reasons that give none, in small letters."""

_TELLERS: Final = ("client", "seller", "")


@attrs.frozen(eq=False, slots=False)
class Reasons:
    """Loss reasons by count and by amount, those of clients and of sellers apart.

    Attributes:
        cells: What `lost_reasons` counted, with ``is_unknown`` where a reason gives none.
        digits: Of the currency's minor unit.
        draws, seed: Of the intervals of shares of amounts.
    """

    cells: pa.Table
    digits: int
    unknown_limit: float
    draws: int
    seed: int

    @classmethod
    def of(
        cls,
        cells: pa.Table,
        *,
        digits: int,
        no_answers: Sequence[str] = NO_ANSWERS,
        unknown_limit: float = 0.3,
        seed: int = 2026,
        draws: int = 1000,
    ) -> Reasons:
        """From what `lost_reasons` counted."""
        gives_none = {"", *map(plain, no_answers)}
        reasons = pc.unique(cells["loss_reason"]).to_pylist()
        none = [each for each in reasons if plain(each) in gives_none]
        is_unknown = pc.is_in(cells["loss_reason"], pa.array(none, pa.string()))
        cells = cells.append_column("is_unknown", is_unknown)
        return cls(cells, digits, unknown_limit, draws, seed)

    @property
    def count(self) -> int:
        """How many were lost."""
        return pc.sum(self.cells["count"]).as_py() or 0

    @property
    def unknown_count(self) -> int:
        """How many of them for no reason that was noted."""
        return pc.sum(self.cells.filter(self.cells["is_unknown"])["count"]).as_py() or 0

    @cached_property
    def table(self) -> pa.Table:
        """By who said it; the reasons that give none first, then the most frequent."""
        chance = {"seed": self.seed, "draws": self.draws}
        return pa.concat_tables(
            [_told_by(self.cells, who, self.digits, chance) for who in _TELLERS]
        )

    @property
    def is_readable(self) -> bool | None:
        """Whether enough say why; None where nothing was lost."""
        if not self.count:
            return None
        return self.unknown_count / self.count <= self.unknown_limit

    def summary(self) -> dict[str, Json]:
        interval = wilson(self.unknown_count, self.count) or (None, None)
        share = self.unknown_count / self.count if self.count else None
        return {
            "lost_count": self.count,
            "unknown_count": self.unknown_count,
            "unknown_share": significant(share),
            "unknown_share_low": significant(interval[0]),
            "unknown_share_high": significant(interval[1]),
            "is_readable": self.is_readable,
            "stated_by": dict(self._by_teller()),
        }

    def _by_teller(self) -> Iterator[tuple[str, Json]]:
        for name in _TELLERS:
            own = self.cells.filter(pc.equal(self.cells["loss_reason_by"], name))
            known = own.filter(pc.invert(own["is_unknown"]))
            counts = known.group_by("loss_reason").aggregate([("count", "sum")])
            order = [("count_sum", "descending"), ("loss_reason", "ascending")]
            first = counts.sort_by(order).slice(0, 1).to_pylist()
            yield (
                name or "nobody_noted",
                {
                    "lost_count": pc.sum(own["count"]).as_py() or 0,
                    "known_count": pc.sum(known["count"]).as_py() or 0,
                    "first_reason": first[0]["loss_reason"] if first else None,
                    "first_count": first[0]["count_sum"] if first else 0,
                },
            )


def plain(reason: str) -> str:
    """A reason however the CRM spells it."""
    return " ".join(reason.replace("_", " ").replace("-", " ").casefold().split())


def _told_by(
    cells: pa.Table, who: str, digits: int, chance: Mapping[str, Any]
) -> pa.Table:
    """The reasons one side gave: how often, about how much, and how sure that is."""
    own = cells.filter(pc.equal(cells["loss_reason_by"], who)).combine_chunks()
    reasons = pc.unique(own["loss_reason"]).sort()
    group = pc.index_in(own["loss_reason"], reasons).to_numpy().astype(np.int64)
    cell_count, minor = own["count"].to_numpy(), own["minor"].to_numpy()
    priced = cell_count * own["is_priced"].to_numpy()
    n = len(reasons)
    count, priced_count, amount = (
        _sums(group, each, n) for each in (cell_count, priced, minor)
    )
    is_unknown = np.zeros(n, dtype=bool)
    is_unknown[group[own["is_unknown"].to_numpy(zero_copy_only=False)]] = True
    low, high = wilson_bounds(count, np.full(n, count.sum()))
    least, most = share_intervals(group, priced, minor, **chance)
    number, total = max(int(count.sum()), 1), int(amount.sum())
    order = np.lexsort((-count, ~is_unknown))
    columns = {
        "stated_by": pa.array([who or None] * n, pa.string()),
        "reason": pc.if_else(pc.equal(reasons, ""), None, reasons),
        "is_unknown": pa.array(is_unknown),
        "count": pa.array(count),
        "count_share": _shares(count / number),
        "count_share_low": _shares(low),
        "count_share_high": _shares(high),
        "priced_count": pa.array(priced_count),
        "amount": pa.array(amount / 10**digits, mask=priced_count == 0),
        "amount_share": _shares(amount / total if total > 0 else np.full(n, np.nan)),
        "amount_share_low": _shares(least),
        "amount_share_high": _shares(most),
    }
    table = pa.table(columns).take(pa.array(order))
    running = np.cumsum(count[order]) / number
    return table.append_column("cum_count_share", _shares(running))


def _sums(group: Groups, values: Groups, size: int) -> Groups:
    """Exact sums by group."""
    found = np.zeros(size, dtype=np.int64)
    np.add.at(found, group, values)
    return found


def _shares(values: Floats) -> pa.Array:
    """To twelve digits, where engines still agree; NaN is not known."""
    told = [significant(float(each)) for each in values]
    return pa.array(told, pa.float64())


def rate_table(counts: pa.Table, *, level: float = 0.9) -> pa.Table:
    """Rates of groups, each drawn towards the others of its kind; in the order they came.

    Args:
        counts: ``rate`` what is counted and ``by`` what groups are made of, ``group``
            (null: not noted, which is no group to learn from), ``count`` of ``of_count``.
    """
    names = ["rate", "by"]
    kinds = counts.group_by(names, use_threads=False).aggregate([]).to_pylist()
    found = []
    for kind in kinds:
        is_own = pc.and_(*(pc.equal(counts[name], kind[name]) for name in names))
        found.append(_shrunk(counts.filter(is_own), level))
    return pa.concat_tables(found) if found else _RATES.empty_table()


_RATES: Final = pa.schema(
    {
        "rate": pa.string(),
        "by": pa.string(),
        "group": pa.string(),
        "of_count": pa.int64(),
        "count": pa.int64(),
        "raw_rate": pa.float64(),
        "shrunken_rate": pa.float64(),
        "rate_low": pa.float64(),
        "rate_high": pa.float64(),
        "prior": pa.string(),
        "prior_rate": pa.float64(),
        "prior_weight": pa.float64(),
    }
)


def _shrunk(rows: pa.Table, level: float) -> pa.Table:
    """The rates of one kind of group; the prior counts like ``prior_weight`` of them."""
    count, of = rows["count"].to_numpy(), rows["of_count"].to_numpy()
    is_named = rows["group"].combine_chunks().is_valid()
    is_named = is_named.to_numpy(zero_copy_only=False)
    prior = prior_of(count[is_named], of[is_named])
    found = prior.shrunk(count, of, level=level)
    raw = np.divide(count, of, out=np.full(count.size, np.nan), where=of > 0)
    weight = prior.strength if np.isfinite(prior.strength) else np.nan
    columns = {
        **{name: rows[name] for name in ("rate", "by", "group", "of_count", "count")},
        "raw_rate": _shares(raw),
        "shrunken_rate": _shares(found.rates),
        "rate_low": _shares(found.low),
        "rate_high": _shares(found.high),
        "prior": pa.array([prior.kind] * count.size, pa.string()),
        "prior_rate": _shares(np.full(count.size, prior.mean)),
        "prior_weight": _shares(np.full(count.size, weight)),
    }
    return pa.table(columns, schema=_RATES)
