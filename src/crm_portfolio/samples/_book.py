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
from crm_portfolio.samples import _deals, _names
from crm_portfolio.samples._deals import Deals, drawn, tenth

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    owner = _owner(max(8, min(60, accounts // 25)))
    account = _account(chance, accounts, owner)
    tables: dict[TableName, pa.Table] = {
        "account": account,
        "opportunity": _opportunity(chance, deals, account, owner),
        "stage": _stage(),
        "owner": owner,
    }
    return Book(tables=tables, truths=_truths(deals, tables))


def _ids(letter: str, positions: NDArray[np.int64]) -> pa.Array:
    """Ids such as A0000012; a position below zero has none."""
    numbers = pa.array(positions, mask=positions < 0).cast(pa.string())
    padded = pc.utf8_lpad(numbers, 7, "0")
    return pc.binary_join_element_wise(letter, padded, "")


def _pick(values: Sequence[object], positions: NDArray[np.int64]) -> pa.Array:
    return pa.array(values).take(pa.array(positions))


def _draw(
    chance: np.random.Generator, values: Sequence[object], count: int
) -> pa.Array:
    return _pick(values, chance.integers(0, len(values), size=count))


def _days(days: NDArray[np.int64], known: NDArray[np.bool_] | None = None) -> pa.Array:
    since_epoch = (days + _deals.EPOCH).astype(np.int32)
    return pa.array(since_epoch, mask=None if known is None else ~known).cast(
        pa.date32()
    )


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
    created[_deals.NEW] = tenth(9)
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
                (people * chance.integers(80, 260, size=count) * 1_000).astype(
                    np.float64
                ),
                mask=chance.random(count) < 0.1,
            ),
            "employee_count": pa.array(people, mask=chance.random(count) < 0.1),
            "created_on": _days(created),
        }
    )


def _parents(chance: np.random.Generator, count: int) -> NDArray[np.int64]:
    """One account in twelve has an older parent; the group and the loop are planted."""
    numbers = np.arange(count)
    older = _deals.FIRST_ORDINARY + (
        chance.random(count) * (numbers - _deals.FIRST_ORDINARY)
    ).astype(np.int64)
    may = (numbers > _deals.FIRST_ORDINARY) & (chance.random(count) < 1 / 12)
    parents = np.where(may, older, -1)
    for member, parent in _deals.GROUP.items():
        parents[member] = -1 if parent is None else parent
    parents[list(_deals.LOOP)] = _deals.LOOP[::-1]
    return parents


def _account_names(
    chance: np.random.Generator, count: int
) -> tuple[pa.Array, pa.Array]:
    """Names and domains. A name may come twice; a domain never does."""
    stem, ending = (_draw(chance, w, count) for w in (_names.STEMS, _names.ENDINGS))
    place = pc.binary_join_element_wise(stem, ending, "")
    trade, form = (_draw(chance, w, count) for w in (_names.TRADES, _names.FORMS))
    name = pc.binary_join_element_wise(place, trade, form, " ")
    number = pa.array(np.arange(count)).cast(pa.string())
    domain = pc.binary_join_element_wise(pc.utf8_lower(place), number, ".example", "")
    foreign = np.flatnonzero(chance.random(count) < 0.04)
    foreign = foreign[foreign >= _deals.FIRST_ORDINARY]
    special = {
        int(i): _names.FOREIGN[n % len(_names.FOREIGN)] for n, i in enumerate(foreign)
    }
    special |= dict(zip(_deals.HOSTILE, _names.HOSTILE, strict=True))
    special |= dict.fromkeys(_deals.TWINS, "Twin Rivers Foods Ltd")
    is_special = np.isin(np.arange(count), list(special))
    spoken = pa.array([special[i] for i in sorted(special)])
    has_domain = pa.array(~is_special | np.isin(np.arange(count), _deals.TWINS))
    name = pc.replace_with_mask(name, pa.array(is_special), spoken)
    return name, pc.if_else(has_domain, domain, pa.scalar(None, pa.string()))


def _opportunity(
    chance: np.random.Generator, deals: Deals, account: pa.Table, owner: pa.Table
) -> pa.Table:
    count = len(deals.account)
    is_open = deals.status == _deals.OPEN
    stages = np.where(is_open, chance.integers(0, 4, size=count), 4 + deals.status)
    held = pa.array(deals.account, mask=deals.account < 0)
    names = account["name"].combine_chunks().take(held)
    subject = _draw(chance, _names.SUBJECTS, count)
    title = pc.binary_join_element_wise(names, subject, ": ", null_handling="skip")
    seconds = (deals.created + _deals.EPOCH) * 86_400 + chance.integers(
        25_200, 64_800, size=count
    )
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
