"""What asks for hours, what would it bring, and what does it take?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from math import ceil
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame, to_arrow
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._places import places_of
from crm_portfolio.analysis._facts import SaleTime, open_business, parked_projects
from crm_portfolio.analysis._freed._hours import Freed
from crm_portfolio.analysis._loss import (
    FINE,
    Case,
    has_whole_previous,
    odds_of,
    starts_on,
)
from crm_portfolio.analysis._succession import SuccessionResult
from crm_portfolio.analysis._win_back import WinBackResult
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.portfolio import Portfolio

__all__ = ["ASK_FIRST", "Kind", "others", "projects", "rising", "sales", "win_backs"]

ASK_FIRST: Final = "win_back_ask_first"
"""The kind of those of whom nobody knows whether they refused."""

_DAYS_A_YEAR = 365.2425
_TEXT, _DAY, _NUMBER = pa.string(), pa.date32(), pa.float64()
_GIVEN: Mapping[str, pa.DataType] = {
    "candidate_id": _TEXT,
    "kind": _TEXT,
    "account_id": _TEXT,
    "name": _TEXT,
    "role": _TEXT,
    "hours": _NUMBER,
    "value": _NUMBER,
    "odds": _NUMBER,
    "deadline_on": _DAY,
}


@attrs.frozen(eq=False)
class Kind:
    """Candidates of one kind: ``minutes`` by role, ``full`` value if it comes off.

    Attributes:
        odds: NaN where it is no question of yes or no.
    """

    kind: Any
    record_id: pa.Array
    account_id: pa.Array
    name: pa.Array
    minutes: Mapping[str, Groups]
    is_timed: Flags
    full: Amounts
    odds: Floats
    is_valued: Flags
    deadline: pa.Array
    is_overdue: Flags

    def table(self) -> pa.Table:
        kind = self.kind
        if isinstance(kind, str):
            kind = pa.array([kind] * len(self.record_id), _TEXT)
        return pa.table(
            {
                "candidate_id": pc.binary_join_element_wise(kind, self.record_id, ":"),
                "kind": kind,
                "record_id": self.record_id,
                "account_id": self.account_id.cast(_TEXT),
                "name": self.name.cast(_TEXT),
                "deadline_on": self.deadline.cast(_DAY),
            }
        )


def _ratios(case: Case) -> tuple[Floats, float]:
    """Contribution for revenue of each account, and of one that tells none; else NaN."""
    of, share = case.facts.by_account, case.settings.variable_cost_share
    whole, total = case.total_contribution, case.total
    mix = np.nan
    if share is not None:
        mix = 1 - share
    elif whole is not None and total is not None and total > 0:
        mix = whole / (total * FINE)
    is_own = case.is_costed & of.has_lines & of.is_known & (of.revenue > 0)
    own: Floats = case.contribution / np.where(is_own, of.revenue * FINE, 1)
    return np.where(is_own, own, mix), mix


def sales(
    portfolio: Portfolio,
    case: Case,
    freed: Freed,
    sale: SaleTime | None,
    left_out: dict[str, int],
) -> Kind | None:
    """Open sales of new business; a renewal's hours are spent already."""
    if "opportunity" not in portfolio:
        return None
    found = open_business(portfolio)
    at, is_taken = _places(case, found["account_id"])
    odds = odds_of(portfolio, found)
    stays = 1 - freed.settings.scenario.lost_share
    odds = np.clip(np.where(is_taken, odds * stays, odds), 0.0, 1.0)
    is_renewal = pc.equal(found["kind"], "renewal").to_numpy()
    is_gone = is_taken & (stays == 0) & ~is_renewal
    left_out["renewals"] = int(is_renewal.sum())
    left_out["sales_of_lost_accounts"] = int(is_gone.sum())
    kept = np.flatnonzero(~is_renewal & ~is_gone)
    found, odds = found.take(pa.array(kept)), odds[kept]
    own, mix = _ratios(case)
    ratio = np.append(own, mix)[at[kept]]
    is_valued = found["minor"].is_valid().to_numpy() & ~np.isnan(odds + ratio)
    minor = pc.fill_null(found["minor"], 0).to_numpy()
    worth = minor * np.nan_to_num(ratio) * _discount(found["deadline_on"], case, freed)
    hours = _sale_minutes(freed.settings.hours_per_sale, sale)
    everyone = np.ones(kept.size, dtype=np.int64)
    return Kind(
        kind="sale",
        record_id=found["opportunity_id"].combine_chunks(),
        account_id=found["account_id"].combine_chunks(),
        name=found["name"].combine_chunks(),
        minutes={role: each * everyone for role, each in hours.items()},
        is_timed=np.full(kept.size, bool(hours)),
        full=np.rint(worth).astype(np.int64),
        odds=np.where(np.isnan(odds), 0.0, odds),
        is_valued=is_valued,
        deadline=found["deadline_on"].combine_chunks(),
        is_overdue=_before(found["deadline_on"], portfolio.as_of),
    )


