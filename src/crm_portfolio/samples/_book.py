"""What does a CRM hold whose truths are known, at any size?

Everything is drawn from one seed, in columns: a million accounts take seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.errors import SettingsError
from crm_portfolio.samples import _names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from crm_portfolio.schema import TableName

__all__ = ["Book", "book"]

_AS_OF: Final = date(2026, 6, 30)
_START: Final = date(2025, 7, 1)
_LAST_DAY: Final = (_AS_OF - _START).days
_EPOCH: Final = (_START - date(1970, 1, 1)).days
_FEWEST_ACCOUNTS: Final = 40
_FEWEST_OPPORTUNITIES: Final = 250

# Planted accounts by position: one too big, one group on four levels (member: parent),
# and some with one story each. Ordinary accounts follow.
_GIANT: Final = 0
_GROUP: Final = {1: None, 2: 1, 3: 1, 4: 2, 5: 4, 6: 2}
_NEGATIVE, _SWINGING, _NEW, _DORMANT = 7, 8, 9, 10
_LOOP: Final = (11, 12)
_TWINS: Final = (13, 14)
_HOSTILE: Final = range(15, 15 + len(_names.HOSTILE))
_FIRST_SELLING, _FIRST_ORDINARY = 11, _HOSTILE.stop
_GIANT_SHARE, _GROUP_SHARE = 24, 13  # percent of all that was won in the period

_STAGES: Final = (
    ("Discovery", 1, "open", 0.1),
    ("Qualification", 2, "open", 0.2),
    ("Proposal", 3, "open", 0.5),
    ("Negotiation", 4, "open", 0.8),
    ("Won", 5, "won", 1.0),
    ("Lost", 6, "lost", 0.0),
)
_SOURCES: Final = ("Web", "Phone Inquiry", "Partner Referral", "Trade Show", None)
_WON, _LOST, _OPEN = 0, 1, 2
_STATUSES: Final = ("won", "lost", "open")


@attrs.frozen(eq=False)
class Book:
    """Invented CRM tables, and what is known to be true of them.

    Attributes:
        truths: The planted ids and numbers; the function ``book`` explains each.
    """

    tables: Mapping[TableName, pa.Table]
    truths: Mapping[str, Any]


@attrs.define(eq=False)
class _Deals:
    """Opportunities while they are drawn, as whole numbers (positions, days, cents)."""

    account: NDArray[np.int64]  # -1: none
    status: NDArray[np.int64]
    cents: NDArray[np.int64]
    has_amount: NDArray[np.int64]
    closes: NDArray[np.int64]  # day it closed or should close, 0 = first of the period
    created: NDArray[np.int64]

    def revenue(self) -> NDArray[np.bool_]:
        """Which of them are net revenue of an account in the period."""
        inside = (self.closes >= 0) & (self.closes <= _LAST_DAY)
        return inside & (self.status == _WON) & (self.account >= 0)


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
    """
    if accounts < _FEWEST_ACCOUNTS or opportunities < _FEWEST_OPPORTUNITIES:
        raise SettingsError(
            f"a sample book needs at least {_FEWEST_ACCOUNTS} accounts and "
            f"{_FEWEST_OPPORTUNITIES} opportunities"
        )
    chance = np.random.default_rng(seed)
    planted = _planted(chance)
    ordinary = _ordinary(chance, accounts, opportunities - len(planted.account))
    _soil(ordinary)
    _scale(planted, ordinary)
    deals = _Deals(
        *(
            np.concatenate(pair)
            for pair in zip(_arrays(planted), _arrays(ordinary), strict=True)
        )
    )
    owner = _owner(max(8, min(60, accounts // 25)))
    account = _account(chance, accounts, owner)
    tables: dict[TableName, pa.Table] = {
        "account": account,
        "opportunity": _opportunity(chance, deals, account, owner),
        "stage": _stage(),
        "owner": owner,
    }
    return Book(tables=tables, truths=_truths(deals, tables))


def _arrays(deals: _Deals) -> tuple[NDArray[np.int64], ...]:
    return attrs.astuple(deals, recurse=False)


def _tenth(month: int) -> int:
    """The tenth day of a month counted from the period's first; before it: negative."""
    years, index = divmod(_START.month - 1 + month, 12)
    return (date(_START.year + years, index + 1, 10) - _START).days


def _planted(chance: np.random.Generator) -> _Deals:
    """The won deals of the planted accounts, before giant and group are scaled."""
    wins = [(_GIANT, month % 12, int(chance.integers(70, 131))) for month in range(24)]
    wins += [
        (member, month, int(chance.integers(80, 121)))
        for member in _GROUP
        for month in (1, 4, 7, 10)
    ]
    wins += [(_NEGATIVE, -5, 900_000), (_NEGATIVE, 2, 450_000), (_NEGATIVE, 7, -610_000)]
    wins += [(_SWINGING, month, 300_000) for month in range(12)]
    wins += [(_SWINGING, 4, -512_345), (_SWINGING, 9, -420_050)]
    wins += [(_NEW, 10, 250_000), (_NEW, 11, 120_000), (_DORMANT, -9, 700_000)]
    account, month, cents = (np.array(column) for column in zip(*wins, strict=True))
    days = np.array([_tenth(int(number)) for number in month])
    age = np.where(account == _NEW, 12, chance.integers(30, 150, size=len(wins)))
    return _Deals(
        account=account,
        status=np.full(len(wins), _WON),
        cents=cents,
        has_amount=np.ones(len(wins), dtype=np.int64),
        closes=days + chance.integers(0, 10, size=len(wins)),
        created=days - age,
    )


def _ordinary(chance: np.random.Generator, accounts: int, count: int) -> _Deals:
    """The deals of all others: a heavy tail over two years; some accounts sell nothing."""
    selling = accounts - accounts // 25 - _FIRST_SELLING
    pull = np.cumsum(chance.lognormal(0.0, 1.0, selling))
    account = _FIRST_SELLING + np.searchsorted(pull, chance.random(count) * pull[-1])
    status = np.searchsorted((0.46, 0.74), chance.random(count))
    closed = chance.integers(-400, _LAST_DAY + 1, size=count)
    ahead = chance.integers(_LAST_DAY - 60, _LAST_DAY + 240, size=count)
    opened = chance.integers(_LAST_DAY - 250, _LAST_DAY - 60, size=count)
    is_open = status == _OPEN
    return _Deals(
        account=account,
        status=status,
        cents=chance.lognormal(8.6, 0.9, count).round(-1).astype(np.int64) * 100,
        has_amount=np.ones(count, dtype=np.int64),
        closes=np.where(is_open, ahead, closed),
        created=np.where(is_open, opened, closed - chance.integers(5, 200, size=count)),
    )


def _soil(deals: _Deals) -> None:
    """Make some deals as dirty as real ones: no account, no amount, zero, closed later."""
    won, lost, opened = (np.flatnonzero(deals.status == code) for code in range(3))
    deals.account[lost[5::120]] = -1
    deals.account[opened[3::40]] = -1
    deals.has_amount[opened[7::25]] = 0
    deals.cents[lost[2::9]] = 0
    deals.cents[won[4::150]] = 0
    late = np.concatenate([won[11::400], lost[17::300]])
    deals.closes[late] = _LAST_DAY + 30
    deals.created[late] = _LAST_DAY - 45


def _scale(planted: _Deals, ordinary: _Deals) -> None:
    """Give the giant and the group their shares of all that was won, to the cent."""
    giant = planted.account == _GIANT
    group = np.isin(planted.account, list(_GROUP))
    rest = int(planted.cents[planted.revenue() & ~giant & ~group].sum())
    rest += int(ordinary.cents[ordinary.revenue()].sum())
    for rows, share in ((giant, _GIANT_SHARE), (group, _GROUP_SHARE)):
        total = rest * share // (100 - _GIANT_SHARE - _GROUP_SHARE)
        weights = planted.cents[rows]
        cents = total * (weights / weights.sum()) // 1_000 * 1_000
        cents[-1] += total - cents.sum()
        planted.cents[rows] = cents.astype(np.int64)


def _ids(letter: str, positions: NDArray[np.int64]) -> pa.Array:
    """Ids such as A0000012; a position below zero has none."""
    numbers = pa.array(positions, mask=positions < 0).cast(pa.string())
    padded = pc.utf8_lpad(numbers, 7, "0")
    return pc.binary_join_element_wise(letter, padded, "")


def _pick(values: Sequence[object], positions: NDArray[np.int64]) -> pa.Array:
    return pa.array(values).take(pa.array(positions))


def _draw(chance: np.random.Generator, values: Sequence[object], count: int) -> pa.Array:
    return _pick(values, chance.integers(0, len(values), size=count))


def _days(days: NDArray[np.int64], known: NDArray[np.bool_] | None = None) -> pa.Array:
    since_epoch = (days + _EPOCH).astype(np.int32)
    return pa.array(since_epoch, mask=None if known is None else ~known).cast(pa.date32())


def _owner(count: int) -> pa.Table:
    numbers = np.arange(count)
    firsts, lasts = _names.FIRST_NAMES, _names.LAST_NAMES
    first = _pick(firsts, numbers * 7 % len(firsts))
    last = _pick(lasts, (numbers + numbers // len(firsts)) % len(lasts))
    return pa.table(
        {
            "owner_id": _ids("U", numbers),
            "name": pc.binary_join_element_wise(first, last, " "),
            "is_active": pa.array(numbers % 6 != 5),
        }
    )


def _account(chance: np.random.Generator, count: int, owner: pa.Table) -> pa.Table:
    numbers = np.arange(count)
    name, domain = _account_names(chance, count)
    people = np.maximum(chance.lognormal(4.5, 1.3, count), 1).astype(np.int64)
    created = chance.integers(-4_500, -800, size=count)
    created[_NEW] = _tenth(9)
    return pa.table(
        {
            "account_id": _ids("A", numbers),
            "name": name,
            "parent_id": _ids("A", _parents(chance, count)),
            "owner_id": _draw(chance, owner["owner_id"].to_pylist(), count),
            "segment": _draw(chance, _names.SEGMENTS, count),
            "country": _draw(chance, _names.COUNTRIES, count),
            "domain": domain,
            "account_turnover": pa.array(
                (people * chance.integers(80, 260, size=count) * 1_000).astype(np.float64),
                mask=chance.random(count) < 0.1,
            ),
            "employee_count": pa.array(people, mask=chance.random(count) < 0.1),
            "created_on": _days(created),
        }
    )


def _parents(chance: np.random.Generator, count: int) -> NDArray[np.int64]:
    """One account in twelve has an older parent; the group and the loop are planted."""
    numbers = np.arange(count)
    older = _FIRST_ORDINARY + (chance.random(count) * (numbers - _FIRST_ORDINARY)).astype(
        np.int64
    )
    may = (numbers > _FIRST_ORDINARY) & (chance.random(count) < 1 / 12)
    parents = np.where(may, older, -1)
    for member, parent in _GROUP.items():
        parents[member] = -1 if parent is None else parent
    parents[list(_LOOP)] = _LOOP[::-1]
    return parents


def _account_names(chance: np.random.Generator, count: int) -> tuple[pa.Array, pa.Array]:
    """Names and domains. A name may come twice; a domain never does."""
    stem, ending = (_draw(chance, w, count) for w in (_names.STEMS, _names.ENDINGS))
    place = pc.binary_join_element_wise(stem, ending, "")
    trade, form = (_draw(chance, w, count) for w in (_names.TRADES, _names.FORMS))
    name = pc.binary_join_element_wise(place, trade, form, " ")
    number = pa.array(np.arange(count)).cast(pa.string())
    domain = pc.binary_join_element_wise(pc.utf8_lower(place), number, ".example", "")
    foreign = np.flatnonzero(chance.random(count) < 0.04)
    foreign = foreign[foreign >= _FIRST_ORDINARY]
    special = {int(i): _names.FOREIGN[n % len(_names.FOREIGN)] for n, i in enumerate(foreign)}
    special |= dict(zip(_HOSTILE, _names.HOSTILE, strict=True))
    special |= dict.fromkeys(_TWINS, "Twin Rivers Foods Ltd")
    is_special = np.isin(np.arange(count), list(special))
    spoken = pa.array([special[i] for i in sorted(special)])
    has_domain = pa.array(~is_special | np.isin(np.arange(count), _TWINS))
    name = pc.replace_with_mask(name, pa.array(is_special), spoken)
    return name, pc.if_else(has_domain, domain, pa.scalar(None, pa.string()))


def _opportunity(
    chance: np.random.Generator, deals: _Deals, account: pa.Table, owner: pa.Table
) -> pa.Table:
    count = len(deals.account)
    is_open = deals.status == _OPEN
    stages = np.where(is_open, chance.integers(0, 4, size=count), 4 + deals.status)
    held = pa.array(deals.account, mask=deals.account < 0)
    names = account["name"].combine_chunks().take(held)
    subject = _draw(chance, _names.SUBJECTS, count)
    title = pc.binary_join_element_wise(names, subject, ": ", null_handling="skip")
    seconds = (deals.created + _EPOCH) * 86_400 + chance.integers(25_200, 64_800, size=count)
    return pa.table(
        {
            "opportunity_id": _ids("O", np.arange(count)),
            "account_id": _ids("A", deals.account),
            "name": title,
            "owner_id": _draw(chance, owner["owner_id"].to_pylist(), count),
            "pipeline": _pick(["default"], np.zeros(count, dtype=np.int64)),
            "stage": _pick([stage[0] for stage in _STAGES], stages),
            "status": _pick(_STATUSES, deals.status),
            "amount": pa.array(deals.cents / 100, mask=deals.has_amount == 0),
            "created_at": pa.array(seconds * 1_000_000, pa.timestamp("us", "UTC")),
            "closed_on": _days(deals.closes, ~is_open),
            "expected_close_on": _days(deals.closes, is_open),
            "probability": _pick([stage[3] for stage in _STAGES], stages),
            "source": _draw(chance, _SOURCES, count),
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


def _truths(deals: _Deals, tables: Mapping[TableName, pa.Table]) -> dict[str, Any]:
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
        "as_of": _AS_OF,
        "currency": "EUR",
        "period_start": _START,
        "period_end": date(2026, 7, 1),
        "won_revenue": total / 100,
        "giant": name(_GIANT)[0],
        "giant_share": won(_GIANT) / total,
        "group_root": name(min(_GROUP))[0],
        "group": name(*_GROUP),
        "group_share": won(*_GROUP) / total,
        "negative": name(_NEGATIVE)[0],
        "negative_revenue": won(_NEGATIVE) / 100,
        "swinging": name(_SWINGING)[0],
        "negative_months": ["2025-11", "2026-04"],
        "new": name(_NEW)[0],
        "dormant": name(_DORMANT)[0],
        "loop": name(*_LOOP),
        "twins": name(*_TWINS),
        "hostile": dict(zip(_names.HOSTILE, name(*_HOSTILE), strict=True)),
        "without_account": int((deals.account < 0).sum()),
        "without_amount": int((~known).sum()),
        "zero_amount": int(((deals.cents == 0) & known).sum()),
        "closed_later": int(((deals.status != _OPEN) & (deals.closes > _LAST_DAY)).sum()),
        "inactive_owners": owner["owner_id"].filter(pc.invert(owner["is_active"])).to_pylist(),
    }
