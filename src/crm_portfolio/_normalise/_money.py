"""What is an amount worth in the portfolio's currency?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise._rounding import EXACT, Floats, rounded
from crm_portfolio._normalise._rows import (
    leave_out,
    null,
    report,
    set_column,
    with_keys,
    with_values,
)
from crm_portfolio.errors import SettingsError
from crm_portfolio.schema import (
    MINOR_DIGITS,
    TABLES,
    Table,
    TableName,
    faults_of,
    minor_digits,
)

__all__ = [
    "MONEY_TABLES",
    "Rates",
    "checked_currency",
    "convert_rows",
    "currencies_in",
    "currency_codes",
    "money_faults",
    "only_currency",
    "rated_currencies",
    "said_amounts",
]

Function = Callable[[Floats], Floats]
Mask = npt.NDArray[np.bool_]

# Tables whose rows may say their own currency.
MONEY_TABLES: tuple[TableName, ...] = tuple(
    name for name, table in TABLES.items() if "original_amount" in table
)
# How far the CRM's own conversion may be from ours, as a part of it; always by one minor
# unit. Either rounds, and the day's rate may have begun at another hour.
HOME_TOLERANCE: Final = 0.01


def checked_currency(currency: str) -> str:
    """The currency that was asked for, if there is one of that name."""
    if currency not in MINOR_DIGITS:
        raise SettingsError(
            f"currency={currency!r} is not in ISO 4217: use three letters, as 'EUR'"
        )
    return currency


def only_currency(named: Collection[str]) -> str:
    """The only one that the tables name."""
    if len(named) == 1:
        return next(iter(named))
    found = f"name several ({', '.join(sorted(named))})" if named else "name none"
    raise SettingsError(
        f"which currency? the tables {found}: say currency='EUR', on the command line "
        "--currency EUR"
    )


def currencies_in(table: pa.Table, default: str | None = None) -> list[str]:
    """The currencies the rows are in, sorted."""
    if "currency" not in table.column_names:
        return [] if default is None or not len(table) else [default]
    codes = pc.unique(table["currency"]).to_pylist()
    filled = {default if code is None else str(code) for code in codes}
    return sorted(code for code in filled if code is not None)


def currency_codes(table: pa.Table, default: str) -> pa.ChunkedArray:
    """The currency of each row; where it does not say, the portfolio's."""
    if "currency" not in table.column_names:
        return pa.chunked_array([pa.repeat(default, len(table))])
    return pc.fill_null(table["currency"], default)


def said_amounts(table: pa.Table) -> pa.Array:
    """What the source said the row is worth, in the row's own currency."""
    return pc.coalesce(_column(table, "original_amount"), _column(table, "amount"))


def _column(table: pa.Table, name: str) -> pa.Array:
    if name not in table.column_names:
        return pa.nulls(len(table), pa.float64())
    return table[name].combine_chunks()


def money_faults(
    table: pa.Table, spec: Table, currency: str, *, rated: Collection[str]
) -> Iterator[pa.Table]:
    """What stops: no rates for other currencies, and amounts too large to be exact.

    Args:
        rated: Currencies of which there is a rate for some day.
    """
    if spec.name not in MONEY_TABLES:
        return
    for code in currencies_in(table, currency):
        if code not in MINOR_DIGITS:  # which stops by itself
            continue
        yield from _absurd(table, spec, currency, code)
        if code not in {currency, *rated} and _is_said(table, currency, code):
            hint = f"add an exchange_rate from {code} to {currency}"
            yield faults_of(
                spec.name,
                "currency",
                "mixed_currencies",
                rows=[None],
                values=[code],
                hint=hint,
            )


def rated_currencies(exchange: pa.Table, currency: str) -> set[str]:
    """The currencies of which these rates tell what they are worth in that one."""
    if not {"currency", "base"} <= set(exchange.column_names):
        return set()
    its = exchange.filter(pc.equal(exchange["base"], currency))
    return set(pc.unique(pc.drop_null(its["currency"])).to_pylist())


def _is_said(table: pa.Table, currency: str, code: str) -> bool:
    """Whether an amount is said in that currency."""
    mine = pc.equal(currency_codes(table, currency), code)
    return bool(pc.any(pc.and_(said_amounts(table).is_valid(), mine)).as_py())


