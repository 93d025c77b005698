"""Which lines of products are there, which of them are core, and what does each bring?"""

from __future__ import annotations

from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._facts import NOWHERE, RevenueFacts, sold_products
from crm_portfolio.analysis._time._settings import FocusSettings
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Json, significant

__all__ = ["CLASSES", "UNCLASSIFIED", "Lines"]

CLASSES: Final = ("complementary", "core", "unclassified")
"""In the order of ``is_core``: 0, 1, and NOWHERE, which is the last."""
UNCLASSIFIED: Final = "unclassified"
"""What is in no line; and what nobody has said is core, or is not: never the latter."""

_TEXT, _FLAG = pa.string(), pa.bool_()


@attrs.frozen(eq=False)
class Lines:
    """Lines of products, sorted by name; behind them what is in no line.

    Attributes:
        source: Whether products say their line, or each is a line of its own.
        names: Of the lines; the last place of each array belongs to no line.
        products: ``product_id``, ``place`` and ``is_core`` of those in the table.
        revenue, sold, costed, cost: In minor units, of the period; ``sold`` is what lines
            that sell something bring, ``costed`` what those do that say their cost.
        by_class: The same four and lines, by `CLASSES`.
    """

    source: str | None
    names: tuple[str, ...]
    core: tuple[str, ...]
    products: pa.Table
    revenue: Amounts
    sold: Amounts
    costed: Amounts
    cost: Amounts
    lines: Groups
    known_lines: Groups
    by_class: npt.NDArray[np.int64]

    @classmethod
    def of(cls, portfolio: Portfolio, facts: RevenueFacts) -> Lines:
        product, source = _products(portfolio)
        names = tuple(sorted(set(product["line"].drop_null().to_pylist())))
        place = pc.fill_null(
            pc.index_in(product["line"], pa.array(names, _TEXT)), NOWHERE
        )
        is_core = pc.fill_null(product["is_core"].cast(pa.int64()), NOWHERE)
        products = pa.table(
            {
                "product_id": product["product_id"],
                "place": place.cast(pa.int64()),
                "is_core": is_core,
            }
        )
        found = sold_products(portfolio, facts.measure, facts.period)
        at = pc.index_in(found["product_id"], product["product_id"].combine_chunks())
        where = _taken(products["place"], at)
        which = _taken(products["is_core"], at)
        sums = {name: found[name].to_numpy() for name in _SUMS}
        return cls(
            source=source,
            names=names,
            core=_core(len(names), products),
            products=products,
            **{name: _summed(sums[key], where, len(names)) for key, name in _OWN},
            by_class=np.stack([_summed(sums[key], which, 2) for key, _ in _OWN]),
        )

    @property
    def is_costed(self) -> Flags:
        """Whether every line that sells something says its cost, and any does."""
        known: Flags = (
            (self.sold == self.costed)
            & (self.sold > 0)
            & (self.lines == self.known_lines)
        )
        return known

    @property
    def margin(self) -> Amounts:
        """Only where `is_costed`."""
        found: Amounts = self.revenue - self.cost
        return found

    def margin_of(self, which: str) -> int | None:
        """Of one of `CLASSES`; None where a cost or an amount of it is unknown."""
        of = dict(
            zip(_NAMES, self.by_class[:, CLASSES.index(which)].tolist(), strict=True)
        )
        if of["lines"] != of["known_lines"] or of["sold"] != of["costed"]:
            return None
        return int(of["revenue"] - of["cost"])

    def margin_share(self, settings: FocusSettings) -> float | None:
        """Of revenue, over all that says its cost; else as the settings have it."""
        if settings.variable_cost_share is not None:
            return 1 - settings.variable_cost_share
        total, cost = int(self.revenue.sum()), int(self.cost.sum())
        if not self.sold.sum() or (self.sold != self.costed).any() or total <= 0:
            return None
        return (total - cost) / total

    def told(self) -> dict[str, dict[str, int]]:
        """Revenue and margin by class, in minor units; of neither where it is unknown."""
        at = _NAMES.index("revenue")
        revenue = {
            name: int(each)
            for name, each in zip(CLASSES, self.by_class[at], strict=True)
        }
        margins = {name: self.margin_of(name) for name in CLASSES}
        has_amounts = self.by_class[_NAMES.index("known_lines")].any()
        has_costs = None not in margins.values() and self.costed.sum() > 0
        return {
            "revenue": revenue if has_amounts else {},
            "margin": {name: each or 0 for name, each in margins.items()}
            if has_costs
            else {},
        }

    def shares(self) -> dict[str, Json]:
        """Of revenue and of margin, by class; null where there is nothing to share."""
        return {name: shared(parts) for name, parts in self.told().items()}


def shared(parts: dict[str, int]) -> dict[str, Json]:
    """The positive part of each of `CLASSES` by their sum; null where that is zero.

    Where nothing is classified at all, nobody knows what is core and what is not.
    """
    parts = {name: max(part, 0) for name, part in parts.items()}
    total = sum(parts.values())
    if total <= 0:
        return dict.fromkeys(CLASSES)
    found: dict[str, Json] = {
        name: significant(parts[name] / total) for name in CLASSES
    }
    if parts[UNCLASSIFIED] == total:
        found |= dict.fromkeys(CLASSES[:2])
    return found


_SUMS: Final = ("minor", "sold_minor", "costed_minor", "cost", "lines", "known_lines")
_NAMES: Final = ("revenue", "sold", "costed", "cost", "lines", "known_lines")
_OWN: Final = tuple(zip(_SUMS, _NAMES, strict=True))


def _products(portfolio: Portfolio) -> tuple[pa.Table, str | None]:
    """The table of products, each with its line; where none says one, it is a line."""
    kinds = {"product_id": _TEXT, "line": _TEXT, "is_core": _FLAG}
    if "product" not in portfolio:
        empty = {name: pa.array([], kind) for name, kind in kinds.items()}
        return pa.table(empty), None
    table = portfolio.arrow("product")
    columns: dict[str, Any] = {
        name: table[name]
        if name in table.column_names
        else pa.nulls(table.num_rows, kind)
        for name, kind in kinds.items()
    }
    found = pa.table(columns).combine_chunks()
    if found["line"].null_count < found.num_rows:
        return found, "line"
    own = found["product_id"]
    return found.set_column(1, "line", own), "product"


def _core(count: int, products: pa.Table) -> tuple[str, ...]:
    """Of each line: what its products are; mixed where they differ, or some do not say."""
    place, is_core = (products[name].to_numpy() for name in ("place", "is_core"))
    kinds = np.stack(
        [
            np.bincount(place[(place >= 0) & (is_core == code)], minlength=count)
            for code in (0, 1, NOWHERE)
        ]
    )
    names = []
    for each in kinds.T:
        (found,) = np.nonzero(each)
        names.append(CLASSES[found[0]] if found.size == 1 else "mixed")
    return (*names, UNCLASSIFIED)


def _taken(column: pa.ChunkedArray, at: pa.Array) -> npt.NDArray[np.int64]:
    """The codes at these places; NOWHERE where there is none."""
    found = pc.fill_null(column.take(at), NOWHERE)
    codes: npt.NDArray[np.int64] = found.to_numpy().astype(np.int64)
    return codes


def _summed(
    values: Amounts, where: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.int64]:
    """By place; what is nowhere is last."""
    sums = np.zeros(count + 1, dtype=np.int64)
    np.add.at(sums, where, values)
    return sums