def _sale_minutes(
    hours: Mapping[str, float] | None, sale: SaleTime | None
) -> dict[str, int]:
    """What one sale takes, by role, rounded up; nothing where nobody says."""
    if hours is not None:
        return {role: ceil(60 * each - 1e-9) for role, each in hours.items()}
    told = {} if sale is None else sale.seconds
    return {role: ceil(each / 60 - 1e-9) for role, each in told.items()}


def rising(case: Case, freed: Freed, succession: SuccessionResult) -> Kind | None:
    """Rising accounts: another year's growth like the last, at their own hours for it."""
    frame = succession.columns("account_id", "is_exploration")
    listed = pa.array(succession.rising, _TEXT)
    at, is_taken = _places(case, listed)
    listed, at = listed.filter(pa.array(~is_taken)), at[~is_taken]
    of = case.facts.by_account
    growth = of.revenue[at] - of.revenue_previous[at]
    is_grown = (of.is_whole & of.is_whole_previous)[at]
    is_grown &= (growth > 0) & has_whole_previous(case)
    growth = np.where(is_grown, growth, 0)
    ratio = _ratios(case)[0][at]
    share = growth / np.maximum(of.revenue[at], 1)
    minutes = freed.minutes_of(at, share)
    drawn = set(frame.filter(frame["is_exploration"])["account_id"].to_pylist())
    kinds = [
        "exploration" if each in drawn else "rising" for each in listed.to_pylist()
    ]
    return Kind(
        kind=pa.array(kinds, _TEXT),
        record_id=listed,
        account_id=listed,
        name=case.facts.names(listed).get("name", pa.nulls(len(listed), _TEXT)),
        minutes={role: minutes[:, at] for at, role in enumerate(freed.roles)},
        is_timed=freed.time.given.is_known[at],
        full=np.rint(growth * np.nan_to_num(ratio)).astype(np.int64),
        odds=np.full(at.size, np.nan),
        is_valued=is_grown & ~np.isnan(ratio),
        deadline=pa.nulls(len(listed), _DAY),
        is_overdue=np.zeros(at.size, dtype=bool),
    )


def projects(
    portfolio: Portfolio, case: Case, freed: Freed, left_out: dict[str, int]
) -> Kind | None:
    """Parked projects: what was forgotten, or could not be done."""
    if "project" not in portfolio:
        return None
    found = parked_projects(portfolio["project"])
    is_taken = _places(case, found["account_id"])[1]
    left_out["projects_of_lost_accounts"] = int(is_taken.sum())
    found = found.filter(pa.array(~is_taken))
    role = pc.fill_null(found["role"], "").to_numpy(zero_copy_only=False)
    minutes = _minutes(found["hours_to_finish"])
    return Kind(
        kind="project",
        record_id=found["project_id"].combine_chunks(),
        account_id=found["account_id"].combine_chunks(),
        name=found["name"].combine_chunks(),
        minutes={
            each: np.where(role == each, minutes, 0) for each in sorted(set(role))
        },
        is_timed=_is_usable(found["hours_to_finish"]),
        full=np.rint(
            _minor(found["expected_contribution"], case)
            * _discount(found["deadline_on"], case, freed)
        ).astype(np.int64),
        odds=np.full(found.num_rows, np.nan),
        is_valued=found["expected_contribution"].is_valid().to_numpy(),
        deadline=found["deadline_on"].combine_chunks(),
        is_overdue=_before(found["deadline_on"], starts_on(case)),
    )


def win_backs(
    case: Case,
    freed: Freed,
    found: WinBackResult | None,
    *,
    sale: SaleTime | None,
    left_out: dict[str, int],
) -> Kind | None:
    """Lost opportunities worth another try now; hours by role as a sale takes them."""
    if found is None:
        return None
    rows = found.candidates()
    is_taken = _places(case, rows["account_id"])[1]
    left_out["win_backs_of_lost_accounts"] = int(is_taken.sum())
    rows = rows.filter(pa.array(~is_taken))
    whole = _minutes(rows["hours"]).astype(np.float64)
    roles = _sale_minutes(freed.settings.hours_per_sale, sale)
    total = sum(roles.values())
    shares = (
        {role: each / total for role, each in roles.items()} if total else {"": 1.0}
    )
    asks = pc.equal(rows["recommendation"], "ask_first")
    odds = pc.fill_null(rows["odds"], np.nan).to_numpy()
    return Kind(
        kind=pc.if_else(asks, ASK_FIRST, "win_back").combine_chunks(),
        record_id=rows["opportunity_id"].combine_chunks(),
        account_id=rows["account_id"].combine_chunks(),
        name=pa.nulls(rows.num_rows, _TEXT),
        minutes={
            role: np.ceil(whole * share - 1e-9).astype(np.int64)
            for role, share in shares.items()
        },
        is_timed=_is_usable(rows["hours"]),
        full=_minor(rows["value"], case),
        odds=np.nan_to_num(odds),
        is_valued=rows["value"].is_valid().to_numpy() & ~np.isnan(odds),
        deadline=pa.nulls(rows.num_rows, _DAY),
        is_overdue=np.zeros(rows.num_rows, dtype=bool),
    )