def _absurd(
    table: pa.Table, spec: Table, currency: str, code: str
) -> Iterator[pa.Table]:
    limit = EXACT / 10.0 ** max(minor_digits(code), minor_digits(currency))
    for column in ("amount", "original_amount"):
        if column in table.column_names:
            mask = pc.greater(pc.abs(table[column]), limit)
            if pc.any(mask).as_py():
                mask = pc.and_(mask, pc.equal(currency_codes(table, currency), code))
                found = report(table, spec, column, "absurd_amount", mask)
                yield with_keys(found, table, spec)


class Rates:
    """What a unit of another currency was worth in the portfolio's, day by day.

    Args:
        exchange: The rates that were known by the as-of date; None: there are none.
    """

    def __init__(self, exchange: pa.Table | None, currency: str, as_of: date) -> None:
        self._exchange = exchange
        self._listed: dict[str, tuple[npt.NDArray[np.int32], Floats]] = {}
        self.currency = currency
        self.as_of = as_of

    def of_rows(self, table: pa.Table, spec: Table) -> Floats:
        """The rate of each row; NaN where none is known."""
        rates = np.ones(len(table))
        named = currencies_in(table, self.currency)
        if set(named) <= {self.currency}:
            return rates
        codes, days = currency_codes(table, self.currency), self._days(table, spec)
        for code in named:
            if code != self.currency:
                mine = _mask(pc.equal(codes, code))
                rates[mine] = self._on(code, days[mine])
        return rates

    def _on(self, code: str, days: npt.NDArray[np.int32]) -> Floats:
        """The last rate that began on or before each day."""
        if code not in self._listed:
            self._listed[code] = self._list(code)
        starts, worth = self._listed[code]
        return np.asarray(worth[np.searchsorted(starts, days, side="right") - 1])

    def _list(self, code: str) -> tuple[npt.NDArray[np.int32], Floats]:
        if self._exchange is None:
            return np.empty(0, np.int32), np.array([np.nan])
        pair = pc.and_(
            pc.equal(self._exchange["currency"], code),
            pc.equal(self._exchange["base"], self.currency),
        )
        listed = self._exchange.filter(pair).sort_by("from_on")
        starts = listed["from_on"].cast(pa.int32()).to_numpy()
        # Place -1: before the first.
        return starts, np.append(listed["rate"].to_numpy(), np.nan)

    def _days(self, table: pa.Table, spec: Table) -> npt.NDArray[np.int32]:
        today = pa.scalar(self.as_of, pa.date32())
        if spec.rate_day is None or spec.rate_day not in table.column_names:
            return np.asarray(pa.repeat(today, len(table)).cast(pa.int32()))
        days = pc.fill_null(table[spec.rate_day], today)
        return np.asarray(days.cast(pa.int32()))


def convert_rows(
    table: pa.Table, spec: Table, rates: Rates
) -> tuple[pa.Table, list[pa.Table]]:
    """Every amount in the portfolio's currency, at the rate of its row's date.

    A row whose currency has no rate on that date is left out, never taken at 1.
    """
    digits = minor_digits(rates.currency)
    if spec.name not in MONEY_TABLES:
        return _rounded(table, spec, digits), []
    its = rates.of_rows(table, spec)
    converted, faults = _converted(table, spec, rates.currency, its)
    return _rounded(converted, spec, digits, but="amount"), faults


def _converted(
    table: pa.Table, spec: Table, currency: str, rates: Floats
) -> tuple[pa.Table, list[pa.Table]]:
    table, rates, faults = _with_rates(table, spec, rates)
    money = _to_money(minor_digits(currency), rates)
    said = said_amounts(table)
    amount = _applied(said, money)
    # A row with both amounts has been through here before, and all of it is converted.
    given = _column(table, "amount")
    before = pc.and_(given.is_valid(), _column(table, "original_amount").is_valid())
    if pc.any(before).as_py():
        given = _applied(given, _to_money(minor_digits(currency)))
        differs = pc.and_(before, pc.not_equal(given, amount))
        faults.append(report(table, spec, "amount", "amount_disagrees", differs))
    if (rates != 1.0).any():
        table = _others_converted(table, spec, before, money, _times(rates))
    table = _with_amounts(table, amount, said, currency)
    return table, [*faults, *_unlike_home(table, spec, currency)]


