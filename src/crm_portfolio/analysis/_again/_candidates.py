"""Which losses might be tried again, and what has been done about each so far?"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame, to_arrow
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._again._days import (
    Days,
    at_ids,
    at_numbers,
    days_at,
    days_in,
    in_order,
    local_days,
)
from crm_portfolio.analysis._again._settings import WinBackSettings
from crm_portfolio.analysis._again._signs import (
    News,
    Seconds,
    Whose,
    has_column,
    opted_out,
    pressure,
    raises,
    refused_elsewhere,
    seconds_of,
    silent,
    told_by_people,
)
from crm_portfolio.analysis._facts import (
    Contacts,
    RevenueFacts,
    after_losses,
    placed,
    seconds_in,
)
from crm_portfolio.portfolio import Portfolio

__all__ = ["Candidates", "of_records"]

_TEXT, _DAY = pa.string(), pa.date32()
_RECORD: Final = {
    **dict.fromkeys(("account_id", "owner_id", "class", "class_by_person"), _TEXT),
    **dict.fromkeys(("loss_reason", "loss_reason_by", "competitor"), _TEXT),
    "minor": pa.int64(),
    "is_imputed": pa.bool_(),
    "closed_on": _DAY,
    "refused_on": _DAY,
    "ordinal": pa.int32(),
}
_COUNTS: Final = (
    *("attempts", "answers", "outs_before", "ins_before"),
    *("seconds_before", "seconds_after"),
)
_NO_CONTACTS: Final = pa.schema(
    [
        ("opportunity_id", _TEXT),
        ("ordinal", pa.int32()),
        *((name, pa.int64()) for name in _COUNTS),
        *(
            (name, pa.timestamp("us", "UTC"))
            for name in ("first_at", "last_at", "answered_at")
        ),
    ]
)


@attrs.frozen(eq=False)
class Candidates:
    """The losses that might be tried again, sorted by id; arrays are in this order.

    Attributes:
        table: What the record says.
        contacts: What came after each loss, candidate or not, as the scan has it.
        has_activities: Whether attempts are known; without them they are all 0.
        silent: Attempts since the last word from the other side.
        which: Which activities are contacts, and whose.
        pressed: How often we went to its account of late, whatever about.
        place: Where its account stands among all; -1: it is not known whose it was.
        is_owner_active: Of who works on it today; null where nobody says.
        pressed_on: The last of those.
        raises: How often the discount grew since the loss.
        opted_out_by: The account that asked to be left in peace: its own, or one above.
        refused_elsewhere_on: When its account, or one above, last refused anything.
        has_refusals: Whether refusals are recorded at all; ``has_opt_outs`` whether it is
            who asked to be left in peace.
        news: The newest fact since the last word of ours.
        old_count: Losses of these classes that are too old to be candidates.
    """

    table: pa.Table
    contacts: pa.Table
    which: Contacts
    has_activities: bool
    attempts: Groups
    answers: Groups
    last_on: Days
    silent: Groups
    pressed: Groups
    pressed_on: Days
    raises: Groups
    seconds: Seconds
    opted_out_on: Days
    opted_out_by: pa.Array
    refused_elsewhere_on: Days
    has_refusals: bool
    has_opt_outs: bool
    place: Groups
    is_owner_active: pa.Array
    news: News
    old_count: int

    @property
    def size(self) -> int:
        return int(self.table.num_rows)

    @property
    def is_account_known(self) -> Flags:
        """Whether it is known whose it was."""
        known: Flags = self.place >= 0
        return known

    @property
    def closed_on(self) -> Days:
        return days_in(self.table["closed_on"])

    @property
    def refused_on(self) -> Days:
        return days_in(self.table["refused_on"])

    @property
    def amount(self) -> Floats:
        """In minor units; NaN where it is unknown."""
        minor = self.table["minor"].cast(pa.float64())
        found: Floats = pc.fill_null(minor, np.nan).to_numpy()
        return found

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        facts: RevenueFacts,
        records: pa.Table,
        settings: WinBackSettings,
        which: Contacts,
        *,
        news: NativeFrame | None,
    ) -> Candidates:
        """All that is known of the records of these classes."""
        records, old = of_records(records, settings, portfolio.as_of)
        ordinals = records["ordinal"].combine_chunks()
        is_told = "activity" in portfolio
        found = (
            after_losses(portfolio, which) if is_told else _NO_CONTACTS.empty_table()
        )
        at = at_numbers(ordinals, found["ordinal"])
        zone = portfolio.calendar.time_zone
        last, answered = (
            local_days(found[name], zone) for name in ("last_at", "answered_at")
        )
        last_on, answered_on = days_at(last, at), days_at(answered, at)
        attempts = placed(found["attempts"], at)
        whose = Whose.of(facts, records["account_id"])
        place = whose.place
        pressed, pressed_on = pressure(portfolio, whose, settings.pressure_days, which)
        opted_on, opted_by = opted_out(facts, place)
        closed_on = days_in(records["closed_on"])
        return cls(
            table=records,
            contacts=found,
            which=which,
            has_activities=is_told,
            attempts=attempts,
            answers=placed(found["answers"], at),
            last_on=last_on,
            silent=silent(portfolio, found, at, attempts, which),
            pressed=pressed,
            pressed_on=pressed_on,
            raises=raises(portfolio, records["opportunity_id"], closed_on),
            seconds=seconds_of(
                portfolio, facts, found, records, _team(portfolio, facts)
            ),
            opted_out_on=opted_on,
            opted_out_by=opted_by,
            refused_elsewhere_on=refused_elsewhere(portfolio, facts, whose),
            has_refusals=has_column(portfolio["opportunity"], "refused_on"),
            has_opt_outs="do_not_contact_on" in facts.account.column_names,
            place=place,
            is_owner_active=_active(portfolio, records["owner_id"]),
            news=News.of(
                portfolio,
                records,
                whose,
                np.fmax(closed_on, last_on),
                answered_on=answered_on,
                told=told_by_people(news, portfolio),
            ),
            old_count=old,
        )


def of_records(
    records: pa.Table, settings: WinBackSettings, as_of: date
) -> tuple[pa.Table, int]:
    """The opportunities of the classes among these records; how many are too old.

    A class that a person gave counts; enquiries were never sales, so they are none.
    """
    columns = {
        name: records[name].cast(kind)
        if name in records.column_names
        else pa.nulls(records.num_rows, kind)
        for name, kind in _RECORD.items()
    }
    columns["class"] = pc.coalesce(columns["class_by_person"], columns["class"])
    # Who is to make the next attempt, if anybody: the triage gives each loss to whoever
    # had it then.
    columns["owner_id"] = records["owner_now"].cast(_TEXT)
    table = pa.table({"opportunity_id": records["record_id"].cast(_TEXT), **columns})
    kept = pc.is_in(table["class"], value_set=pa.array(settings.classes, _TEXT))
    if "record" in records.column_names:
        kept = pc.and_(kept, pc.equal(records["record"], "opportunity"))
    table = table.filter(kept)
    first = as_of - timedelta(days=settings.lost_within_days)
    is_old = pc.fill_null(pc.less(table["closed_on"], pa.scalar(first, _DAY)), False)  # noqa: FBT003
    old = int(pc.sum(is_old).as_py() or 0)
    return in_order(table.filter(pc.invert(is_old))), old


def _active(portfolio: Portfolio, owner: pa.ChunkedArray) -> pa.Array:
    if "owner" not in portfolio or not has_column(portfolio["owner"], "is_active"):
        return pa.nulls(len(owner), pa.bool_())
    people = to_arrow(portfolio["owner"])
    return people["is_active"].combine_chunks().take(at_ids(owner, people, "owner_id"))


def _team(portfolio: Portfolio, facts: RevenueFacts) -> int | None:
    """The team's seconds of the period; None where no time sheet names opportunities."""
    if "effort" not in portfolio:
        return None
    effort = portfolio["effort"]
    if not has_column(effort, "opportunity_id"):
        return None
    return seconds_in(effort, facts.period)