def others(case: Case, frame: NativeFrame | None) -> Kind | None:
    """Candidates of another source, one row a role: what they bring is taken as said."""
    if frame is None:
        return None
    rows = _checked(to_arrow(frame))
    first = rows.group_by("candidate_id", use_threads=False).aggregate(
        [(name, "first") for name in rows.column_names if name != "candidate_id"]
    )
    first = first.rename_columns(
        [each.removesuffix("_first") for each in first.column_names]
    )
    at = pc.index_in(rows["candidate_id"], first["candidate_id"].combine_chunks())
    place, taken = at.to_numpy(), _minutes(rows["hours"])
    role = pc.fill_null(rows["role"], "").to_numpy(zero_copy_only=False)
    minutes = {}
    for each in sorted(set(role)):
        minutes[each] = np.zeros(first.num_rows, dtype=np.int64)
        np.add.at(minutes[each], place[role == each], taken[role == each])
    is_timed = np.ones(first.num_rows, dtype=bool)
    is_timed[place[~_is_usable(rows["hours"])]] = False
    return Kind(
        kind=pc.fill_null(first["kind"], "other").combine_chunks(),
        record_id=first["candidate_id"].combine_chunks(),
        account_id=first["account_id"].combine_chunks(),
        name=first["name"].combine_chunks(),
        minutes=minutes,
        is_timed=is_timed,
        full=_minor(first["value"], case),
        odds=pc.fill_null(first["odds"], np.nan).to_numpy(),
        is_valued=first["value"].is_valid().to_numpy(),
        deadline=first["deadline_on"].combine_chunks(),
        is_overdue=_before(first["deadline_on"], starts_on(case)),
    )


def _checked(rows: pa.Table) -> pa.Table:
    """The columns we know, or what is wrong with them."""
    for name in rows.column_names:
        if name not in _GIVEN:
            raise SettingsError(
                f"candidates have no column {name!r}"
                + (did_you_mean(name, _GIVEN) or f"; they have {', '.join(_GIVEN)}")
            )
    if "candidate_id" not in rows.column_names or rows["candidate_id"].null_count:
        raise SettingsError("each row of candidates needs its candidate_id")
    columns = {
        name: rows[name].cast(kind)
        if name in rows.column_names
        else pa.nulls(rows.num_rows, kind)
        for name, kind in _GIVEN.items()
    }
    odds = pa.table(columns)["odds"]
    if not pc.all(
        pc.and_(pc.greater_equal(odds, 0), pc.less_equal(odds, 1))
    ).as_py() and (odds.null_count < len(odds)):
        raise SettingsError("the odds of candidates are shares from 0 to 1")
    return pa.table(columns)


def _places(case: Case, ids: pa.ChunkedArray | pa.Array) -> tuple[Groups, Flags]:
    """Where these accounts stand, -1 for none of ours, and whether they are lost."""
    at = places_of(ids, case.facts.by_account.ids)
    place: Groups = pc.fill_null(at, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return place, np.append(case.is_taken, values=False)[place]


def _is_usable(hours: pa.ChunkedArray) -> Flags:
    """Nothing takes less than no time, nor for ever."""
    known: Floats = pc.fill_null(hours, np.nan).to_numpy()
    usable: Flags = (known >= 0) & np.isfinite(known)
    return usable


def _minutes(hours: pa.ChunkedArray) -> Groups:
    known = np.where(_is_usable(hours), pc.fill_null(hours, 0.0).to_numpy(), 0.0)
    whole: Groups = np.ceil(known * 60 - 1e-9).astype(np.int64)
    return whole


def _minor(amount: pa.ChunkedArray, case: Case) -> Amounts:
    known = pc.fill_null(amount.cast(_NUMBER), 0.0).to_numpy()
    whole: Amounts = np.rint(known * 10**case.facts.digits).astype(np.int64)
    return whole


def _discount(day: pa.ChunkedArray, case: Case, freed: Freed) -> Floats:
    """What a unit on that day is worth when the hours come free; 1 without a day."""
    begins = np.datetime64(starts_on(case), "D")
    days = (day.to_numpy().astype("datetime64[D]") - begins).astype(np.float64)
    days[np.isnat(day.to_numpy().astype("datetime64[D]"))] = 0.0
    years = np.maximum(days, 0.0) / _DAYS_A_YEAR
    worth: Floats = (1 + freed.settings.discount_share) ** -years
    return worth


def _before(day: pa.ChunkedArray, limit: date) -> Flags:
    found = pc.fill_null(pc.less(day, pa.scalar(limit, _DAY)), fill_value=False)
    flags: Flags = found.to_numpy(zero_copy_only=False).astype(bool)
    return flags