def _with_rates(
    table: pa.Table, spec: Table, rates: Floats
) -> tuple[pa.Table, Floats, list[pa.Table]]:
    """The rows that can be converted, their rates, and a word on the others."""
    unknown = pc.and_(said_amounts(table).is_valid(), pa.array(np.isnan(rates)))
    if not pc.any(unknown).as_py():
        return table, _safe(rates), []
    found = report(table, spec, "currency", "no_rate", unknown)
    # Nobody shall take an account whose lines went for one that has none.
    told = [*spec.key, "account_id", "status", *filter(None, [spec.rate_day])]
    found = with_values(found, table.filter(unknown), [*dict.fromkeys(told)])
    return leave_out(table, unknown), _safe(rates[~_mask(unknown)]), [found]


def _others_converted(
    table: pa.Table, spec: Table, before: pa.Array, money: Function, price: Function
) -> pa.Table:
    """What else a row says in its currency follows its rate; a price stays unrounded."""
    for column in spec.columns:
        if column.name == "amount" or column.name not in table.column_names:
            continue
        if column.is_in_currency:
            values = _column(table, column.name)
            worth = _applied(values, money if column.type == "money" else price)
            settled = pc.if_else(before, values, worth)
            table = set_column(table, column.name, settled)
    return table


def _to_money(digits: int, rates: Floats | None = None) -> Function:
    return lambda values: rounded(values, digits, rates)


def _times(rates: Floats) -> Function:
    return lambda values: values * rates


def _with_amounts(
    table: pa.Table, amount: pa.Array, said: pa.Array, currency: str
) -> pa.Table:
    original = _column(table, "original_amount")
    altered = pc.or_(_is_foreign(table, currency), pc.not_equal(said, amount))
    original = pc.coalesce(original, pc.if_else(altered, said, null(pa.float64())))
    original = pc.add(original, 0.0)  # -0.0 is 0, and a book is known by its bytes
    if "amount" in table.column_names or original.null_count < len(original):
        table = set_column(table, "amount", amount)
    if "original_amount" in table.column_names or original.null_count < len(original):
        table = set_column(table, "original_amount", original)
    return table


def _is_foreign(table: pa.Table, currency: str) -> pa.Array:
    if "currency" not in table.column_names:
        return pa.repeat(pa.scalar(value=False), len(table))
    return pc.not_equal(currency_codes(table, currency), currency).combine_chunks()


def _unlike_home(table: pa.Table, spec: Table, currency: str) -> Iterator[pa.Table]:
    """Rows of other currencies that the CRM itself converted to something else.

    Only closed ones: the CRM took the rate of that day too, and that of an open one is
    today's. Whoever has a rate to the portfolio's currency has it from an org whose own
    that is.
    """
    if "home_amount" not in table.column_names or spec.rate_day is None:
        return
    ours, theirs = _column(table, "amount"), _column(table, "home_amount")
    digits = minor_digits(currency)
    apart = _applied(pc.abs(pc.subtract(ours, theirs)), _to_money(digits))
    share = pc.multiply(pc.abs(ours), HOME_TOLERANCE)
    differs = pc.greater(apart, pc.max_element_wise(share, 10.0**-digits))
    foreign = _is_foreign(table, currency)
    is_closed = _column(table, spec.rate_day).is_valid()
    mask = pc.and_(pc.and_(foreign, is_closed), differs)
    yield report(table, spec, "home_amount", "home_amount_differs", mask)


def _rounded(table: pa.Table, spec: Table, digits: int, *, but: str = "") -> pa.Table:
    for column in spec.columns:
        is_money = column.type == "money" and column.name != but
        if is_money and column.name in table.column_names:
            values = _column(table, column.name)
            settled = _applied(values, _to_money(digits))
            table = set_column(table, column.name, settled)
    return table


def _applied(values: pa.Array, function: Function) -> pa.Array:
    """A function of floats over the values; null stays null."""
    numbers = np.asarray(values.fill_null(0.0).to_numpy(zero_copy_only=False))
    return pa.array(function(numbers), mask=np.asarray(values.is_null()))


def _safe(rates: Floats) -> Floats:
    # Rows without an amount may be without a rate too; 0 times NaN would warn.
    return np.nan_to_num(rates, nan=1.0)


def _mask(mask: pa.Array | pa.ChunkedArray) -> Mask:
    return np.asarray(pc.fill_null(mask, fill_value=False))
