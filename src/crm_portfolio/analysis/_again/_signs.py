"""What speaks for another word, and what against it, besides the loss itself?"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame, nw, to_arrow
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio.analysis._again._days import (
    NEVER,
    Days,
    at_ids,
    at_numbers,
    days_at,
    days_in,
    local_days,
)
from crm_portfolio.analysis._facts import (
    Contacts,
    RevenueFacts,
    changes_of,
    fields_told,
    from_above,
    midnight,
    newest,
    outbound_of_sales,
    outbound_since,
    placed,
    seconds_after_losses,
    spans_of_losses,
)
from crm_portfolio.analysis._facts import opted_out as opted_out_above
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.portfolio import Portfolio

__all__ = [
    "News",
    "Seconds",
    "Whose",
    "has_column",
    "numbers",
    "opted_out",
    "pressure",
    "raises",
    "refused_elsewhere",
    "seconds_of",
    "silent",
    "told_by_people",
]

_TEXT, _DAY = pa.string(), pa.date32()
_NUMERAL: Final = r"^-?\d{1,15}(\.\d{1,20})?([eE][+-]?\d{1,2})?$"
_NEWS: Final = {"opportunity_id": _TEXT, "fact": _TEXT, "known_on": _DAY}


def has_column(frame: NativeFrame, name: str) -> bool:
    return name in nw.from_native(frame).collect_schema().names()


@attrs.frozen(eq=False)
class Whose:
    """The account of each record, and where it stands among all; -1: it is none of ours."""

    account: pa.ChunkedArray
    place: Groups
    ids: pa.Array

    @classmethod
    def of(cls, facts: RevenueFacts, account: pa.ChunkedArray) -> Whose:
        place = pc.fill_null(at_ids(account, facts.account, "account_id"), -1)
        known: Groups = place.to_numpy(zero_copy_only=False).astype(np.int64)
        return cls(account, known, facts.account["account_id"].combine_chunks())

    def at(self, found: pa.Table) -> pa.Array:
        """Where each one's account stands in what was found by account."""
        of_all = pc.fill_null(at_ids(self.ids, found, "account_id"), -1).to_numpy()
        at = np.append(of_all, -1).astype(np.int64)[self.place]
        strange = np.flatnonzero(self.place < 0)
        others = at_ids(self.account.take(pa.array(strange)), found, "account_id")
        at[strange] = pc.fill_null(others, -1).to_numpy()
        return pa.array(at, mask=at < 0)


def pressure(
    portfolio: Portfolio, whose: Whose, days: int, which: Contacts
) -> tuple[Groups, Days]:
    """How often we went to each account of late, whatever about, and the last time."""
    if "activity" not in portfolio:
        count = whose.place.size
        return np.zeros(count, np.int64), np.full(count, NEVER)
    zone = portfolio.calendar.time_zone
    since = midnight(portfolio.as_of + timedelta(days=1 - days), zone)
    found = outbound_since(portfolio, since, which)
    at = whose.at(found)
    last = days_at(local_days(found["last_at"], zone), at)
    return placed(found["n"], at), last


def opted_out(facts: RevenueFacts, place: Groups) -> tuple[Days, pa.Array]:
    """Since when its account, or one that owns it, asks to be left in peace, and which."""
    own = facts.account
    ids = own["account_id"].combine_chunks()
    days, by = opted_out_above(own)
    who = np.append(by, -1)[place]
    names = ids.take(pa.array(np.maximum(who, 0), mask=who < 0))
    return np.append(days, NEVER)[place], names


def refused_elsewhere(portfolio: Portfolio, facts: RevenueFacts, whose: Whose) -> Days:
    """When each account, or one that owns it, last refused anything."""
    own = facts.account
    found = newest(portfolio["opportunity"], "refused_on", is_moment=False)
    ids = own["account_id"]
    days = days_at(days_in(found["at"]), at_ids(ids, found, "account_id"))
    if "refused_on" in own.column_names:  # of parents that were cut away
        days = np.fmax(days, days_in(own["refused_on"]))
    last, _ = from_above(own, days, is_last=True)
    told = np.append(last, NEVER)[whose.place]
    strange = np.flatnonzero(whose.place < 0)
    others = at_ids(whose.account.take(pa.array(strange)), found, "account_id")
    told[strange] = days_at(days_in(found["at"]), others)
    return told


def silent(
    portfolio: Portfolio,
    found: pa.Table,
    at: pa.Array,
    attempts: Groups,
    which: Contacts,
) -> Groups:
    """Attempts since the last answer: all of them where none came.

    Args:
        at: Where each candidate stands in what was found.
    """
    made = np.maximum(attempts, 0)
    is_answered = pc.and_(
        pc.greater(found["answers"], 0), pc.greater(found["attempts"], 0)
    )
    answered = found.filter(is_answered)
    if not answered.num_rows:
        return made
    after = pc.add(answered["last_at"], pa.scalar(1, pa.duration("us")))
    marks = pa.table(
        {
            "ordinal": answered["ordinal"],
            "from_at": answered["answered_at"],
            "to_at": after,
        }
    )
    since = outbound_of_sales(portfolio, marks, which)
    counted = placed(since["n"], at_numbers(found["ordinal"], since["ordinal"]))
    has_answer = is_answered.combine_chunks().to_numpy(zero_copy_only=False)
    place = pc.fill_null(at, -1).to_numpy()
    return np.where(
        np.append(has_answer, False)[place], np.append(counted, 0)[place], made
    )


