"""Was it price, volume, or what was sold?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._price_mix import (
    Effects,
    price_and_quantity,
    price_quantity_joint,
    price_volume_mix,
)
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._facts import PARTS, Span, products_of_two
from crm_portfolio.analysis._half_year._moves import Rates
from crm_portfolio.analysis._half_year._settings import ReviewSettings
from crm_portfolio.portfolio import Portfolio

__all__ = ["Prices", "no_items"]

_KEYS: Final = ("part", "product_id", "account_id")
_SUMS: Final = (
    *("minor", "minor_before", "lines", "lines_before"),
    *("quantity", "quantity_before", "constant"),
)
Effect = Callable[[Amounts, Amounts, Amounts, Amounts], Effects]


@attrs.frozen(eq=False)
class Prices:
    """The change of revenue by what made it, in minor units.

    Attributes:
        bars: In order; they add up to the change exactly. None where revenue lines, or
            those of the period before, are not there.
        items: One row per product (and account) that says its quantity.
        unknown_lines: Without an amount, in the one period or the other.
        unmeasured: What was sold in both periods without product or quantity, by size.
    """

    bars: Mapping[str, int | None]
    items: pa.Table
    unmeasured: int
    measured: int

    @classmethod
    def of(
        cls, portfolio: Portfolio, span: Span, rates: Rates, settings: ReviewSettings
    ) -> Prices:
        found = products_of_two(portfolio["revenue_line"], span, by=settings.mix_by)
        found = found.append_column("constant", pa.array(rates.constant(found)))
        rows = found.group_by(list(_KEYS), use_threads=False).aggregate(
            [(name, "sum") for name in _SUMS]
        )
        rows = rows.select([*_KEYS, *(f"{name}_sum" for name in _SUMS)])
        rows = rows.rename_columns([*_KEYS, *_SUMS])
        rows = rows.sort_by([(name, "ascending") for name in _KEYS])
        sold = rows.filter(pc.equal(rows["part"], "measured"))
        kind = _kinds(sold)
        effects = _effects(sold, kind == "both", settings)
        return cls(
            _bars(rows, sold, kind, effects),
            _items(sold, kind, effects, span, settings),
            unmeasured=_size(rows, "unmeasured"),
            measured=_size(rows, "measured"),
        )


def no_items(span: Span, settings: ReviewSettings) -> pa.Table:
    """The products of a book that tells of none."""
    kinds = dict.fromkeys(_KEYS, pa.string()) | dict.fromkeys(_SUMS, pa.int64())
    sold = pa.schema(kinds).empty_table()
    kind = _kinds(sold)
    return _items(sold, kind, _effects(sold, kind == "both", settings), span, settings)


def _bars(
    rows: pa.Table, sold: pa.Table, kind: np.ndarray, effects: Effects
) -> dict[str, int | None]:
    """In order; where no line says a quantity, its effects are unknown, not none."""
    change = _numbers(sold, "constant") - _numbers(sold, "minor_before")
    bars: dict[str, int | None] = {
        name: int(each.sum()) for name, each in effects.items()
    }
    bars["new_products"] = int(change[kind == "new"].sum())
    bars["dropped_products"] = int(change[kind == "dropped"].sum())
    if not sold.num_rows:
        bars = dict.fromkeys(bars)
    fx = _numbers(rows, "minor") - _numbers(rows, "constant")
    came_back = int(change[kind == "unmeasured"].sum())
    return bars | {
        "concessions": _change(rows, "concessions"),
        "unmeasured": _change(rows, "unmeasured") + came_back,
        "fx": int(fx.sum()),
    }


def _kinds(sold: pa.Table) -> np.ndarray:
    """Which items were sold in both periods, more than came back."""
    was, has = (_numbers(sold, name) > 0 for name in ("lines_before", "lines"))
    q0, q1 = _numbers(sold, "quantity_before"), _numbers(sold, "quantity")
    return np.select(
        [~was, ~has, (q0 > 0) & (q1 > 0)], ["new", "dropped", "both"], "unmeasured"
    )


def _effects(sold: pa.Table, is_both: Flags, settings: ReviewSettings) -> Effects:
    """By effect, in the order of the rows; nothing where an item is not in both."""
    effect: Effect = price_volume_mix
    if settings.price_effect == "joint":
        effect = price_quantity_joint
    elif settings.units == "different":
        effect = price_and_quantity
    names = ("minor_before", "quantity_before", "constant", "quantity")
    both = effect(*(_numbers(sold, name)[is_both] for name in names))
    found = {}
    for name, values in both.items():
        found[name] = np.zeros(sold.num_rows, dtype=object)
        found[name][is_both] = values
    return found


def _items(
    sold: pa.Table,
    kind: np.ndarray,
    effects: Effects,
    span: Span,
    settings: ReviewSettings,
) -> pa.Table:
    """The largest first."""
    scale = 10**span.digits

    def money(minor: Amounts) -> pa.Array:
        return pa.array(minor / scale, pa.float64())

    columns: dict[str, pa.Array] = {"product_id": sold["product_id"]}
    if settings.mix_by == "product_and_account":
        columns["account_id"] = sold["account_id"]
    columns["sold_in"] = pa.array(kind.tolist(), pa.string())
    figures = {}
    for when, name in (("_before", "minor_before"), ("", "minor")):
        quantity = _numbers(sold, f"quantity{when}")
        figures[f"revenue{when}"] = money(_numbers(sold, name))
        figures[f"quantity{when}"] = pa.array(quantity / PARTS, pa.float64())
        figures[f"price{when}"] = _prices(_numbers(sold, name) / scale, quantity)
    is_both = kind == "both"
    for name, values in effects.items():
        each = (values / scale).astype(np.float64)
        figures[f"{name}_effect"] = pa.array(each, pa.float64(), mask=~is_both)
    fx = _numbers(sold, "minor") - _numbers(sold, "constant")
    figures["fx_effect"] = money(fx)
    table = pa.table(columns | figures)
    order = [("revenue", "descending"), ("revenue_before", "descending")]
    order += [(name, "ascending") for name in columns if name != "sold_in"]
    return table.sort_by(order)


def _prices(revenue: Floats, quantity: Amounts) -> pa.Array:
    """To 12 digits; null where nothing, or less, was sold."""
    each = revenue / np.where(quantity > 0, quantity, 1) * PARTS
    told = [float(f"{price:.12g}") for price in each.tolist()]
    return pa.array(told, pa.float64(), mask=quantity <= 0)


def _numbers(rows: pa.Table, name: str) -> Amounts:
    numbers: Amounts = rows[name].to_numpy()
    return numbers


def _of(rows: pa.Table, part: str) -> pa.Table:
    return rows.filter(pc.equal(rows["part"], part))


def _change(rows: pa.Table, part: str) -> int:
    mine = _of(rows, part)
    return int((_numbers(mine, "constant") - _numbers(mine, "minor_before")).sum())


def _size(rows: pa.Table, part: str) -> int:
    mine = _of(rows, part)
    sizes = np.abs(_numbers(mine, "minor")) + np.abs(_numbers(mine, "minor_before"))
    return int(sizes.sum())
