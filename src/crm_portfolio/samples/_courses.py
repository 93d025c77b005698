"""What happened in each sale, contact by contact, whoever wrote it down?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from crm_portfolio.samples import _deals, _workdays
from crm_portfolio.samples._stories import NOT_LOST, STORIES, told

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["KINDS", "Contacts", "Sales", "drawn"]

KINDS: Final = ("mail", "call", "meeting", "automatic reply")
HELD, CANCELLED, PLANNED = 0, 1, 2
_AUTOMATIC: Final = 3
_LAST_START: Final = _deals.LAST_DAY - 4
_LONG_BEFORE: Final = 210  # days: time enough to try again, and to win
_PACE: Final = 1.3 * _workdays.MINUTES  # half the working time between two contacts


@attrs.define(eq=False)
class Sales:
    """What is true of each sale; days and minutes count from the period's first."""

    story: NDArray[np.int64]
    account: NDArray[np.int64]
    owner: NDArray[np.int64]
    created: NDArray[np.int64]  # minute
    last: NDArray[np.int64]  # minute of the last contact, or of its entry
    closed: NDArray[np.int64]  # day
    reached: NDArray[np.int64]  # stage
    cents: NDArray[np.int64]
    is_swept: NDArray[np.bool_]
    refused: NDArray[np.int64]  # day, -1: never
    first_lost: NDArray[np.int64]  # day, where it was won back
    reopened: NDArray[np.int64]  # minute, -1: never

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Which were lost, whyever."""
        found: NDArray[np.bool_] = ~np.isin(told("truth", self.story), NOT_LOST)
        return found


@attrs.define(eq=False)
class Contacts:
    """Messages, calls and meetings as they were, none forgotten."""

    sale: NDArray[np.int64]
    moment: NDArray[np.int64]
    is_ours: NDArray[np.bool_]
    kind: NDArray[np.int64]
    status: NDArray[np.int64]


def _happens(
    chance: np.random.Generator, name: str, story: NDArray[np.int64]
) -> NDArray[np.bool_]:
    happens: NDArray[np.bool_] = chance.random(len(story)) < told(name, story)
    return happens


def _between(
    chance: np.random.Generator, name: str, story: NDArray[np.int64]
) -> NDArray[np.int64]:
    ends = told(name, story)
    return chance.integers(ends[:, 0], ends[:, 1] + 1)


def drawn(
    chance: np.random.Generator, count: int, *, accounts: int, owners: int
) -> tuple[Sales, Contacts]:
    """So many sales, and all that was said in them."""
    weights = np.array([each.weight for each in STORIES], dtype=np.float64)
    story = chance.choice(len(STORIES), size=count, p=weights / weights.sum())
    asked = _happens(chance, "asked", story) & told("has_contacts", story)
    sale, clock, is_ours = _talks(chance, story, asked)
    rest = _between(chance, "rest_days", story)
    ends = _ends(chance, story)
    length = np.zeros(count, dtype=np.int64)
    np.maximum.at(length, sale, clock)
    start = _workdays.worked(ends - rest) - length
    start += chance.integers(0, _workdays.MINUTES, size=count)
    created, start = _arrivals(chance, asked, start)
    moment = _moments(chance, start[sale] + clock, is_ours)
    first = np.flatnonzero(np.diff(sale, prepend=-1)) if len(sale) else sale
    came = asked[sale[first]]
    moment[first[came]] = created[sale[first[came]]]
    last = created.copy()
    np.maximum.at(last, sale, moment)
    closed = last // _workdays.DAY + rest
    refuses = _happens(chance, "refuses", story)
    refused = np.minimum(closed + chance.integers(0, 8, size=count), _deals.LAST_DAY)
    sizes = told("size", story)
    sales = Sales(
        story=story,
        account=chance.integers(0, accounts, size=count),
        owner=chance.integers(0, owners, size=count),
        created=created,
        last=last,
        closed=closed,
        reached=_reached(chance, story),
        cents=_cents(chance.lognormal(sizes[:, 0], sizes[:, 1])),
        is_swept=_happens(chance, "swept", story),
        refused=np.where(refuses, refused, -1),
        first_lost=closed,
        reopened=np.full(count, -1),
    )
    kind = _kinds(chance, sale, is_ours, story)
    held = np.full(len(sale), HELD)
    talks = Contacts(sale, moment, is_ours, kind, held)
    besides = _besides(chance, sales, asked)
    return sales, _joined(talks, *besides, *_won_back(chance, sales))


def _ends(chance: np.random.Generator, story: NDArray[np.int64]) -> NDArray[np.int64]:
    """The day near which each sale ends, or was lost first."""
    ends = chance.integers(3, _LAST_START, size=len(story))
    ends = np.where(told("is_won_back", story), ends - _LONG_BEFORE, ends)
    ends[told("truth", story) == "open"] = _LAST_START
    return ends


def _cents(amounts: NDArray[np.float64]) -> NDArray[np.int64]:
    return amounts.round(-1).astype(np.int64) * 100


def _reached(
    chance: np.random.Generator, story: NDArray[np.int64]
) -> NDArray[np.int64]:
    shares = np.cumsum(told("reached", story), axis=1)
    passed = (chance.random(len(story))[:, None] >= shares).sum(axis=1)
    reached: NDArray[np.int64] = np.minimum(passed, shares.shape[1] - 1)
    return reached


def _talks(
    chance: np.random.Generator, story: NDArray[np.int64], asked: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Whose sale each contact is, the work done between, and whether it is ours."""
    answers = [each.answer_hours for each in STORIES]
    is_answered = np.array([hours is not None for hours in answers])[story]
    is_answered &= told("has_contacts", story)
    reminders = np.where(is_answered, 0, chance.binomial(2, 0.4, size=len(story)))
    before = np.where(asked, 1 + reminders, 0)
    later = np.where(is_answered, _between(chance, "later", story), 0)
    echoes = _happens(chance, "echo", story) & is_answered
    counts = before + is_answered + later + echoes
    sale = np.repeat(np.arange(len(story)), counts)
    begins = np.cumsum(counts) - counts
    place = np.arange(len(sale)) - begins[sale]
    since = place - before[sale]  # 0: our answer
    is_echo = echoes[sale] & (place == counts[sale] - 1)
    replies = told("replies", story)[sale]
    is_reply = (chance.random(len(sale)) < replies) | ((since == 1) & (replies > 0))
    is_theirs = (since < 0) | (is_reply & (since > 0)) | is_echo
    gap = chance.gamma(2.0, _PACE, size=len(sale))
    hours = np.array([each or (8.0, 0.0) for each in answers])[story[sale]]
    answer = 60 * hours[:, 0] * np.exp(chance.normal(size=len(sale)) * hours[:, 1])
    gap = np.where(
        since == 0, np.clip(answer, 24 * hours[:, 0], 300 * hours[:, 0]), gap
    )
    gap = np.where(place == 0, chance.integers(5, 200, size=len(sale)), gap)
    gap = np.where(is_echo, chance.uniform(8, 16, len(sale)) * _workdays.MINUTES, gap)
    clock = np.cumsum(gap.astype(np.int64))
    clock -= np.repeat(
        (clock - gap.astype(np.int64))[begins[counts > 0]], counts[counts > 0]
    )
    return sale, clock, ~is_theirs


