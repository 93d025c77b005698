"""What stands in the frames: the dossier of each account, and each of its criteria?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import plain
from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._value_functions import shares_of
from crm_portfolio._places import told_at
from crm_portfolio.analysis._exit._aftermath import Aftermath
from crm_portfolio.analysis._exit._criteria import CODES, CRITERIA, SOURCES
from crm_portfolio.analysis._exit._decisions import Decisions
from crm_portfolio.analysis._exit._fairness import drawn_again
from crm_portfolio.analysis._exit._ladder import STEPS, Ladder
from crm_portfolio.analysis._exit._scores import STANDINGS, Scores
from crm_portfolio.analysis._facts import listed, named

__all__ = ["Dossier", "account_table", "criteria_table", "gravest_first"]

_NAMES: Final = tuple(each.name for each in CRITERIA.values())
_WHO: Final = tuple(each.ask for each in CRITERIA.values())
_GRAVITY: Final = (
    *("refer", "phase_out", "reset_relationship", "reduce_dependence", "renegotiate"),
    *("reprice", "automate", "watch", "grow", "keep", "ask"),
)
_BESIDE: Final = (
    *("discounted_offer_share", "leaked_share"),
    *("special_request_count", "special_hours_share"),
    *("ticket_count", "escalated_share", "satisfaction"),
    *("old_offer_count", "old_offer_alone_count"),
    *("new_offer_count", "joint_project_count"),
)
_TEXT: Final = pa.string()


@attrs.frozen(eq=False)
class Dossier:
    """All that is said of each account, in the order of the facts."""

    scores: Scores
    ladder: Ladder
    after: Aftermath
    decisions: Decisions
    risk_level: npt.NDArray[np.object_]

    @property
    def size(self) -> int:
        return int(self.scores.score.size)


def gravest_first(found: Dossier) -> npt.NDArray[np.int64]:
    """Who needs a person first; of one step who scores least, then by id."""
    place = np.array([_GRAVITY.index(step) for step in STEPS])
    return np.lexsort((found.scores.score, place[found.ladder.step]))


def account_table(found: Dossier, order: npt.NDArray[np.int64]) -> pa.Table:
    """One row an account, in this order; money in the currency, of the period."""
    facts = found.scores.measures.facts
    of = facts.by_account
    steps = np.array(STEPS, dtype=object)[found.ladder.step]
    parts: Iterable[Callable[[], dict[str, pa.Array]]] = (
        lambda: {"account_id": of.ids} | facts.names(of.ids),
        lambda: _proposal(found),
        lambda: _score(found.scores),
        lambda: _values(found.scores),
        lambda: _account(found),
        lambda: _remedies(found.ladder),
        lambda: _after(found.after),
        lambda: _evidence(found.scores),
        lambda: found.decisions.columns(steps),
        lambda: {
            "is_drawn_again": pa.array(drawn_again(found.scores)),
            "line_count": pa.array(of.lines),
            "known_line_count": pa.array(of.known_lines),
        },
    )

    def in_order(part: Callable[[], dict[str, pa.Array]]) -> pa.Table:
        return told_at(pa.table(part()), order)

    # Two parts at a time: all of them in both orders would take twice the room.
    with ThreadPoolExecutor(2) as pool:
        told = [*pool.map(in_order, parts)]
    return pa.table(
        [column for part in told for column in part.columns],
        names=[name for part in told for name in part.column_names],
    )


def _proposal(found: Dossier) -> dict[str, pa.Array]:
    ladder, scores = found.ladder, found.scores
    measures = scores.measures
    is_open = np.isnan(ladder.holds)
    unsure = np.flatnonzero(~(is_open | (ladder.is_firm & ladder.is_settled)))
    decisive = np.full(found.size, -1, dtype=np.int64)
    decisive[unsure] = scores.decisive(unsure)
    return {
        "action": named(ladder.step, STEPS),
        "acceptability": _numbers(ladder.holds),
        "is_firm": pa.array(ladder.is_firm, mask=is_open),
        "decisive_criterion": named(decisive, CODES),
        "weakest_criterion": named(scores.weakest, CODES),
        "blocked_action": named(ladder.blocked, STEPS),
        "other_actions": listed(
            {step: ladder.others(step) for step in ladder.fits}, found.size
        ),
        "tried_actions": listed(ladder.taken.tried, found.size),
        "vetoes": listed(measures.vetoes, found.size),
        "protections": listed(measures.protections, found.size),
    }


def _score(scores: Scores) -> dict[str, pa.Array]:
    shares = scores.standings
    return {
        "standing": named(scores.standing, STANDINGS),
        "score": _numbers(scores.score),
        "score_low": _numbers(scores.low),
        "score_high": _numbers(scores.high),
        "score_coverage": _numbers(scores.coverage),
        "reference_score": _numbers(scores.reference_score),
        "unknown_criteria": listed(
            {
                code: np.isnan(scores.utilities[:, at]) & scores.settings.matters(code)
                for at, code in enumerate(CODES)
            },
            scores.score.size,
        ),
        "low_share": _numbers(shares[:, 0]),
        "middle_share": _numbers(shares[:, 1]),
        "high_share": _numbers(shares[:, 2]),
    }


def _values(scores: Scores) -> dict[str, pa.Array]:
    """What is known by each criterion, in its unit; null: unknown, to be asked for."""
    values = scores.measures.values
    return {name: _numbers(values[:, at]) for at, name in enumerate(_NAMES)}


def _account(found: Dossier) -> dict[str, pa.Array]:
    of = found.scores.measures.of
    return {
        "tier": _texts(of.tier),
        "segment": _texts(of.segment),
        "owner_id": _texts(of.owner_id),
        "risk_level": _texts(found.risk_level),
        "net_revenue": _numbers(of.net_revenue),
        "avoidable_contribution": _numbers(of.avoidable_contribution),
        "hours": _numbers(of.hours),
        "contribution_per_hour": _numbers(of.contribution_per_hour),
        "share": _numbers(of.share),
        "group_share": _numbers(of.group_share),
        "open_amount": _numbers(of.open_amount),
        "overdue_amount": _numbers(of.overdue_amount),
        "contract_count": pa.array(of.contract_count),
        "contract_end_on": pa.array(of.contract_end_on),
        "is_open_ended": pa.array(of.is_open_ended),
        "notice_days": _numbers(of.notice_days),
        "since_on": pa.array(of.since_on),
    }


def _remedies(ladder: Ladder) -> dict[str, pa.Array]:
    return {
        "price_rise": _numbers(ladder.rise),
        "volume_at_stake": _numbers(ladder.at_stake),
        "revenue_to_win": _numbers(ladder.to_win),
    }


def _after(after: Aftermath) -> dict[str, pa.Array]:
    return {
        "freed_value": _numbers(after.freed),
        "least_hour_value": _numbers(after.least_hour_value),
        "balance_after": _numbers(after.balance),
        "safety_after": _numbers(after.safety),
        "hhi_after": _numbers(after.hhi),
        "largest_share_after": _numbers(after.largest),
        "group_member_count": pa.array(after.members),
        "group_other_revenue": _numbers(after.others),
    }


def _evidence(scores: Scores) -> dict[str, pa.Array]:
    """What stands beside the criteria and is not weighed; null: nothing says it."""
    known, nobody = scores.measures.evidence, np.full(scores.score.size, np.nan)
    return {name: _numbers(known.get(name, nobody)) for name in _BESIDE}


def criteria_table(found: Dossier, rows: npt.NDArray[np.int64]) -> pa.Table:
    """One row an account and criterion: what is known of it, and what it does.

    Args:
        rows: The accounts, by their places.
    """
    scores, n = found.scores, len(CODES)
    measures, of = scores.measures, scores.measures.facts.by_account
    held = scores.utilities[rows]
    low, high = scores.intervals(rows)
    sources = measures.sources[rows].ravel()
    is_unknown = sources < 0
    at = pa.array(np.repeat(rows, n))

    def each(names: Sequence[str]) -> pa.Array:
        return pa.array([*names] * rows.size, _TEXT)

    table = pa.table(
        {
            "account_id": of.ids.take(at),
            "criterion": each(CODES),
            "name": each(_NAMES),
            "value": _numbers(measures.values[rows].ravel()),
            "unit": pc.if_else(
                pa.array(sources == SOURCES.index("rating")),
                "rating",
                each([one.unit for one in CRITERIA.values()]),
            ),
            "source": named(
                np.where(is_unknown, len(SOURCES), sources), [*SOURCES, "unknown"]
            ),
            "said_on": pa.array(measures.said_on[rows].ravel()),
            "rater_spread": _numbers(measures.spread[rows].ravel()),
            "is_partial": pa.array(measures.is_partial[rows].ravel()),
            "ask": pc.if_else(pa.array(is_unknown), each(_WHO), None),
            "worth": _numbers(held.ravel()),
            "weight": pa.array(np.tile(twelve_digits(scores.weights), rows.size)),
            "effective_weight": _numbers(
                twelve_digits(shares_of(held, scores.weights)).ravel()
            ),
            "contribution": pa.array(
                scores.contributions(rows).ravel(), mask=np.isnan(held).ravel()
            ),
            "weight_low": _numbers(low.ravel()),
            "weight_high": _numbers(high.ravel()),
        }
    )
    return plain(table)


def _numbers(values: Floats) -> pa.Array:
    return pa.array(twelve_digits(values), mask=np.isnan(values))


def _texts(values: npt.NDArray[np.object_]) -> pa.Array:
    return pa.array(values, _TEXT)
