"""Which currency does a sign or a code beside a number name?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["codes"]

_SIGNS: Final[Mapping[str, str]] = {
    "$": "USD",
    "US$": "USD",
    "A$": "AUD",
    "AU$": "AUD",
    "C$": "CAD",
    "CA$": "CAD",
    "HK$": "HKD",
    "MX$": "MXN",
    "NZ$": "NZD",
    "R$": "BRL",
    "S$": "SGD",
    "€": "EUR",
    "£": "GBP",
    "₹": "INR",
    "₪": "ILS",
    "₩": "KRW",
    "₫": "VND",
    "₺": "TRY",
    "₴": "UAH",
    "฿": "THB",
    "zł": "PLN",
    "Kč": "CZK",
    "Ft": "HUF",
    "Fr.": "CHF",
    "SFr.": "CHF",
}
# The usual meaning of a sign that several currencies share; a person can overrule it.
# A sign without a usual meaning (kr, ¥) is not in the table: it has to be named.
_SHARED: Final = ("$",)
_NOTHING: Final = pa.scalar(None, pa.string())


def codes(
    before: pa.Array, after: pa.Array, symbols: Mapping[str, str]
) -> tuple[pa.Array, pa.Array, str]:
    """The ISO code of each cell, whether all it names is clear, and the signs assumed.

    ``before`` and ``after`` are what stands beside the number, empty where nothing does.
    Two that name different currencies are not clear, whatever the number is.
    A person's own ``symbols`` go before the usual ones.
    """
    first, second = _named(before, symbols), _named(after, symbols)
    is_known = pc.and_(
        pc.or_(pc.equal(before, ""), first.is_valid()),
        pc.or_(pc.equal(after, ""), second.is_valid()),
    )
    is_shared = pc.or_(
        pc.is_in(before, pa.array(_SHARED)), pc.is_in(after, pa.array(_SHARED))
    )
    differ = pc.not_equal(first, second).fill_null(fill_value=False)
    is_known = pc.and_not(is_known, pc.and_not(differ, is_shared))
    # "$12 CAD": a code says more than a sign that several currencies share.
    code_comes_last = pc.match_substring_regex(after, "^[A-Za-z]{3}$")
    code = pc.if_else(code_comes_last, second, pc.coalesce(first, second))
    by_sign = pc.and_not(
        is_shared,
        pc.or_(code_comes_last, pc.match_substring_regex(before, "^[A-Za-z]{3}$")),
    )
    is_assumed = pc.any(by_sign).as_py() and not set(_SHARED) & set(symbols)
    return code, is_known.fill_null(fill_value=False), "$" if is_assumed else ""


def _named(text: pa.Array, symbols: Mapping[str, str]) -> pa.Array:
    known = {**_SIGNS, **symbols}
    place = pc.index_in(text, pa.array(list(known)))
    by_sign = pa.array(list(known.values())).take(place)
    is_code = pc.match_substring_regex(text, "^[A-Za-z]{3}$")
    return pc.coalesce(by_sign, pc.if_else(is_code, pc.utf8_upper(text), _NOTHING))