def _arrivals(
    chance: np.random.Generator, asked: NDArray[np.bool_], start: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """When each sale began; people write at night, and more so at weekends."""
    hour = chance.random(len(start))
    is_night, is_weekend = asked & (hour < 0.55), asked & (hour < 0.3)
    morning = start // _workdays.MINUTES * _workdays.MINUTES
    start = np.where(is_night, morning, start)
    start = np.where(is_weekend, _workdays.after_rest(start), start)
    night = _workdays.night_before(chance, start)
    return np.where(is_night, night, _workdays.at(start)), start


def _kinds(
    chance: np.random.Generator,
    sale: NDArray[np.int64],
    is_ours: NDArray[np.bool_],
    story: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Mails, calls and meetings; nobody meets those who never came back to us."""
    drawn = np.searchsorted((0.6, 0.88), chance.random(len(sale)))
    first_ours = np.full(len(story), len(sale))
    place = np.arange(len(sale))
    np.minimum.at(first_ours, sale[is_ours], place[is_ours])
    talks = (told("replies", story)[sale] > 0) & (place > first_ours[sale])
    kinds: NDArray[np.int64] = np.where(talks, drawn, drawn % 2)
    return kinds


def _moments(
    chance: np.random.Generator, worked: NDArray[np.int64], is_ours: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """We write while we work, they also in the evening."""
    evening = ~is_ours & (chance.random(len(worked)) < 0.25)
    return _workdays.at(worked) + evening * chance.integers(0, 200, size=len(worked))


def _besides(
    chance: np.random.Generator, sales: Sales, asked: NDArray[np.bool_]
) -> list[Contacts]:
    """What is no conversation: automatic replies, plans, circulars, later attempts."""
    size = len(sales.story)
    truth = told("truth", sales.story)
    automatic = np.flatnonzero(asked & (chance.random(size) < 0.4))
    replied = sales.created[automatic] + chance.integers(0, 2, size=len(automatic))
    ignored = np.isin(truth, ("missed_unseen", "missed_late"))
    plans = np.flatnonzero(ignored & (chance.random(size) < 0.15))
    span = np.maximum(sales.closed[plans] * _workdays.DAY - sales.created[plans], 1)
    planned = sales.created[plans] + (chance.random(len(plans)) * span).astype(np.int64)
    circular = np.flatnonzero((truth == "missed_unseen") & (chance.random(size) < 0.2))
    sent = sales.closed[circular] + chance.integers(12, 40, size=len(circular))
    return [
        _ours(automatic, replied, _AUTOMATIC),
        _ours(plans, planned, 2, chance.integers(CANCELLED, PLANNED + 1, len(plans))),
        _ours(circular, _at_work(chance, sent), 0),
        *_attempts(chance, sales),
    ]


def _attempts(chance: np.random.Generator, sales: Sales) -> list[Contacts]:
    """Up to three attempts after a loss, further and further apart; some are answered."""
    again = _happens(chance, "tried_again", sales.story) & (sales.refused < 0)
    trying = np.flatnonzero(again)
    day = sales.closed[trying] + 95
    found: list[Contacts] = []
    for number in range(3):
        day = day + number * 30 + chance.integers(0, 20, size=len(trying))
        moment = _at_work(chance, day)
        found.append(_ours(trying, moment, number % 2))
        answered = chance.random(len(trying)) < 0.3
        answer = _ours(trying[answered], moment[answered] + 1_500, 0)
        answer.is_ours[:] = False
        found.append(answer)
        goes_on = ~answered & (chance.random(len(trying)) < 0.5)
        trying, day = trying[goes_on], day[goes_on]
    return found


def _won_back(chance: np.random.Generator, sales: Sales) -> list[Contacts]:
    """The attempt they answered, the talks after it, and the day it was won after all."""
    back = np.flatnonzero(told("is_won_back", sales.story))
    size = len(back)
    tried = _at_work(chance, sales.closed[back] + chance.integers(92, 115, size=size))
    talks = [_ours(back, tried, 1)]
    day = tried // _workdays.DAY
    for number in range(1, 6):
        talks.append(_ours(back, _at_work(chance, day + 4 * number), 0))
        talks[-1].is_ours[:] = number % 2 == 0
    sales.reopened[back] = tried + 5 * _workdays.DAY
    won = day + 20 + chance.integers(0, 30, size=size)
    sales.closed = sales.closed.copy()
    sales.closed[back] = won
    return talks


def _at_work(chance: np.random.Generator, days: NDArray[np.int64]) -> NDArray[np.int64]:
    return _workdays.at(
        _workdays.worked(days) + chance.integers(0, _workdays.MINUTES, size=len(days))
    )


def _ours(
    sale: NDArray[np.int64],
    moment: NDArray[np.int64],
    kind: int,
    status: NDArray[np.int64] | None = None,
) -> Contacts:
    count = len(sale)
    held = np.full(count, HELD) if status is None else status
    return Contacts(
        sale, moment, np.ones(count, dtype=np.bool_), np.full(count, kind), held
    )


def _joined(*parts: Contacts) -> Contacts:
    """All of them that had taken place by the last day known."""
    columns = zip(*(attrs.astuple(p, recurse=False) for p in parts), strict=True)
    sale, moment, ours, kind, status = (np.concatenate(c) for c in columns)
    kept = moment < (_deals.LAST_DAY + 1) * _workdays.DAY
    return Contacts(sale[kept], moment[kept], ours[kept], kind[kept], status[kept])
