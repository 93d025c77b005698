"""What is an amount worth in the portfolio's currency?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise._rounding import EXACT, Floats, rounded
from crm_portfolio._normalise._rows import (
    Tables,
    leave_out,
    null,
    report,
    set_column,
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
    "convert",
    "currencies_in",
    "currency_codes",
    "currency_of",
    "money_faults",
    "said_amounts",
]

Function = Callable[[Floats], Floats]
Mask = npt.NDArray[np.bool_]

# Tables whose rows may say their own currency.
MONEY_TABLES: tuple[TableName, ...] = tuple(
    name for name, table in TABLES.items() if "original_amount" in table
)


def currency_of(currency: str | None, tables: Tables) -> str:
    """The portfolio's currency: the one asked for, or the only one the tables name."""
    if currency is not None:
        if currency not in MINOR_DIGITS:
            raise SettingsError(
                f"currency={currency!r} is not in ISO 4217: use three letters, as 'EUR'"
            )
        return currency
    named = {
        code
        for name in MONEY_TABLES
        if name in tables
        for code in currencies_in(tables[name])
    }
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


def money_faults(tables: Tables, currency: str) -> Iterator[pa.Table]:
    """What stops: no rates for other currencies, and amounts too large to be exact."""
    for name in MONEY_TABLES:
        if name not in tables:
            continue
        for code in currencies_in(tables[name], currency):
            yield from _absurd(tables[name], TABLES[name], currency, code)
            if code != currency and "exchange_rate" not in tables:
                hint = f"add an exchange_rate table from {code} to {currency}"
                yield faults_of(
                    name,
                    "currency",
                    "mixed_currencies",
                    rows=[None],
                    values=[code],
                    hint=hint,
                )


def _absurd(
    table: pa.Table, spec: Table, currency: str, code: str
) -> Iterator[pa.Table]:
    limit = EXACT / 10.0 ** max(minor_digits(code), minor_digits(currency))
    mine = pc.equal(currency_codes(table, currency), code)
    for column in ("amount", "original_amount"):
        if column in table.column_names:
            mask = pc.and_(mine, pc.greater(pc.abs(table[column]), limit))
            if pc.any(mask).as_py():
                yield report(table, spec, column, "absurd_amount", mask)


def convert(
    tables: Tables, currency: str, as_of: date
) -> tuple[Tables, list[pa.Table]]:
    """Every amount in the portfolio's currency, at the rate of its row's date.

    A row whose currency has no rate on that date is left out, never taken at 1.
    """
    converted: Tables = {}
    faults: list[pa.Table] = []
    for name, table in tables.items():
        converted[name] = table
        if name in MONEY_TABLES:
            rates = _rates(
                table, TABLES[name], tables.get("exchange_rate"), currency, as_of
            )
            converted[name], found = _converted(table, TABLES[name], currency, rates)
            faults += found
        converted[name] = _rounded(
            converted[name], TABLES[name], minor_digits(currency)
        )
    return converted, faults


def _rates(
    table: pa.Table,
    spec: Table,
    exchange: pa.Table | None,
    currency: str,
    as_of: date,
) -> Floats:
    """The rate of each row; NaN where none is known."""
    rates = np.ones(len(table))
    others = [code for code in currencies_in(table, currency) if code != currency]
    if not others:
        return rates
    codes, days = currency_codes(table, currency), _days(table, spec, as_of)
    for code in others:
        mine = _mask(pc.equal(codes, code))
        rates[mine] = np.nan
        if exchange is not None:
            rates[mine] = _listed(exchange, code, currency, days[mine])
    return rates


def _listed(
    exchange: pa.Table, code: str, currency: str, days: npt.NDArray[np.int32]
) -> Floats:
    """The last rate that began on or before each day."""
    pair = pc.and_(
        pc.equal(exchange["currency"], code), pc.equal(exchange["base"], currency)
    )
    listed = exchange.filter(pair).sort_by("from_on")
    starts = listed["from_on"].cast(pa.int32()).to_numpy()
    worth = np.append(listed["rate"].to_numpy(), np.nan)  # place -1: before the first
    return np.asarray(worth[np.searchsorted(starts, days, side="right") - 1])


def _days(table: pa.Table, spec: Table, as_of: date) -> npt.NDArray[np.int32]:
    today = pa.scalar(as_of, pa.date32())
    if spec.rate_day is None or spec.rate_day not in table.column_names:
        return np.asarray(pa.repeat(today, len(table)).cast(pa.int32()))
    days = pc.fill_null(table[spec.rate_day], today)
    return np.asarray(days.cast(pa.int32()))


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
    return _with_amounts(table, amount, said, currency), faults


def _with_rates(
    table: pa.Table, spec: Table, rates: Floats
) -> tuple[pa.Table, Floats, list[pa.Table]]:
    """The rows that can be converted, their rates, and a word on the others."""
    unknown = pc.and_(said_amounts(table).is_valid(), pa.array(np.isnan(rates)))
    if not pc.any(unknown).as_py():
        return table, _safe(rates), []
    found = report(table, spec, "currency", "no_rate", unknown)
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
    foreign = pc.not_equal(currency_codes(table, currency), currency).combine_chunks()
    altered = pc.or_(foreign, pc.not_equal(said, amount))
    original = pc.coalesce(original, pc.if_else(altered, said, null(pa.float64())))
    if "amount" in table.column_names or original.null_count < len(original):
        table = set_column(table, "amount", amount)
    if "original_amount" in table.column_names or original.null_count < len(original):
        table = set_column(table, "original_amount", original)
    return table


def _rounded(table: pa.Table, spec: Table, digits: int) -> pa.Table:
    for column in spec.columns:
        if column.type == "money" and column.name in table.column_names:
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
