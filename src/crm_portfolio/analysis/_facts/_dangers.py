"""When did each account last buy, how does it pay, what is judged, what runs out?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

import pyarrow as pa

from crm_portfolio._frames import NativeFrame, nw, same_kind
from crm_portfolio.analysis._facts._lines import collected, completed
from crm_portfolio.analysis._facts._signals import days_bought

__all__ = [
    "bought_again",
    "contracts",
    "open_renewals",
    "payments",
    "ratings",
    "won_renewals",
]

_TEXT, _DAY, _NUMBER, _FLAG = pa.string(), pa.date32(), pa.float64(), pa.bool_()


def bought_again(lines: Any, since: pa.Table, *, until: date) -> pa.Table:
    """By account: on how many days it bought after its own day of ``since``.

    Args:
        since: ``account_id`` and ``since_on``.
        until: The last day that counts, for all.
    """
    day = nw.col("day")
    asked = nw.from_native(same_kind(since, nw.to_native(lines)))
    if isinstance(lines, nw.LazyFrame):
        asked = asked.lazy()
    return collected(
        days_bought(
            lines.filter(day <= until)
            .select("account_id", "day", "minor")
            .join(asked, on="account_id", how="inner")
            .filter(day > nw.col("since_on"))
        )
        .group_by("account_id")
        .agg(nw.col("days").sum())
    )


def payments(frame: NativeFrame, *, start: date, as_of: date, digits: int) -> pa.Table:
    """By payer: how late, by weight, its invoices due since ``start`` were or are.

    An unpaid one counts whatever its age, with what is still open, and not before it is
    due. Credit notes reduce the invoice they name. Cancelled invoices are left out;
    contested ones are counted apart: the fault may be ours.
    """
    due = _invoices(frame, as_of, digits).filter(
        (nw.col("weight") > 0)
        & (nw.col("is_paid") | (nw.col("due_on") < as_of))
        & (~nw.col("is_paid") | (nw.col("due_on") >= start))
    )
    is_late = nw.col("days") > 0
    counted = due.with_columns(
        late_days=nw.when(is_late).then(nw.col("days")).otherwise(0)
    ).with_columns(
        invoices=nw.when(nw.col("is_disputed")).then(0).otherwise(1),
        disputed=nw.when(nw.col("is_disputed")).then(1).otherwise(0),
        weight=_fair(nw.col("weight")),
        signed=_fair(nw.col("weight") * nw.col("days")),
        floored=_fair(nw.col("weight") * nw.col("late_days")),
        late=_fair(nw.when(is_late).then(nw.col("weight")).otherwise(0)),
        worst_days=_fair(nw.col("late_days")),
        paid_late_on=_day(
            ~nw.col("is_disputed") & is_late & nw.col("is_paid"), "paid_on"
        ),
        unpaid_since_on=_day(~nw.col("is_disputed") & ~nw.col("is_paid"), "due_on"),
    )
    sums = ("invoices", "disputed", "weight", "signed", "floored", "late")
    return collected(
        counted.group_by("account_id").agg(
            *(nw.col(name).sum() for name in sums),
            nw.col("worst_days").max(),
            nw.col("paid_late_on").max(),
            nw.col("unpaid_since_on").min(),
        )
    )


def _invoices(frame: NativeFrame, as_of: date, digits: int) -> Any:
    """Invoices with a due day, what weighs of each, and how many days late it is."""
    kinds = {"payer_id": _TEXT, "due_on": _DAY, "paid_on": _DAY, "open_amount": _NUMBER}
    kinds |= {"origin_invoice_id": _TEXT, "is_disputed": _FLAG, "is_cancelled": _FLAG}
    bills = nw.from_native(completed(frame, kinds)).filter(
        ~nw.col("is_cancelled").fill_null(value=False)
    )
    minor = _minor("amount", digits)
    returned = (
        bills.filter((minor < 0) & ~nw.col("origin_invoice_id").is_null())
        .select(invoice_id=nw.col("origin_invoice_id"), credit=minor)
        .group_by("invoice_id")
        .agg(nw.col("credit").sum())
    )
    is_paid = ~nw.col("paid_on").is_null()
    until = nw.when(is_paid).then(nw.col("paid_on")).otherwise(nw.lit(as_of))
    still = _minor("open_amount", digits)
    return (
        bills.filter((minor > 0) & ~nw.col("due_on").is_null())
        .join(returned, on="invoice_id", how="left")
        .with_columns(
            account_id=nw.coalesce(nw.col("payer_id"), nw.col("account_id")),
            net=minor + nw.col("credit").fill_null(0),
            is_paid=is_paid,
            is_disputed=nw.col("is_disputed").fill_null(value=False),
            days=_number(until) - _number(nw.col("due_on")),
        )
        .with_columns(
            weight=nw.when(
                nw.col("is_paid") | still.is_null() | (still > nw.col("net"))
            )
            .then(nw.col("net"))
            .otherwise(still)
        )
    )


def _fair(value: Any) -> Any:
    return nw.when(nw.col("is_disputed")).then(0).otherwise(value)


def _day(condition: Any, column: str) -> Any:
    return nw.when(condition).then(nw.col(column))


def _number(day: Any) -> Any:
    """Days since 1970."""
    return day.cast(nw.Int32).cast(nw.Int64)


def _minor(column: str, digits: int) -> Any:
    return (nw.col(column) * float(10**digits)).round(0).cast(nw.Int64)


def contracts(
    frame: NativeFrame, *, as_of: date, lapsed_days: int, early_days: float
) -> pa.Table:
    """By account: how many contracts run, and the next end with nothing behind it.

    A contract is followed by another of the account that starts on its last day or
    later. One that starts in its last ``early_days`` and goes on beyond it may follow
    it: such an end is ``overlapped_on``, all others are ``ending_on``. One that goes on
    unless someone ends it has no end here. An end that has passed counts for
    ``lapsed_days`` more where nothing else runs.
    """
    known = _agreed(frame, as_of)
    starts, ends = nw.col("starts_on"), nw.col("ends_on")
    by_account = known.group_by("account_id").agg(
        nw.col("running").sum(),
        starts.max().alias("last_start_on"),
        nw.col("begun_on").max(),
    )
    lapsed_on = as_of - timedelta(days=lapsed_days)
    is_still = (ends >= as_of) | ((ends >= lapsed_on) & (nw.col("running") == 0))
    ending = (
        known.select("contract_id", "account_id", "starts_on", "ends_on", "goes_on")
        .join(by_account, on="account_id", how="left")
        .filter(~nw.col("goes_on") & is_still & (nw.col("last_start_on") < ends))
        .select("contract_id", "account_id", "starts_on", "ends_on")
    )
    return collected(
        by_account.select("account_id", "running", "begun_on").join(
            _next_ends(ending, known, early_days), on="account_id", how="left"
        )
    )


def _agreed(frame: NativeFrame, as_of: date) -> Any:
    """Contracts, whether they run and go on by themselves, and since when if they do."""
    kinds = {"ends_on": _DAY, "auto_renews": _FLAG}
    ends, starts = nw.col("ends_on"), nw.col("starts_on")
    goes_on = nw.col("auto_renews").fill_null(value=False) | ends.is_null()
    has_begun = starts <= as_of
    is_running = has_begun & (goes_on | (ends >= as_of))
    return nw.from_native(completed(frame, kinds)).with_columns(
        goes_on=goes_on,
        running=is_running.fill_null(value=False).cast(nw.Int64),
        begun_on=nw.when(has_begun).then(starts),
    )


def _next_ends(ending: Any, known: Any, early_days: float) -> Any:
    """By account: the first of these ends that no other contract overlaps, and that does."""
    starts, ends = nw.col("starts_on"), nw.col("ends_on")
    others = known.select(
        "account_id",
        other_starts_on=starts,
        # Null: it has no end.
        other_ends_on=nw.when(~nw.col("goes_on")).then(ends),
    )
    other_starts, other_ends = nw.col("other_starts_on"), nw.col("other_ends_on")
    is_early = (
        (other_starts > starts)
        & (_number(other_starts) >= _number(ends) - early_days)
        & (other_ends.is_null() | (other_ends > ends).fill_null(value=False))
    )
    overlaps = nw.col("overlaps") > 0
    return (
        ending.join(others, on="account_id", how="inner")
        .with_columns(overlaps=is_early.cast(nw.Int64))
        .group_by("account_id", "contract_id")
        .agg(nw.col("overlaps").max(), ends.max())
        .select(
            "account_id",
            ending_on=nw.when(~overlaps).then(ends),
            overlapped_on=nw.when(overlaps).then(ends),
        )
        .group_by("account_id")
        .agg(nw.col("ending_on", "overlapped_on").min())
    )


def open_renewals(frame: NativeFrame) -> pa.Table:
    """By account: open sales that are renewals, and those that do not say what they are."""
    sale = nw.from_native(completed(frame, {"account_id": _TEXT, "kind": _TEXT}))
    kind = nw.col("kind")
    return collected(
        sale.filter((nw.col("status") == "open") & ~nw.col("account_id").is_null())
        .select(
            nw.col("account_id"),
            renewals=(kind.fill_null("") == "renewal").cast(nw.Int64),
            unsorted=kind.is_null().cast(nw.Int64),
        )
        .group_by("account_id")
        .agg(nw.col("renewals", "unsorted").sum())
    )


def won_renewals(frame: NativeFrame) -> pa.Table:
    """By account: the newest day on which a renewal was won."""
    kinds = {"account_id": _TEXT, "kind": _TEXT, "closed_on": _DAY}
    sale = nw.from_native(completed(frame, kinds))
    is_won = (nw.col("status") == "won") & (nw.col("kind").fill_null("") == "renewal")
    return collected(
        sale.filter(is_won & ~nw.col("account_id").is_null())
        .group_by("account_id")
        .agg(won_on=nw.col("closed_on").max())
    )


def ratings(frame: NativeFrame, criteria: Sequence[str]) -> pa.Table:
    """The newest rating of each account, criterion and rater; the worst of one day."""
    kinds = {"rated_by": _TEXT, "rated_on": _DAY}
    by = ["account_id", "criterion", "rated_by"]
    given = (
        nw.from_native(completed(frame, kinds))
        .filter(nw.col("criterion").is_in(list(criteria)))
        .select(
            nw.col("account_id"),
            nw.col("criterion"),
            nw.col("rated_by").fill_null(""),
            nw.col("value"),
            # A judgement without a day is older than any with one.
            rated_on=nw.col("rated_on").fill_null(_NO_DAY),
        )
    )
    newest = given.group_by(*by).agg(nw.col("rated_on").max().alias("newest_on"))
    found = collected(
        given.join(newest, on=by, how="left")
        .filter(nw.col("rated_on") == nw.col("newest_on"))
        .group_by(*by)
        .agg(nw.col("value").min(), nw.col("rated_on").max())
    )
    return found.sort_by([(name, "ascending") for name in by])


_NO_DAY: Final = date(1, 1, 1)
