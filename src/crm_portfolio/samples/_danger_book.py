"""What do the books say of accounts that hurt, and of those that do not?

People buy, pay and complain as people do, and clerks write it down; who is slow to pay,
costs more than it brings, or has left is kept apart, to hold against what is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import pyarrow as pa

from crm_portfolio.errors import SettingsError
from crm_portfolio.samples import _accounts, _columns, _deals
from crm_portfolio.samples._book import Book

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from crm_portfolio.schema import TableName

    Numbers = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

__all__ = ["danger_book"]

_FEWEST: Final = 100
_MOST_NOISE: Final = 0.5
_FIRST_DAY: Final = _deals.LAST_DAY - 4 * 365
_A_YEAR: Final = 365
_HOUR: Final = 60.0  # what an hour of ours costs
_SOURED: Final = 150  # days in which who is leaving orders less, and complains
_TERM: Final = 30  # days to pay
_MISSED: Final = 4  # orders of its own after which anybody would notice


@attrs.frozen(eq=False)
class _Lives:
    """How each account is: drawn before anything is bought."""

    began: Numbers
    left: Numbers  # beyond the last day where it has not
    gap: Floats
    size: Floats
    holds_back: Flags
    is_demanding: Flags
    is_seasonal: Flags

    @property
    def has_left(self) -> Flags:
        left: Flags = self.left <= _deals.LAST_DAY
        return left


@attrs.frozen(eq=False)
class _Orders:
    """What was bought: account, day, list price, and what it took, in cents and minutes."""

    account: Numbers
    day: Numbers
    cents: Numbers
    cost: Numbers
    minutes: Numbers


def danger_book(*, accounts: int = 800, noise: float = 0.05, seed: int = 2026) -> Book:
    """Draw four years of orders, payments, hours and complaints, and tell who hurts.

    Tables: account, owner, revenue_line, invoice, effort, capacity, activity, ticket.

    An account orders when its stock runs low: about every so many days of its own, one in
    ten only from March to October. Nine in ten pay in the weekly run around the due day,
    now and then a bill is forgotten; the others hold money back as a habit, and one bill in
    25 is contested by anyone. One in eight haggles, and wants to be served all the time.
    One in ten leaves in a year: its last five months are sour, with fewer orders and
    more complaints, and then it orders nowhere near its rhythm any more: nothing.

    The truths, besides ``as_of`` and ``currency``:

    - ``late_payers``: who holds money back and had bills to pay in the last twelve months.
    - ``loss_making``: who brought less in them than its goods and hours really cost.
    - ``departures``: a table of ``account_id`` and ``left_on`` of all who left.
    - ``silent``: who left in them and has missed four orders of its own since.

    Noise spoils records, not what happened: a payment is only booked when the month is
    reconciled, a bill has no due day, a line is missing or entered days later, hours are
    noted on another account or not at all, and who left gets a last bill.

    Args:
        accounts: At least 100.
        noise: The part of records on which someone slipped, from 0 to 0.5.
        seed: The same seed gives the same book.
    """
    if accounts < _FEWEST or not 0 <= noise <= _MOST_NOISE:
        raise SettingsError(
            f"a book of dangers needs at least {_FEWEST} accounts and a noise from 0 "
            f"to {_MOST_NOISE}"
        )
    chance = np.random.default_rng(seed)
    owner = _accounts.owners(max(8, min(60, accounts // 25)))
    account = _accounts.accounts(chance, accounts, owner)
    lives = _lived(chance, accounts)
    orders = _ordered(chance, lives)
    tables: dict[TableName, pa.Table] = {
        "account": account,
        "revenue_line": _lines(chance, orders, lives, noise),
        "invoice": _invoices(chance, orders, lives, noise),
        "effort": _effort(chance, orders, noise),
        "capacity": _capacity(orders),
        "activity": _activity(chance, orders),
        "ticket": _tickets(chance, orders, lives),
        "owner": owner,
    }
    return Book(tables=tables, truths=_truths(lives, orders))


def _lived(chance: np.random.Generator, count: int) -> _Lives:
    is_old = chance.random(count) < 0.7
    later = chance.integers(_FIRST_DAY, _deals.LAST_DAY - 200, size=count)
    first = _FIRST_DAY + chance.integers(0, 40, size=count)
    began = np.where(is_old, first, later)
    stays = chance.exponential(9.5 * _A_YEAR, count) + _SOURED
    return _Lives(
        began=began,
        left=began + stays.astype(np.int64),
        gap=np.clip(chance.lognormal(np.log(20), 0.5, count), 7, 60),
        size=np.clip(chance.lognormal(np.log(900), 0.7, count), 150, 20_000),
        holds_back=chance.random(count) < 0.1,
        is_demanding=chance.random(count) < 0.125,
        is_seasonal=chance.random(count) < 0.1,
    )


def _ordered(chance: np.random.Generator, lives: _Lives) -> _Orders:
    most = int(2 * (_deals.LAST_DAY - _FIRST_DAY) / lives.gap.min())
    waits = lives.gap[:, None] * chance.lognormal(0.0, 0.35, (lives.gap.size, most))
    day = (lives.began[:, None] + np.cumsum(waits, axis=1)).astype(np.int64)
    owner, at = np.nonzero(day <= np.minimum(lives.left, _deals.LAST_DAY)[:, None])
    day = day[owner, at]
    sour = np.clip(1 - (lives.left[owner] - day) / _SOURED, 0.0, 1.0)
    is_kept = chance.random(day.size) > 0.65 * sour
    month = (day + _deals.EPOCH).astype("datetime64[D]").astype("datetime64[M]")
    month = month.astype(np.int64) % 12 + 1
    is_kept &= ~lives.is_seasonal[owner] | ((month >= 3) & (month <= 10))
    owner, day = owner[is_kept], day[is_kept]
    full = lives.size[owner] * chance.lognormal(0.0, 0.3, day.size)
    haggled = np.where(
        lives.is_demanding[owner], chance.uniform(0.76, 0.88, day.size), 1
    )
    hours = 0.5 + full / 1_100 * chance.uniform(0.5, 1.5, day.size)
    hours *= np.where(lives.is_demanding[owner], chance.uniform(3, 6, day.size), 1)
    share = chance.uniform(0.55, 0.72, lives.gap.size)[owner]
    return _Orders(
        account=owner.astype(np.int64),
        day=day,
        cents=(full * haggled * 100).astype(np.int64),
        cost=(full * share * 100).astype(np.int64),
        minutes=np.maximum(hours * 12, 1).astype(np.int64) * 5,
    )


def _slips(
    chance: np.random.Generator, noise: float, count: int, kinds: int
) -> Numbers:
    """Which slip befalls each record; −1: none."""
    befalls = chance.random(count) < noise
    return np.where(befalls, chance.integers(0, kinds, size=count), -1)


def _lines(
    chance: np.random.Generator, orders: _Orders, lives: _Lives, noise: float
) -> pa.Table:
    slip = _slips(chance, noise, orders.day.size, 2)
    delay = np.where(slip == 0, chance.integers(3, 21, size=slip.size), 0)
    kept = np.flatnonzero(slip != 1)
    # A last bill for what was forgotten, weeks after they left.
    gone = np.flatnonzero(lives.has_left & (chance.random(lives.gap.size) < noise))
    last = np.minimum(lives.left[gone] + chance.integers(10, 60, size=gone.size), _END)
    amount = np.append(orders.cents[kept], np.full(gone.size, 5_000)) / 100
    cost = np.append(orders.cost[kept], np.zeros(gone.size)) / 100
    day = np.append((orders.day + delay)[kept], last)
    return pa.table(
        {
            "line_id": _columns.ids("L", np.arange(day.size)),
            "account_id": _columns.ids("A", np.append(orders.account[kept], gone)),
            "booked_on": _columns.days(np.minimum(day, _END)),
            "amount": pa.array(amount),
            "cost": pa.array(cost),
        }
    )


_END: Final = _deals.LAST_DAY


def _invoices(
    chance: np.random.Generator, orders: _Orders, lives: _Lives, noise: float
) -> pa.Table:
    count = orders.day.size
    due = orders.day + _TERM
    # The weekly run around the due day; now and then a bill lies under another one.
    paid = due + chance.integers(-10, 6, size=count)
    forgotten = chance.random(count) < 0.03
    paid = np.where(forgotten, due + chance.integers(15, 46, size=count), paid)
    held = due + np.clip(chance.lognormal(np.log(38), 0.45, count), 8, 120)
    paid = np.where(lives.holds_back[orders.account], held.astype(np.int64), paid)
    contested = chance.random(count) < 1 / 25
    paid = np.where(contested, due + chance.integers(30, 91, size=count), paid)
    slip = _slips(chance, noise, count, 2)
    paid = paid + np.where(slip == 0, chance.integers(1, 32, size=count), 0)
    return pa.table(
        {
            "invoice_id": _columns.ids("I", np.arange(count)),
            "account_id": _columns.ids("A", orders.account),
            "issued_on": _columns.days(orders.day),
            "due_on": _columns.days(due, slip != 1),
            "paid_on": _columns.days(paid, paid <= _END),
            "amount": pa.array(np.round(orders.cents * 1.2) / 100),
            "is_disputed": pa.array(contested),
        }
    )


def _effort(chance: np.random.Generator, orders: _Orders, noise: float) -> pa.Table:
    slip = _slips(chance, noise, orders.day.size, 2)
    # Hours land on another account one was busy with that day.
    order = np.argsort(orders.day, kind="stable")
    beside = np.empty_like(order)
    beside[order] = np.roll(order, 1)
    owner = np.where(slip == 0, orders.account[beside], orders.account)
    day = np.minimum(orders.day + chance.integers(0, 8, size=slip.size), _END)
    kept = np.flatnonzero(slip != 1)
    return pa.table(
        {
            "account_id": _columns.ids("A", owner[kept]),
            "worked_on": _columns.days(day[kept]),
            "minutes": pa.array(orders.minutes[kept].astype(np.float64)),
            "role": _same("service", kept.size),
        }
    )


def _capacity(orders: _Orders) -> pa.Table:
    """A sixth more hours in each year than were asked for."""
    starts = _END + 1 - _A_YEAR * np.arange(4, 0, -1)
    year = np.clip((orders.day - starts[0]) // _A_YEAR, 0, 3)
    hours = np.bincount(year, weights=orders.minutes, minlength=4) / 60
    return pa.table(
        {
            "role": _same("service", 4),
            "from_on": _columns.days(starts),
            "to_on": _columns.days(starts + _A_YEAR - 1),
            "hours": pa.array(np.round(hours * 7 / 6)),
            "cost_per_hour": pa.array(np.full(4, _HOUR)),
        }
    )


def _activity(chance: np.random.Generator, orders: _Orders) -> pa.Table:
    """A call before an order, and one of ours after it."""
    calls = np.flatnonzero(chance.random(orders.day.size) < 0.8)
    count = calls.size
    ours = chance.random(count) < 0.5
    day = np.where(ours, np.minimum(orders.day[calls] + 3, _END), orders.day[calls])
    return pa.table(
        {
            "activity_id": _columns.ids("V", np.arange(count)),
            "occurred_at": _moments(chance, day),
            "account_id": _columns.ids("A", orders.account[calls]),
            "kind": _same("call", count),
            "direction": _columns.pick(("in", "out"), ours.astype(np.int64)),
        }
    )


def _tickets(chance: np.random.Generator, orders: _Orders, lives: _Lives) -> pa.Table:
    """A complaint for one order in twelve; two or three more before they leave."""
    usual = np.flatnonzero(chance.random(orders.day.size) < 1 / 12)
    leaving = np.repeat(np.flatnonzero(lives.has_left), 4)
    leaving = leaving[chance.random(leaving.size) < 0.65]
    before = lives.left[leaving] - chance.integers(0, _SOURED, size=leaving.size)
    day = np.append(orders.day[usual], before)
    return pa.table(
        {
            "ticket_id": _columns.ids("T", np.arange(day.size)),
            "opened_at": _moments(chance, day),
            "account_id": _columns.ids("A", np.append(orders.account[usual], leaving)),
        }
    )


def _moments(chance: np.random.Generator, day: Numbers) -> pa.Array:
    seconds = (day + _deals.EPOCH) * 86_400 + chance.integers(28_800, 61_200, day.size)
    return pa.array(seconds * 1_000_000, pa.timestamp("us", "UTC"))


def _same(value: str, count: int) -> pa.Array:
    return _columns.pick([value], np.zeros(count, dtype=np.int64))


def _truths(lives: _Lives, orders: _Orders) -> dict[str, Any]:
    count = lives.gap.size
    is_now = orders.day > _END - _A_YEAR
    spent = orders.cost + np.round(orders.minutes / 60 * _HOUR * 100)
    left_over = np.bincount(
        orders.account[is_now], (orders.cents - spent)[is_now], minlength=count
    )
    is_due = orders.day + _TERM > _END - _A_YEAR
    billed = np.bincount(orders.account[is_due], minlength=count) > 0
    went = lives.has_left & (lives.left > _END - _A_YEAR)
    went &= _END - lives.left >= _MISSED * lives.gap
    gone = np.flatnonzero(lives.has_left)
    return {
        "as_of": _deals.AS_OF,
        "currency": "EUR",
        "late_payers": _named(lives.holds_back & billed),
        "loss_making": _named(left_over < 0),
        "silent": _named(went),
        "departures": pa.table(
            {
                "account_id": _columns.ids("A", gone),
                "left_on": _columns.days(lives.left[gone]),
            }
        ),
    }


def _named(which: Flags) -> list[str]:
    ids: list[str] = _columns.ids("A", np.flatnonzero(which)).to_pylist()
    return ids
