"""What does a CRM hold whose truths are known, at any size?

Everything is drawn from one seed, in columns: a million accounts take seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.errors import SettingsError
from crm_portfolio.samples import _accounts, _columns, _deals, _names
from crm_portfolio.samples._deals import Deals, drawn

if TYPE_CHECKING:
    from crm_portfolio.schema import TableName

__all__ = ["Book", "book"]

_FEWEST_ACCOUNTS: Final = 40
_FEWEST_OPPORTUNITIES: Final = 250

_STAGES: Final = (
    ("Discovery", 1, "open", 0.1),
    ("Qualification", 2, "open", 0.2),
    ("Proposal", 3, "open", 0.5),
    ("Negotiation", 4, "open", 0.8),
    ("Won", 5, "won", 1.0),
    ("Lost", 6, "lost", 0.0),
)
_SOURCES: Final = ("Web", "Phone Inquiry", "Partner Referral", "Trade Show", None)
_STATUSES: Final = ("won", "lost", "open")


@attrs.frozen(eq=False)
class Book:
    """Invented CRM tables, and what is known to be true of them.

    Attributes:
        truths: The planted ids and numbers; the function ``book`` explains each.
    """

    tables: Mapping[TableName, pa.Table]
    truths: Mapping[str, Any]


def book(*, accounts: int = 300, opportunities: int = 4_000, seed: int = 2026) -> Book:
    """Draw what a CRM holds: the tables account, opportunity, stage and owner.

    The truths, each for the twelve months up to ``truths["as_of"]``:

    - ``giant``: the account with 24 % of ``won_revenue``; ``giant_share`` is exact.
    - ``group``: six accounts on four levels under ``group_root``, each below 10 %, which
      hold ``group_share``, 13 %, together.
    - ``negative``: an account whose won amounts add up to less than nothing.
    - ``swinging``: an account with ``negative_months`` in a year that is positive.
    - ``new`` and ``dormant``: first won in May 2026; last won before the period.
    - ``loop``: two accounts that are each other's parent; ``twins``: two of one name;
      ``hostile``: names that break careless tools, with their accounts.
    - ``without_account``, ``without_amount``, ``zero_amount``, ``closed_later``: how many
      opportunities are dirty in that way; ``inactive_owners``: who left.

    Args:
        accounts: At least 40.
        opportunities: At least 250.
        seed: The same seed gives the same book.
    """
    if accounts < _FEWEST_ACCOUNTS or opportunities < _FEWEST_OPPORTUNITIES:
        raise SettingsError(
            f"a sample book needs at least {_FEWEST_ACCOUNTS} accounts and "
            f"{_FEWEST_OPPORTUNITIES} opportunities"
        )
    chance = np.random.default_rng(seed)
    deals = drawn(chance, accounts, opportunities)
    owner = _accounts.owners(max(8, min(60, accounts // 25)))
    account = _accounts.accounts(chance, accounts, owner)
    tables: dict[TableName, pa.Table] = {
        "account": account,
        "opportunity": _opportunity(chance, deals, account, owner),
        "stage": _stage(),
        "owner": owner,
    }
    return Book(tables=tables, truths=_truths(deals, tables))


def _opportunity(
    chance: np.random.Generator, deals: Deals, account: pa.Table, owner: pa.Table
) -> pa.Table:
    count = len(deals.account)
    is_open = deals.status == _deals.OPEN
    stages = np.where(is_open, chance.integers(0, 4, size=count), 4 + deals.status)
    held = pa.array(deals.account, mask=deals.account < 0)
    names = account["name"].combine_chunks().take(held)
    subject = _columns.draw(chance, _names.SUBJECTS, count)
    title = pc.binary_join_element_wise(names, subject, ": ", null_handling="skip")
    seconds = (deals.created + _deals.EPOCH) * 86_400 + chance.integers(
        25_200, 64_800, size=count
    )
    return pa.table(
        {
            "opportunity_id": _columns.ids("O", np.arange(count)),
            "account_id": _columns.ids("A", deals.account),
            "name": title,
            "owner_id": _columns.draw(chance, owner["owner_id"].to_pylist(), count),
            "pipeline": _columns.pick(["default"], np.zeros(count, dtype=np.int64)),
            "stage": _columns.pick([stage[0] for stage in _STAGES], stages),
            "status": _columns.pick(_STATUSES, deals.status),
            "amount": pa.array(deals.cents / 100, mask=deals.has_amount == 0),
            "created_at": pa.array(seconds * 1_000_000, pa.timestamp("us", "UTC")),
            "closed_on": _columns.days(deals.closes, ~is_open),
            "expected_close_on": _columns.days(deals.closes, is_open),
            "probability": _columns.pick([stage[3] for stage in _STAGES], stages),
            "source": _columns.draw(chance, _SOURCES, count),
        }
    )


def _stage() -> pa.Table:
    stage, position, status, probability = zip(*_STAGES, strict=True)
    return pa.table(
        {
            "pipeline": ["default"] * len(_STAGES),
            "stage": list(stage),
            "position": list(position),
            "status": list(status),
            "default_probability": list(probability),
        }
    )


def _truths(deals: Deals, tables: Mapping[TableName, pa.Table]) -> dict[str, Any]:
    ids = tables["account"]["account_id"]
    revenue = deals.revenue()
    total = int(deals.cents[revenue].sum())
    known = deals.has_amount == 1

    def won(*positions: int) -> int:
        return int(deals.cents[revenue & np.isin(deals.account, positions)].sum())

    def name(*positions: int) -> list[str]:
        return [ids[position].as_py() for position in positions]

    owner = tables["owner"]
    return {
        "as_of": _deals.AS_OF,
        "currency": "EUR",
        "period_start": _deals.START,
        "period_end": date(2026, 7, 1),
        "won_revenue": total / 100,
        "giant": name(_deals.GIANT)[0],
        "giant_share": won(_deals.GIANT) / total,
        "group_root": name(min(_deals.GROUP))[0],
        "group": name(*_deals.GROUP),
        "group_share": won(*_deals.GROUP) / total,
        "negative": name(_deals.NEGATIVE)[0],
        "negative_revenue": won(_deals.NEGATIVE) / 100,
        "swinging": name(_deals.SWINGING)[0],
        "negative_months": ["2025-11", "2026-04"],
        "new": name(_deals.NEW)[0],
        "dormant": name(_deals.DORMANT)[0],
        "loop": name(*_deals.LOOP),
        "twins": name(*_deals.TWINS),
        "hostile": dict(zip(_names.HOSTILE, name(*_deals.HOSTILE), strict=True)),
        "without_account": int((deals.account < 0).sum()),
        "without_amount": int((~known).sum()),
        "zero_amount": int(((deals.cents == 0) & known).sum()),
        "closed_later": int(
            ((deals.status != _deals.OPEN) & (deals.closes > _deals.LAST_DAY)).sum()
        ),
        "inactive_owners": owner["owner_id"]
        .filter(pc.invert(owner["is_active"]))
        .to_pylist(),
    }
