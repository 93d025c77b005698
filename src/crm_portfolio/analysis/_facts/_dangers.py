"""When did each account last buy, how does it pay, what is judged, what runs out?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio._frames import NativeFrame, backend_of, nw, same_kind
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._facts._days import bought
from crm_portfolio.analysis._facts._lines import (
    collected,
    completed,
    day_number,
    places,
)
from crm_portfolio.portfolio import Portfolio

__all__ = [
    "Agreed",
    "bought_again",
    "contracts",
    "open_renewals",
    "ratings",
    "won_renewals",
]

_TEXT, _DAY, _NUMBER, _FLAG = pa.string(), pa.date32(), pa.float64(), pa.bool_()


def bought_again(days: Any, since: pa.Table, *, until: date) -> pa.Table:
    """By account: on how many days it bought after its own day of ``since``.

    Args:
        days: Revenue `by_day`.
        since: ``account_id`` and ``since_on``.
        until: The last day that counts, for all.
    """
    day = nw.col("day")
    asked = nw.from_native(same_kind(since, nw.to_native(days)))
    if isinstance(days, nw.LazyFrame):
        asked = asked.lazy()
    return collected(
        bought(days.filter(day <= until))
        .join(asked, on="account_id", how="inner")
        .filter(day > nw.col("since_on"))
        .select("account_id", days=nw.lit(1, dtype=nw.Int64))
        .group_by("account_id")
        .agg(nw.col("days").sum())
    )


@attrs.frozen(eq=False)
class Agreed:
    """From when to when accounts are under contract, by their places.

    Contracts that overlap, or follow on the next day, are one span.

    Attributes:
        count: How many accounts there are.
    """

    count: int
    account: npt.NDArray[np.int64]
    starts_on: npt.NDArray[np.datetime64]
    ends_on: npt.NDArray[np.datetime64]

    @classmethod
    def of(cls, portfolio: Portfolio, ids: pa.Array) -> Agreed:
        """None where the portfolio has no contracts."""
        if "contract" not in portfolio:
            never = np.empty(0, dtype="datetime64[D]")
            return cls(len(ids), np.empty(0, dtype=np.int64), never, never)
        known = _agreed(portfolio["contract"], portfolio.as_of)
        ends = nw.when(~nw.col("goes_on")).then(nw.col("ends_on"))
        rows = collected(known.select("account_id", "starts_on", ends_on=ends))
        place = places(rows["account_id"], ids)
        starts, last = (
            rows.filter(place.is_valid())[name].to_numpy().astype("datetime64[D]")
            for name in ("starts_on", "ends_on")
        )
        last = np.where(np.isnat(last), _FOR_GOOD, last)
        account = place.drop_null().to_numpy().astype(np.int64)
        return cls(len(ids), *_spans(account, starts, last))

    def throughout(self, first: date, last: date) -> Flags:
        """Who is under contract from the first day, or before, to the last, or beyond.

        What such an account pays may have come before these days, or come after them.
        """
        is_so = (self.starts_on <= np.datetime64(first, "D")) & (
            self.ends_on >= np.datetime64(last, "D")
        )
        found = np.zeros(self.count, dtype=bool)
        found[self.account[is_so]] = True
        return found


_FOR_GOOD: Final = np.datetime64(date.max, "D")
_BEYOND: Final = 2**22
"""More days than there are between the first and the last one."""


def _spans(
    account: npt.NDArray[np.int64],
    starts: npt.NDArray[np.datetime64],
    ends: npt.NDArray[np.datetime64],
) -> tuple[Any, Any, Any]:
    """The days from which, and to which, each account is under one contract or another."""
    order = np.lexsort((starts, account))
    account, starts, ends = account[order], starts[order], ends[order]
    # Accounts rise, so that all days of one come before any of the next.
    base = account * _BEYOND
    until = np.maximum.accumulate(base + ends.astype(np.int64))
    is_first, is_last = (np.ones(account.size, dtype=bool) for _ in range(2))
    is_first[1:] = (base + starts.astype(np.int64))[1:] > until[:-1] + 1
    is_last[:-1] = is_first[1:]
    last = (until - base)[is_last].astype("datetime64[D]")
    return account[is_first], starts[is_first], last


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
    backend = backend_of(nw.to_native(known))
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
        & (day_number(other_starts, backend) >= day_number(ends, backend) - early_days)
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
        # pandas before 3.1 forgets that a column with no value is one of days.
        .with_columns(nw.col("ending_on", "overlapped_on").cast(nw.Date))
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
