"""Who buys which line, who like them does not, and what is bought together?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._lift import lift, together
from crm_portfolio._methods._lookalikes import medians, rates
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._facts import NOWHERE, RevenueFacts, bought_lines, opted_out
from crm_portfolio.analysis._tiers import TiersResult
from crm_portfolio.analysis._time._alike import Cells
from crm_portfolio.analysis._time._lines import Lines
from crm_portfolio.analysis._time._settings import FocusSettings
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Json, significant

__all__ = ["Space"]

_TEXT: Final = pa.string()


@attrs.frozen(eq=False)
class Space:
    """The grid of cells by lines: who bought, what buyers bring, who is left.

    Attributes:
        lines: The places of the lines in the grid, in the order of their names.
        has: By account and line: whether it ever bought.
        fits: By cell and line: whether the line is made for the segment.
        bought, open: How many did ever buy; how many did not, and may be asked.
        barred: How many did not and are not to be contacted.
        buyers: How many bought in the period for a known amount; ``median`` of those.
        is_own: Whether the median is of enough buyers in the cell, or of all.
        rate, low, high: P(buy | alike), drawn towards the rate of the line.
        value: Of one account that has not bought; NaN where nothing tells it.
        left_out: How many lines somebody bought are not in the grid, for want of room.
    """

    facts: RevenueFacts
    settings: FocusSettings
    cells: Cells
    names: tuple[str, ...]
    lines: npt.NDArray[np.int64]
    has: npt.NDArray[np.bool_]
    is_barred: Flags
    fits: npt.NDArray[np.bool_]
    bought: Groups
    open: Groups
    barred: Groups
    buyers: Groups
    median: Floats
    is_own: npt.NDArray[np.bool_]
    rate: Floats
    low: Floats
    high: Floats
    left_out: int

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        facts: RevenueFacts,
        tiers: TiersResult,
        lines: Lines,
        settings: FocusSettings,
    ) -> Space:
        cells = Cells.among(facts, tiers)
        place_of = lines.products.filter(
            pc.not_equal(lines.products["place"], NOWHERE)
        ).select(["product_id", "place"])
        found = bought_lines(portfolio, facts.measure, facts.period, place_of)
        # What nobody ever bought by then may not have been there to be bought.
        bought_ever = np.unique(found["place"].to_numpy())
        chosen = _largest(lines, bought_ever, settings.most_lines)
        found = found.filter(pc.is_in(found["place"], pa.array(chosen)))
        row, line, amounts = _pairs(facts, cells, chosen, found)
        has = np.zeros((cells.who.size, chosen.size), dtype=bool)
        has[row, line] = True
        fits = _fits(cells, lines, chosen, settings)
        is_barred = _barred(facts, cells)
        is_out = ~has & is_barred[:, None]
        bought, barred = (cells.counted(which) for which in (has, is_out))
        bought, barred = bought * fits, barred * fits
        median, buyers, is_own = medians(
            cells.of[row], line, amounts, bought.shape, least=settings.lookalike_count
        )
        rate, low, high = rates(bought, cells.size[:, None] * fits, settings.level)
        return cls(
            facts=facts,
            settings=settings,
            cells=cells,
            names=tuple(lines.names[at] for at in chosen),
            lines=chosen,
            has=has,
            is_barred=is_barred,
            fits=fits,
            bought=bought,
            open=cells.size[:, None] * fits - bought - barred,
            barred=barred,
            buyers=buyers,
            median=median,
            is_own=is_own,
            rate=rate,
            low=low,
            high=high,
            left_out=bought_ever.size - chosen.size,
        )

    @property
    def value(self) -> Floats:
        found: Floats = self.rate * self.median
        return found

    def matrix(self) -> pa.Table:
        """One row per segment, tier and line; shares are null where it does not fit."""
        count, many = self.open.shape
        size = np.broadcast_to(self.cells.size[:, None], (count, many))
        fitting = size * self.fits
        share = np.divide(
            self.bought,
            fitting,
            where=fitting > 0,
            out=np.full((count, many), np.nan),
        )
        worth = np.where(self.open > 0, self.open * self.value, 0.0)
        return pa.table(
            {
                "segment": _repeated(self.cells.segment, many),
                "tier": _repeated(self.cells.tier, many),
                "line": pa.array(list(self.names) * count, _TEXT),
                "account_count": pa.array(size.ravel()),
                "applicable_count": pa.array(fitting.ravel()),
                "bought_count": pa.array(self.bought.ravel()),
                "bought_share": _figures(share),
                "rate": _figures(self.rate),
                "rate_low": _figures(self.low),
                "rate_high": _figures(self.high),
                "buyer_count": pa.array(self.buyers.ravel()),
                "median_revenue": _figures(self.median),
                "open_count": pa.array(self.open.ravel()),
                "barred_count": pa.array(self.barred.ravel()),
                "open_value": _figures(worth),
            }
        )

    def listed(self) -> pa.Table:
        """What could be sold to whom, the most valuable first; as long as the settings say."""
        found, room = [], self.settings.list_count
        for at, line_at in self._in_order():
            who = self._open_in(at, line_at)[:room]
            found.append((at, line_at, who))
            room -= who.size
            if not room:
                break
        cell = _joined([np.full(who.size, at) for at, _, who in found])
        line = _joined([np.full(who.size, at) for _, at, who in found])
        place = self.cells.who[_joined([who for *_, who in found])]
        ids = self.facts.by_account.ids.take(pa.array(place))
        value, median = self.value[cell, line], self.median[cell, line]
        fitting = (self.cells.size[:, None] * self.fits)[cell, line]
        columns: dict[str, Any] = {
            "account_id": ids,
            **self.facts.names(ids),
            "line": _picked(self.names, line),
            "segment": _picked(self.cells.segment, cell),
            "tier": _picked(self.cells.tier, cell),
            "lookalike_count": pa.array(fitting),
            "bought_count": pa.array(self.bought[cell, line]),
            "rate": _figures(self.rate[cell, line]),
            "rate_low": _figures(self.low[cell, line]),
            "rate_high": _figures(self.high[cell, line]),
            "median_revenue": _figures(median),
            "buyer_count": pa.array(self.buyers[cell, line]),
            "median_of": _picked(
                ("line", "lookalikes"), self.is_own[cell, line].astype(np.int64)
            ),
            "value": _figures(value),
            "value_low": _figures(self.low[cell, line] * median),
            "value_high": _figures(self.high[cell, line] * median),
        }
        return pa.table(columns)

    def _in_order(self) -> Iterator[tuple[int, int]]:
        """Cells and lines with somebody to ask, the most valuable first."""
        value = np.where(self.open > 0, np.nan_to_num(self.value), 0.0).ravel()
        for at in np.argsort(-value, kind="stable"):
            if value[at] <= 0:
                return
            yield divmod(int(at), self.open.shape[1])

    def _open_in(self, cell: int, line: int) -> npt.NDArray[np.int64]:
        start = self.cells.starts[cell]
        own = slice(start, start + self.cells.size[cell])
        free: npt.NDArray[np.int64] = np.flatnonzero(
            ~self.has[own, line] & ~self.is_barred[own]
        )
        free += start
        return free

    def associations(self) -> pa.Table:
        """One row per two lines: how often both are bought, against chance.

        Counted over the accounts that both lines are made for.
        """
        fits = self.fits.astype(np.int64)
        has = self.has & self.fits[self.cells.of] if self.has.size else self.has
        both = together(has)
        # How many that the other line fits bought the one; and how many both fit.
        with_fit = self.bought.T @ fits
        of = (fits * self.cells.size[:, None]).T @ fits
        first, second = np.triu_indices(len(self.names), 1)
        counts = (
            both[first, second],
            with_fit[first, second],
            with_fit[second, first],
            of[first, second],
        )
        found = lift(*counts, level=self.settings.level)
        is_enough = np.minimum(counts[1], counts[2]) >= self.settings.least_count
        figures = [
            np.where(is_enough, each, np.nan)
            for each in (found.values, found.low, found.high)
        ]
        return pa.table(
            {
                "line": _picked(self.names, first),
                "other_line": _picked(self.names, second),
                "account_count": pa.array(counts[3]),
                "line_count": pa.array(counts[1]),
                "other_count": pa.array(counts[2]),
                "both_count": pa.array(counts[0]),
                "lift": _figures(figures[0]),
                "lift_low": _figures(figures[1]),
                "lift_high": _figures(figures[2]),
                "is_told": pa.array(is_enough),
            }
        )

    def by_line(self) -> dict[int, dict[str, Json]]:
        """By place of the line: who bought it, who could, and what that is worth."""
        worth = np.where(self.open > 0, self.open * np.nan_to_num(self.value), 0.0)
        fitting = (self.cells.size[:, None] * self.fits).sum(axis=0)
        bought = self.bought.sum(axis=0)
        unknown: Flags = np.any((self.open > 0) & np.isnan(self.value), axis=0)
        return {
            int(place): {
                "applicable_count": int(fitting[at]),
                "bought_count": int(bought[at]),
                "bought_share": significant(bought[at] / fitting[at])
                if fitting[at]
                else None,
                "buyer_count": int(self.buyers[:, at].sum()),
                "open_count": int(self.open[:, at].sum()),
                "open_value": None if unknown[at] else significant(worth[:, at].sum()),
            }
            for at, place in enumerate(self.lines)
        }

    def told(self, listed: pa.Table) -> dict[str, Json]:
        """The whole of it in figures."""
        size = self.cells.size
        return {
            "account_count": int(size.sum()),
            "cell_count": int(size.size),
            "line_count": len(self.names),
            "open_count": int(self.open.sum()),
            "open_value": significant(
                float(np.where(self.open > 0, self.open * self.value, 0.0).sum())
            ),
            "listed_count": listed.num_rows,
            "barred_count": int(self.barred.sum()),
            "not_applicable_count": int((size[:, None] * ~self.fits).sum()),
        }


def _largest(
    lines: Lines, places: npt.NDArray[np.int64], most: int
) -> npt.NDArray[np.int64]:
    """Of these places the lines with the most revenue, in the order of their names."""
    order = np.lexsort((places, -lines.revenue[places]))
    chosen: npt.NDArray[np.int64] = np.sort(places[order[:most]]).astype(np.int64)
    return chosen


def _pairs(
    facts: RevenueFacts, cells: Cells, chosen: npt.NDArray[np.int64], found: pa.Table
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
    """Rows and columns of the grid where something was bought, and for how much of late.

    The amount is NaN where nothing was bought in the period, or for what is unknown.
    """
    row_of = np.full(len(facts.by_account.ids), NOWHERE, dtype=np.int64)
    row_of[cells.who] = np.arange(cells.who.size)
    row = row_of[found["account_id"].to_numpy()]
    column = np.searchsorted(chosen, found["place"].to_numpy())
    minor, hidden = found["minor"].to_numpy(), found["hidden"].to_numpy()
    amount = np.where((minor > 0) & (hidden == 0), facts.money(minor), np.nan)
    is_in = row != NOWHERE
    return row[is_in], column[is_in], amount[is_in]


def _fits(
    cells: Cells, lines: Lines, chosen: npt.NDArray[np.int64], settings: FocusSettings
) -> npt.NDArray[np.bool_]:
    """By cell and line: whether the line is made for the segment."""
    fits = np.ones((cells.size.size, chosen.size), dtype=bool)
    for at, place in enumerate(chosen):
        segments = (settings.not_for or {}).get(lines.names[place], ())
        fits[:, at] = [each not in segments for each in cells.segment]
    return fits


def _barred(facts: RevenueFacts, cells: Cells) -> Flags:
    """Whether each account, or one that owns it, asked not to be contacted."""
    since, _ = opted_out(facts.account)
    barred: Flags = ~np.isnat(since)[cells.who]
    return barred


def _joined(parts: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    whole: npt.NDArray[np.int64] = np.concatenate([np.zeros(0, np.int64), *parts])
    return whole.astype(np.int64)


def _picked(names: Sequence[str], at: npt.NDArray[np.int64]) -> pa.Array:
    return pa.array(names, _TEXT).take(pa.array(at, pa.int64()))


def _repeated(names: Sequence[str], times: int) -> pa.Array:
    return pa.array(np.repeat(np.array(names, dtype=object), times), _TEXT)


def _figures(values: npt.NDArray[Any]) -> pa.Array:
    """As many digits as all machines agree on; null where there is none."""
    plain = values.astype(np.float64).ravel()
    return pa.array(twelve_digits(plain), mask=np.isnan(plain))
