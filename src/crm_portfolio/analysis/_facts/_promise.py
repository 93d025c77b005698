"""What do people and calls say of an account that its revenue does not?"""

from __future__ import annotations

from datetime import timedelta

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame, nw
from crm_portfolio._methods._indices import Floats
from crm_portfolio.analysis._facts._attached import moment_in
from crm_portfolio.analysis._facts._dangers import ratings
from crm_portfolio.analysis._facts._inwards import came_inwards
from crm_portfolio.analysis._facts._lines import collected, completed, found_at, placed
from crm_portfolio.analysis._facts._revenue import RevenueFacts
from crm_portfolio.portfolio import Period, Portfolio

__all__ = ["Judged", "came_in", "judged", "says_which_way"]


@attrs.frozen(eq=False)
class Judged:
    """The newest judgement of each account by one criterion, in the order of the facts.

    Attributes:
        value: 0 to 10; NaN where nobody judged.
    """

    value: Floats
    rated_by: pa.Array
    rated_on: pa.Array


def judged(portfolio: Portfolio, facts: RevenueFacts, criterion: str) -> Judged:
    """What the last person to judge said; of two on one day, the first by id."""
    ids = facts.by_account.ids
    count = len(ids)
    if "rating" not in portfolio:
        unknown = np.full(count, np.nan)
        return Judged(
            unknown, pa.nulls(count, pa.string()), pa.nulls(count, pa.date32())
        )
    found = ratings(portfolio["rating"], [criterion])
    found = found.sort_by(
        [
            ("account_id", "ascending"),
            ("rated_on", "descending"),
            ("rated_by", "ascending"),
        ]
    )
    at = pc.index_in(ids, found["account_id"].combine_chunks())
    value = found["value"].combine_chunks().cast(pa.float64()).take(at)
    by, on = (
        found[name].combine_chunks().take(at) for name in ("rated_by", "rated_on")
    )
    undated = pc.less_equal(pc.year(on), 1)
    return Judged(
        value.to_numpy(zero_copy_only=False),
        pc.if_else(pc.equal(by, ""), None, by),
        pc.if_else(undated, None, on.cast(pa.date32())),
    )


def came_in(portfolio: Portfolio, facts: RevenueFacts, *, days: int) -> Floats:
    """How often each account came to us in the last days of the period.

    NaN for all where no activity says which way it went; else none is a known zero.
    """
    ids, end = facts.by_account.ids, facts.period.last_day + timedelta(days=1)
    if "activity" not in portfolio:
        return np.full(len(ids), np.nan)
    span = Period.between(end - timedelta(days=days), end)
    zone = portfolio.calendar.time_zone
    came = came_inwards(portfolio).filter(moment_in(span, "occurred_at", zone))
    found = collected(came.group_by("account_id").agg(inbound=nw.len()))
    # Who came says so; only where nobody did has it to be looked for.
    if not found.num_rows and not says_which_way(portfolio["activity"], span, zone):
        return np.full(len(ids), np.nan)
    at = found_at(found["account_id"], ids)
    counts: npt.NDArray[np.int64] = placed(found["inbound"], at)
    return counts.astype(np.float64)


def says_which_way(frame: NativeFrame, span: Period, zone: str) -> bool:
    """Whether an activity that took place says if it came from the account."""
    kinds = {"account_id": pa.string(), "direction": pa.string(), "status": pa.string()}
    told = (
        nw.from_native(completed(frame, kinds))
        .filter(
            moment_in(span, "occurred_at", zone)
            & (nw.col("status").fill_null("held") == "held")
            & ~nw.col("account_id").is_null()
            & ~nw.col("direction").is_null()
        )
        .select("account_id")
        .head(1)
    )
    return bool(collected(told).num_rows)
