"""What could hours go to, and who of us had them?"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame, kept, nw
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._places import places_of
from crm_portfolio.analysis._facts._attached import UNRATED, Worked, worked
from crm_portfolio.analysis._facts._lines import collected, completed, seconds_given
from crm_portfolio.analysis._facts._once import once_per_portfolio
from crm_portfolio.analysis._facts._revenue import RevenueFacts
from crm_portfolio.portfolio import Period, Portfolio

__all__ = [
    "RoleTime",
    "SaleTime",
    "open_business",
    "parked_projects",
    "role_time",
    "sale_time",
]

_TEXT, _DAY, _NUMBER = pa.string(), pa.date32(), pa.float64()


@attrs.frozen(eq=False)
class RoleTime:
    """Time given to each account in the period, by role.

    Attributes:
        roles: Sorted; an empty name holds the time that no role was noted for.
        seconds: A row an account, in the order of the facts, and a column a role.
    """

    given: Worked
    roles: tuple[str, ...]
    seconds: Groups


@attrs.frozen(eq=False)
class SaleTime:
    """What sales that were won took: the mean of ``count`` of them, in seconds by role."""

    count: int
    seconds: dict[str, float]


@once_per_portfolio
def role_time(portfolio: Portfolio, facts: RevenueFacts) -> RoleTime:
    """`worked`, role by role; activities have no role."""
    given = worked(portfolio, facts)
    if given.source != "effort":
        return RoleTime(given, ("",), given.seconds[:, None])
    found = seconds_by_role(portfolio["effort"], facts.period)
    roles = sorted(pc.unique(found["role"]).to_pylist()) or [""]
    seconds = np.zeros((len(facts.by_account.ids), len(roles)), dtype=np.int64)
    at = places_of(found["account_id"], facts.by_account.ids).to_numpy()
    column = pc.index_in(found["role"], pa.array(roles)).to_numpy()
    seconds[at, column] = found["seconds"].to_numpy()
    # A role with less than no time would be freed of hours that nobody gave.
    is_negative = (seconds < 0).any(axis=1)
    seconds[is_negative] = 0
    given = attrs.evolve(
        given,
        is_known=given.is_known & ~is_negative,
        negative_count=int(is_negative.sum()),
    )
    return RoleTime(given, tuple(roles), seconds)


@once_per_portfolio
def sale_time(portfolio: Portfolio) -> SaleTime | None:
    """How long sales that were won took us; None where no time is noted, or less."""
    if "effort" not in portfolio or "opportunity" not in portfolio:
        return None
    worked = kept(seconds_by_sale(portfolio["effort"], portfolio["opportunity"]))
    each = worked.group_by("opportunity_id").agg(nw.col("seconds").sum())
    count = collected(each.select(n=nw.len()))["n"][0].as_py()
    if not count:
        return None
    sums = collected(worked.group_by("role").agg(nw.col("seconds").sum()))
    sums = sums.sort_by("role")
    if pc.min(sums["seconds"]).as_py() < 0:
        return None
    told = zip(sums["role"].to_pylist(), sums["seconds"].to_pylist(), strict=True)
    return SaleTime(count, {role: seconds / count for role, seconds in told})


def seconds_by_role(frame: NativeFrame, span: Period) -> pa.Table:
    """Time worked in the period, by account and role."""
    day = nw.col("worked_on")
    rows = _timed(frame, (day >= span.start) & (day < span.end), "account_id")
    return collected(rows.group_by("account_id", "role").agg(nw.col("seconds").sum()))


def seconds_by_sale(effort: NativeFrame, opportunity: NativeFrame) -> Any:
    """Time ever worked for a sale that was won, lazily: by sale and role, as noted."""
    sales = nw.from_native(opportunity).lazy().filter(nw.col("status") == "won")
    rows = _timed(effort, ~nw.col("opportunity_id").is_null(), "opportunity_id")
    return rows.join(sales.select("opportunity_id"), on="opportunity_id", how="inner")


def _timed(frame: NativeFrame, which: object, key: str) -> Any:
    kinds = {"role": _TEXT, "opportunity_id": _TEXT}
    return (
        nw.from_native(completed(frame, kinds))
        .lazy()
        .filter(which)
        .select(
            nw.col(key),
            nw.col("role").fill_null(""),
            seconds=seconds_given(),
        )
    )


@once_per_portfolio
def open_business(portfolio: Portfolio) -> pa.Table:
    """`open_sales` of the portfolio."""
    return open_sales(portfolio["opportunity"], portfolio.minor_digits)


def open_sales(frame: NativeFrame, digits: int) -> pa.Table:
    """Open sales one by one, sorted by id, with what they say of odds, amount and day."""
    texts = ("account_id", "name", "pipeline", "stage", "kind")
    kinds = {
        **dict.fromkeys(texts, _TEXT),
        "amount": _NUMBER,
        "probability": _NUMBER,
        "expected_close_on": _DAY,
    }
    amount = nw.col("amount")
    found = collected(
        nw.from_native(completed(frame, kinds))
        .filter(nw.col("status") == "open")
        .select(
            nw.col("opportunity_id"),
            nw.col("account_id"),
            nw.col("name"),
            *(nw.col(each).fill_null("") for each in texts[2:]),
            odds=nw.col("probability").fill_null(UNRATED),
            minor=(amount * float(10**digits)).round(0).cast(nw.Int64),
            deadline_on=nw.col("expected_close_on"),
        )
    )
    return found.sort_by("opportunity_id").combine_chunks()


def parked_projects(frame: NativeFrame) -> pa.Table:
    """Projects that rest, sorted by id, with what they take and bring."""
    kinds = {
        **dict.fromkeys(("account_id", "name", "status", "role"), _TEXT),
        "hours_to_finish": _NUMBER,
        "expected_contribution": _NUMBER,
        "deadline_on": _DAY,
    }
    found = collected(
        nw.from_native(completed(frame, kinds))
        .filter(nw.col("status") == "parked")
        .select("project_id", *(each for each in kinds if each != "status"))
    )
    return found.sort_by("project_id").combine_chunks()
