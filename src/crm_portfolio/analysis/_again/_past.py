"""What came of the losses that were tried again, as far as that is known by now?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import from_arrow, nw
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._persistence import never_rising
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._shrinkage import beta_binomial
from crm_portfolio._methods._survival import Curve, survival
from crm_portfolio.analysis._again._days import (
    Days,
    at_ids,
    at_numbers,
    days_in,
    in_order,
    local_days,
)
from crm_portfolio.analysis._again._settings import WinBackSettings
from crm_portfolio.analysis._again._signs import numbers
from crm_portfolio.analysis._facts import (
    Contacts,
    changes_of,
    contacts_of_sales,
    fields_told,
    midnight,
    nights_after,
    opportunities_at,
    outbound_of_sales,
    placed,
    reopened,
)
from crm_portfolio.portfolio import Portfolio

__all__ = [
    "FAMILY",
    "Past",
    "group_of",
    "hazards_of",
    "months_between",
    "no_reasons",
    "reasons_of",
]

FAMILY: Final = {
    "lost_client": "client",
    "pursued_lost": "pursued",
    "no_decision": "pursued",
    "disqualified": "pursued",
}
"""What a class is counted with; all others were missed.

The past is counted by what was known before the loss, for what is still lost and what was
won again alike: a renewal; else whether both sides had spoken.
"""
_TEXT: Final = pa.string()


@attrs.frozen(eq=False)
class Past:
    """Losses that were tried again, one row each, in the order of their ids.

    Attributes:
        is_known: Whether the first attempt is so long ago that we know how it ended.
        is_won: Opened again and won in time.
        attempts: In that time, and before it was opened again.
        months: From the loss to the first attempt.
        again: How many days until it was opened again, or watched so far.
        knows_reasons: Whether why each was lost is known as it was known then; else the
            reasons are empty. ``knows_amounts``: so are the amounts.
    """

    family: pa.Array
    reason: pa.Array
    minor: Floats
    first_on: Days
    months: Floats
    attempts: Groups
    is_won: Flags
    is_known: Flags
    is_reopened: Flags
    again: Floats
    knows_reasons: bool
    knows_amounts: bool

    @property
    def tries(self) -> int:
        return int(self.is_known.sum())

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        found: pa.Table,
        settings: WinBackSettings,
        which: Contacts,
    ) -> Past:
        """Of what is still lost, as ``found``, and of what was opened again since."""
        tried = found.filter(pc.greater(found["attempts"], 0))
        parts = [_still_lost(portfolio, tried)]
        if "activity" in portfolio:
            parts.append(_opened_again(portfolio, which))
        rows = in_order(pa.concat_tables(parts), "since_on")
        return cls._from(portfolio, rows, settings, which)

    @classmethod
    def _from(
        cls,
        portfolio: Portfolio,
        rows: pa.Table,
        settings: WinBackSettings,
        which: Contacts,
    ) -> Past:
        zone, as_of = portfolio.calendar.time_zone, np.datetime64(portfolio.as_of, "D")
        first_on = local_days(rows["first_at"], zone)
        until_on = local_days(rows["until_at"], zone)
        since_on, won_on = days_in(rows["since_on"]), days_in(rows["won_on"])
        within = np.timedelta64(settings.within_days, "D")
        is_reopened = rows["is_reopened"].to_numpy()
        ended = np.where(is_reopened, until_on, as_of)
        # One that was opened again has lost its reason, or has another one by now.
        knows_reasons = not is_reopened.any() or is_told(portfolio, "loss_reason")
        reason = rows["reason"].combine_chunks()
        if not knows_reasons:
            reason = no_reasons(rows.num_rows)
        days = (ended - since_on).astype("timedelta64[D]").astype(np.float64)
        return cls(
            family=rows["family"].combine_chunks(),
            reason=reason,
            minor=pc.fill_null(rows["minor"], np.nan).to_numpy(),
            first_on=first_on,
            months=months_between(since_on, first_on),
            attempts=_attempts_in(portfolio, rows, settings.within_days, which),
            is_won=~np.isnat(won_on) & (won_on - first_on <= within),
            is_known=first_on + within <= as_of,
            is_reopened=is_reopened,
            again=days,
            knows_reasons=knows_reasons,
            knows_amounts=any(is_told(portfolio, field) for field in _AMOUNTS),
        )

    def reopening(self) -> Curve:
        """Kaplan and Meier's share of the tried that is not opened again, by months."""
        return survival(np.floor(self.again / _DAYS_A_MONTH), self.is_reopened)


_DAYS_A_MONTH: Final = 30.436875
_COLUMNS: Final = pa.schema(
    [
        ("opportunity_id", _TEXT),
        ("ordinal", pa.int32()),
        ("family", _TEXT),
        ("reason", _TEXT),
        ("minor", pa.float64()),
        ("since_on", pa.date32()),
        ("first_at", pa.timestamp("us", "UTC")),
        ("until_at", pa.timestamp("us", "UTC")),
        ("won_on", pa.date32()),
        ("is_reopened", pa.bool_()),
    ]
)