def raises(portfolio: Portfolio, ids: pa.ChunkedArray, closed_on: Days) -> Groups:
    """How often the discount on offer grew after the loss."""
    counts = np.zeros(len(ids), dtype=np.int64)
    if "discount_share" not in fields_told(portfolio) or not len(ids):
        return counts
    ids = ids.combine_chunks()
    rows = changes_of(portfolio["opportunity_change"], "discount_share", ids)
    if not rows.num_rows:
        return counts
    place = pc.index_in(rows["opportunity_id"], ids).to_numpy()
    old, new = (numbers(rows[name]) for name in ("old", "new"))
    is_more = new > np.nan_to_num(old)
    changed_on = local_days(rows["changed_at"], portfolio.calendar.time_zone)
    is_more &= changed_on > closed_on[place]
    np.add.at(counts, place[is_more], 1)
    return counts


def numbers(texts: pa.ChunkedArray) -> Floats:
    """Texts that are plain numbers; NaN for all else."""
    plain = pc.match_substring_regex(texts, _NUMERAL)
    kept = pc.if_else(plain, texts, pa.scalar(None, _TEXT))
    found: Floats = pc.fill_null(kept.cast(pa.float64()), np.nan).to_numpy()
    return found


@attrs.frozen(eq=False)
class Seconds:
    """Time given to each loss before it was one, and after.

    Attributes:
        team_share: Of the team's time of the period, what went to losses; None unknown.
    """

    before: Groups
    after: Groups
    team_share: float | None


def seconds_of(
    portfolio: Portfolio,
    facts: RevenueFacts,
    found: pa.Table,
    records: pa.Table,
    team: int | None,
) -> Seconds:
    """Of time sheets where they name opportunities, else of calls and meetings."""
    now = None
    if team is not None:
        found = seconds_after_losses(
            portfolio["effort"],
            spans_of_losses(
                portfolio["opportunity"],
                portfolio.calendar.time_zone,
                until=portfolio.as_of,
            ),
            facts.period,
        )
        now = int(pc.sum(found["seconds_now"]).as_py() or 0)
        at = at_ids(records["opportunity_id"], found, "opportunity_id")
    else:
        at = at_numbers(records["ordinal"], found["ordinal"])
    before, after = (placed(found[f"seconds_{when}"], at) for when in _WHEN)
    share = now / team if now is not None and team else None
    return Seconds(before, after, share)


_WHEN: Final = ("before", "after")


def told_by_people(news: NativeFrame | None, portfolio: Portfolio) -> pa.Table | None:
    """What people say is new by now: their columns, or what is wrong with them."""
    if news is None:
        return None
    rows = to_arrow(news)
    for name in rows.column_names:
        if name not in _NEWS:
            raise SettingsError(
                f"news have no column {name!r}"
                + (did_you_mean(name, _NEWS) or f"; they have {', '.join(_NEWS)}")
            )
    if any(name not in rows.column_names for name in _NEWS):
        raise SettingsError(f"news need the columns {', '.join(_NEWS)}")
    rows = rows.select(list(_NEWS)).cast(pa.schema(list(_NEWS.items())))
    known = pc.less_equal(rows["known_on"], pa.scalar(portfolio.as_of, _DAY))
    is_said = pc.greater(pc.utf8_length(pc.fill_null(rows["fact"], "")), 0)
    return rows.filter(pc.fill_null(pc.and_(known, is_said), fill_value=False))


@attrs.frozen(eq=False)
class News:
    """The newest fact since the last word of ours: its code, null without one; its day."""

    code: pa.Array
    on: Days

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        records: pa.Table,
        whose: Whose,
        since: Days,
        *,
        answered_on: Days,
        told: pa.Table | None,
    ) -> News:
        zone = portfolio.calendar.time_zone
        found: dict[str, Days] = {"answered": answered_on}
        if "enquiry" in portfolio:
            rows = newest(portfolio["enquiry"], "created_at", is_moment=True)
            days = local_days(rows["at"], zone)
            found["enquiry"] = days_at(days, whose.at(rows))
        if "event" in portfolio:
            rows = newest(portfolio["event"], "from_on", is_moment=False)
            found["event"] = days_at(days_in(rows["at"]), whose.at(rows))
        if told is not None:
            last = told.group_by("opportunity_id").aggregate([("known_on", "max")])
            place = at_ids(records["opportunity_id"], last, "opportunity_id")
            found["told"] = days_at(days_in(last["known_on_max"]), place)
        return cls._newest(found, since, np.datetime64(portfolio.as_of, "D"))

    @classmethod
    def _newest(cls, found: dict[str, Days], since: Days, today: np.datetime64) -> News:
        days = np.stack(
            [
                np.where((each > since) & (each <= today), each, NEVER)
                for each in found.values()
            ]
        )
        order = np.where(np.isnat(days), np.int64(-1), days.astype(np.int64))
        at = np.argmax(order, axis=0)
        day = np.take_along_axis(days, at[None, :], axis=0)[0]
        codes = pa.array(list(found), _TEXT)
        return cls(codes.take(pa.array(at, mask=np.isnat(day))), day)
