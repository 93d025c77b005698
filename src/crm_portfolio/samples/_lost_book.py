"""What does a CRM say of sales whose true stories are known?

People behave as people do, and write it down as people do; what was true of each sale is
kept apart, to hold against what an analysis makes of the records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.errors import SettingsError
from crm_portfolio.samples import (
    _accounts,
    _columns,
    _courses,
    _deals,
    _enquiries,
    _records,
    _slips,
    _workdays,
)
from crm_portfolio.samples._book import Book
from crm_portfolio.samples._courses import Contacts, Sales
from crm_portfolio.samples._stories import STORIES, told

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from crm_portfolio.schema import TableName

__all__ = ["lost_book"]

_FEWEST: Final = 1_000
_MOST_NOISE: Final = 0.5
_CARELESS: Final = 10  # one owner in so many logs next to nothing,
_UNLOGGED: Final = 0.88  # this part of all sales not at all


def lost_book(
    *, opportunities: int = 8_000, noise: float = 0.05, seed: int = 2026
) -> Book:
    """Draw sales of a year, most of them decided, and tell which story each one had.

    Tables: account, opportunity, opportunity_change, activity, enquiry, stage, owner. The
    truths, besides ``as_of``, ``currency``, ``time_zone`` and ``holidays``:

    - ``lost``: a table of one row per lost opportunity, and per enquiry that became none:
      ``record_id``, ``record``, ``class``, ``story``, ``owner_id`` (who had it when it
      happened), ``refused_on`` (they said no, and asked not to be asked again) and
      ``attempt_count`` (how often we wrote to them after the loss).
    - ``refused``: the opportunities among them with a refusal; ``left_in_peace``: the
      accounts that asked not to be contacted.
    - ``won_back``: the opportunities that were lost, opened again after an attempt, and won.
    - ``careless_owners``: who logs next to nothing, so that nobody can judge their sales.
    - ``duplicates``: the opportunities that were entered once more; the second entry has
      ``D`` for ``O`` in its id, and no story.

    The class is that of the story, whatever was written down. Noise spoils records, never
    a refusal: what nobody wrote down nobody can respect.

    Args:
        opportunities: At least 1,000; duplicates come on top of it.
        noise: The part of records on which someone slipped, from 0 to 0.5.
        seed: The same seed gives the same book.
    """
    if opportunities < _FEWEST or not 0 <= noise <= _MOST_NOISE:
        raise SettingsError(
            f"a book of lost sales needs at least {_FEWEST:,} opportunities and a noise "
            f"from 0 to {_MOST_NOISE}"
        )
    chance = np.random.default_rng(seed)
    owner = _accounts.owners(max(10, min(60, opportunities // 400)))
    account = _accounts.accounts(chance, max(40, opportunities // 5), owner)
    account = _asked_for_peace(chance, account)
    sales, contacts = _courses.drawn(
        chance, opportunities, accounts=len(account), owners=len(owner)
    )
    careless = np.arange(len(owner)) % _CARELESS == _CARELESS // 2
    is_careless = careless[sales.owner]
    unlogged = is_careless & (chance.random(opportunities) < _UNLOGGED)
    owners = _handed_over(chance, sales, np.flatnonzero(~careless))
    opportunity = _records.opportunity(chance, sales, owners, account, noise)
    doubles = _doubles(chance, sales, noise)
    again = _records.entered_twice(chance, opportunity, doubles)
    enquiry, asked = _enquiries.drawn(
        chance, sales, opportunities // 4, len(owner), noise
    )
    log = _slips.logged(chance, contacts, unlogged, noise)
    tables: dict[TableName, pa.Table] = {
        "account": account,
        "opportunity": pa.concat_tables([opportunity, again]),
        "opportunity_change": _records.change(chance, sales, owners, noise),
        "activity": _records.activity(log, sales),
        "enquiry": enquiry,
        "stage": _records.stage(),
        "owner": owner,
    }
    lost = pa.concat_tables([_lost(sales, contacts, is_careless), asked])
    known = {
        "careless_owners": owner["owner_id"].filter(pa.array(careless)),
        "duplicates": _columns.ids("O", doubles),
        "won_back": _columns.ids("O", np.flatnonzero(sales.reopened >= 0)),
    }
    return Book(tables=tables, truths=_truths(lost, account) | known)


def _truths(lost: pa.Table, account: pa.Table) -> dict[str, Any]:
    refused, silent = lost["refused_on"], account["do_not_contact_on"]
    return {
        "as_of": _deals.AS_OF,
        "currency": "EUR",
        "time_zone": _workdays.TIME_ZONE,
        "holidays": _workdays.HOLIDAYS,
        "lost": lost,
        "refused": lost["record_id"].filter(pc.is_valid(refused)),
        "left_in_peace": account["account_id"].filter(pc.is_valid(silent)),
    }


def _asked_for_peace(chance: np.random.Generator, account: pa.Table) -> pa.Table:
    """One account in sixty has asked not to be contacted."""
    count = len(account)
    asks = chance.random(count) < 1 / 60
    since = chance.integers(0, _deals.LAST_DAY, size=count)
    return account.append_column("do_not_contact_on", _columns.days(since, asks))


def _handed_over(
    chance: np.random.Generator, sales: Sales, careful: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The owners on record; some took over what had long been left lying."""
    lying = [at for at, each in enumerate(STORIES) if each.step == "overdue"]
    passed = np.isin(sales.story, lying) & (chance.random(len(sales.owner)) < 0.15)
    passed &= np.isin(sales.owner, careful)
    return np.where(passed, chance.choice(careful, size=len(passed)), sales.owner)


def _doubles(
    chance: np.random.Generator, sales: Sales, noise: float
) -> NDArray[np.int64]:
    """Which sales someone else entered once more."""
    twice = _slips.happens(chance, noise / 2, len(sales.story))
    is_over = told("truth", sales.story) != "open"
    return np.flatnonzero(twice & is_over & (sales.closed < _deals.LAST_DAY - 10))


def _lost(sales: Sales, contacts: Contacts, is_careless: NDArray[np.bool_]) -> pa.Table:
    """What was true of each lost opportunity."""
    rows = np.flatnonzero(sales.lost)
    later = contacts.is_ours & (
        contacts.moment >= (sales.closed[contacts.sale] + 60) * _workdays.DAY
    )
    attempts = np.bincount(contacts.sale[later], minlength=len(sales.story))
    truth = told("truth", sales.story).astype(object)
    truth[is_careless] = "data_insufficient"
    return pa.table(
        {
            "record_id": _columns.ids("O", rows),
            "record": _columns.pick(["opportunity"], np.zeros(len(rows), np.int64)),
            "class": pa.array(truth[rows], pa.string()),
            "story": pa.array(told("name", sales.story)[rows]),
            "owner_id": _columns.ids("U", sales.owner[rows]),
            "refused_on": _columns.days(sales.refused[rows], sales.refused[rows] >= 0),
            "attempt_count": pa.array(attempts[rows]),
        }
    )