def months_between(first: Days, last: Days) -> Floats:
    days = (last - first).astype("timedelta64[D]").astype(np.float64)
    months: Floats = np.where(np.isnat(last - first), np.nan, days) / _DAYS_A_MONTH
    return months


def reasons_of(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Loss reasons as they are grouped: one spelling, empty where nobody gave any."""
    each = column.cast(_TEXT).dictionary_encode()
    if isinstance(each, pa.ChunkedArray):
        each = each.combine_chunks()
    # Each is spelled once; there are far fewer of them than losses.
    spelled = pc.utf8_lower(pc.utf8_trim_whitespace(each.dictionary))
    return pc.fill_null(spelled.take(each.indices), "")


def no_reasons(size: int) -> pa.Array:
    return pa.array([""] * size, _TEXT)


def is_told(portfolio: Portfolio, field: str) -> bool:
    """Whether any change of this field is told: its history is kept."""
    return field in fields_told(portfolio)


def group_of(family: pa.Array, reason: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(family, reason, "|")


def hazards_of(past: Past, most: int) -> tuple[Floats, Groups, Groups]:
    """Odds of the first, second, … attempt if those before failed; tries and wins of each.

    Shrunken, and made never to rise; NaN where no attempt was ever tried.
    """
    made = past.attempts[past.is_known]
    won = past.is_won[past.is_known]
    numbers = np.arange(1, most + 1)
    tries = (made[None, :] >= numbers[:, None]).sum(axis=1)
    wins = (won & (np.minimum(made, most) == numbers[:, None])).sum(axis=1)
    rates = beta_binomial(wins, tries).rates
    if np.isnan(rates).any():
        return np.full(most, np.nan), tries, wins
    return never_rising(rates, tries), tries, wins


def _still_lost(portfolio: Portfolio, tried: pa.Table) -> pa.Table:
    if not tried.num_rows:
        return _COLUMNS.empty_table()
    rows = opportunities_at(portfolio, tried["ordinal"].combine_chunks())
    zone, count = portfolio.calendar.time_zone, tried.num_rows
    end = midnight(portfolio.as_of + timedelta(days=1), zone)
    return _rows(
        portfolio,
        rows,
        tried,
        since_on=rows["closed_on"],
        until_at=pa.array([end] * count, pa.timestamp("us", "UTC")),
        won_on=pa.nulls(count, pa.date32()),
        is_reopened=pa.array(np.zeros(count, dtype=bool)),
    )


def _opened_again(portfolio: Portfolio, which: Contacts) -> pa.Table:
    zone = portfolio.calendar.time_zone
    rows = reopened(portfolio)
    # One that went on to another stage that is lost too was never opened again.
    until_on = local_days(rows["until_at"], zone)
    is_lost = pc.equal(rows["status"], "lost").to_numpy(zero_copy_only=False)
    closed_on = days_in(rows["closed_on"])
    rows = rows.filter(pa.array(~is_lost | (closed_on > until_on)))
    if not rows.num_rows:
        return _COLUMNS.empty_table()
    # As for what is still lost: words of the day itself are no attempt.
    since_on = pa.array(local_days(rows["since_at"], zone), pa.date32())
    at = rows.column_names.index("since_at")
    rows = rows.set_column(at, "since_at", nights_after(since_on, zone))
    rows = rows.append_column("since_on", since_on)
    spans = rows.select(["ordinal", "since_at", "until_at"])
    lazily = nw.from_native(from_arrow(spans, portfolio.backend)).lazy()
    found = contacts_of_sales(portfolio, lazily, which)
    found = found.filter(pc.greater(found["attempts"], 0))
    rows = rows.take(at_numbers(found["ordinal"], rows["ordinal"]))
    won = pc.equal(rows["status"], "won")
    return _rows(
        portfolio,
        rows,
        found,
        since_on=rows["since_on"],
        until_at=rows["until_at"],
        won_on=pc.if_else(won, rows["closed_on"], None),
        is_reopened=pa.array(np.ones(rows.num_rows, dtype=bool)),
    )


def _rows(
    portfolio: Portfolio, rows: pa.Table, found: pa.Table, **ends: pa.Array
) -> pa.Table:
    """What is known of each in the same way, whether or not it was opened again."""
    is_talk = pc.and_(
        pc.greater(found["outs_before"], 0), pc.greater(found["ins_before"], 0)
    )
    is_renewal = pc.fill_null(pc.equal(rows["kind"], "renewal"), fill_value=False)
    family = pc.if_else(is_renewal, "client", pc.if_else(is_talk, "pursued", "missed"))
    digits = 10.0**portfolio.minor_digits
    table = pa.table(
        {
            "opportunity_id": rows["opportunity_id"],
            "ordinal": rows["ordinal"],
            "family": family,
            "reason": _reason_then(portfolio, rows, **ends),
            "minor": pc.round(
                pc.multiply(_amount_then(portfolio, rows, found["first_at"]), digits)
            ),
            "first_at": found["first_at"],
            **ends,
        }
    )
    return table.select(_COLUMNS.names).cast(_COLUMNS)


def _reason_then(
    portfolio: Portfolio, rows: pa.Table, *, until_at: Any, is_reopened: Any, **_: Any
) -> pa.Array:
    """Why it was lost, as the record says of what is lost today.

    The record of one that was opened again says nothing any more, or what came later:
    its history tells what was said by the end of the loss, or stood before that came.
    """
    told = _changes(portfolio, rows, "loss_reason", until_at)
    said = told.filter(pc.and_(pc.is_valid(told["new"]), pc.invert(told["is_later"])))
    last, place = _at_each(rows, said, "new", "last")
    stood, after = _at_each(rows, told.filter(told["is_later"]), "old", "first")
    before = pc.if_else(pc.is_valid(after), stood, rows["loss_reason"])
    then = pc.if_else(pc.is_valid(place), last, before)
    return reasons_of(pc.if_else(is_reopened, then, rows["loss_reason"]))


def _amount_then(portfolio: Portfolio, rows: pa.Table, first_at: Any) -> pa.Array:
    """What it was for at the first attempt: before the next change, else as it is.

    Changes tell what the source said, in the opportunity's own currency.
    """
    is_told = pa.array(np.zeros(rows.num_rows, dtype=bool))
    said = pa.nulls(rows.num_rows, pa.float64())
    for field in _AMOUNTS:
        later = _changes(portfolio, rows, field, first_at)
        later = later.filter(later["is_later"])
        text, at = _at_each(rows, later, "old", "first")
        old = pa.array(numbers(text), from_pandas=True)
        said = pc.if_else(is_told, said, old)
        is_told = pc.or_(is_told, pc.is_valid(at))
    own = rows["original_amount"].combine_chunks()
    of_own = pc.if_else(pc.equal(own, 0), pa.scalar(None, own.type), own)
    rate = pc.if_else(pc.is_null(own), 1.0, pc.divide(rows["amount"], of_own))
    return pc.if_else(is_told, pc.multiply(said, rate), rows["amount"])


_AMOUNTS: Final = ("original_amount", "amount")
_KEY: Final = "opportunity_id"


def _at_each(
    rows: pa.Table, changes: pa.Table, column: str, which: str
) -> tuple[pa.Array, pa.Array]:
    """What the first or last change of each row says there; null place: there is none."""
    found = changes.group_by(_KEY, use_threads=False).aggregate([(column, which)])
    at = at_ids(rows[_KEY], found, _KEY)
    return found[f"{column}_{which}"].combine_chunks().take(at), at


def _changes(portfolio: Portfolio, rows: pa.Table, field: str, at: Any) -> pa.Table:
    """Of these rows, in order; ``is_later`` than this moment of each."""
    if not is_told(portfolio, field):
        return _NO_CHANGES.empty_table()
    ids = rows["opportunity_id"].combine_chunks()
    said = changes_of(portfolio["opportunity_change"], field, ids)
    own = at.take(pc.index_in(said["opportunity_id"], ids))
    moments = said["changed_at"].cast(pa.timestamp("us", "UTC"))
    return said.append_column("is_later", pc.greater(moments, own))


_NO_CHANGES: Final = pa.schema(
    [
        *((name, _TEXT) for name in ("opportunity_id", "old", "new")),
        ("is_later", pa.bool_()),
    ]
)


def _attempts_in(
    portfolio: Portfolio, rows: pa.Table, within_days: int, which: Contacts
) -> Groups:
    """Of each: the first attempt, and those after it while they count."""
    if not rows.num_rows:
        return np.zeros(0, dtype=np.int64)
    length = pa.scalar(timedelta(days=within_days), pa.duration("us"))
    late = pc.add(rows["first_at"], length)
    last = pc.if_else(pc.less(late, rows["until_at"]), late, rows["until_at"])
    counts = np.ones(rows.num_rows, dtype=np.int64)
    # An opportunity that was lost twice has two rows; each scan takes one of them.
    ids = rows["ordinal"].to_numpy()
    is_second = np.append([False], ids[1:] == ids[:-1])
    for own_rows in (~is_second, is_second):
        if not own_rows.any():
            continue
        marks = pa.table(
            {
                "ordinal": rows["ordinal"].filter(pa.array(own_rows)),
                "from_at": rows["first_at"].filter(pa.array(own_rows)),
                "to_at": last.filter(pa.array(own_rows)),
            }
        )
        more = outbound_of_sales(portfolio, marks, which)
        at = at_numbers(marks["ordinal"], more["ordinal"])
        counts[own_rows] += placed(more["n"], at)
    return counts
