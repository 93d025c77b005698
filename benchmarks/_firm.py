"""A firm of any size: accounts in small groups, and ten lines of revenue for each."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
import polars as pl

__all__ = ["AS_OF", "firm"]

AS_OF: Final = date(2026, 6, 30)
_LINES: Final = 10  # for each account, on average
_FIRST: Final = np.datetime64("2023-07-01")
_DAYS: Final = 3 * 365 + 1
_CREDIT_SHARE: Final = 0.02


def firm(accounts: int) -> dict[str, pl.DataFrame]:
    """The tables ``account`` and ``revenue_line``, the lines in no order.

    Few accounts bring much: the place of a line's account is a cube of chance.
    """
    chance = np.random.default_rng(20)
    places, lines = np.arange(accounts), accounts * _LINES
    ids = _named("A", places)
    account = pl.DataFrame({"account_id": ids, "name": _named("Account ", places)})
    account = account.with_columns(
        parent_id=pl.when(pl.Series(places % 10 == 3)).then(ids.gather(places // 10))
    )
    whose = np.minimum(
        (accounts * chance.random(lines) ** 3).astype(np.int64), places[-1]
    )
    amount = np.exp(chance.normal(6, 1.2, lines)).round(2)
    is_credit = chance.random(lines) < _CREDIT_SHARE
    days = _FIRST + chance.integers(0, _DAYS, lines).astype("timedelta64[D]")
    revenue_line = pl.DataFrame(
        {
            "line_id": _named("L", chance.permutation(lines)),
            "account_id": ids.gather(whose),
            "booked_on": days,
            "amount": np.where(is_credit, -amount, amount),
            "kind": np.where(is_credit, "credit_note", "invoice"),
        }
    )
    return {"account": account, "revenue_line": revenue_line}


def _named(prefix: str, numbers: np.ndarray) -> pl.Series:
    digits = pl.Series(numbers).cast(pl.String).str.zfill(9)
    return pl.select(pl.lit(prefix) + digits).to_series()
