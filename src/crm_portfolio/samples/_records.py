"""What does the CRM hold of each sale, once people have written it down?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.samples import _columns, _courses, _deals, _names, _slips, _workdays
from crm_portfolio.samples._stories import STORIES, told

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from crm_portfolio.samples._courses import Sales

__all__ = ["activity", "change", "entered_twice", "opportunity", "stage"]

_STAGES: Final = (
    ("Discovery", 1, "open", False, 0.1),
    ("Qualification", 2, "open", False, 0.2),
    ("Proposal", 3, "open", True, 0.5),
    ("Negotiation", 4, "open", True, 0.8),
    ("Won", 5, "won", False, 1.0),
    ("Lost", 6, "lost", False, 0.0),
)
_TALKS: Final = (0.35, 0.35, 0.15, 0.15)  # of the talking is done in each open stage
_NEGOTIATION, _WON, _LOST = 3, 4, 5
_RIVALS: Final = ("Northwind", "Fabrikam", "Umbrella", "Initech")


def entered_twice(
    chance: np.random.Generator, opportunities: pa.Table, doubles: NDArray[np.int64]
) -> pa.Table:
    """The second entry of a sale, given up as lost.

    Half of them when somebody notices, half when the sale itself comes to its end.
    """
    count = len(doubles)
    rows = opportunities.take(pa.array(doubles))
    later = pa.array(chance.integers(600, 172_800, size=count), pa.duration("s"))
    moved = pc.add(rows["created_at"], later)
    entered = pc.local_timestamp(moved).cast(pa.date32()).cast(pa.int32()).to_numpy()
    noticed = entered - _deals.EPOCH + chance.integers(1, 10, size=count)
    ended = rows["closed_on"].cast(pa.int32()).to_numpy() - _deals.EPOCH
    closed = np.where(chance.random(count) < 0.5, noticed, ended)
    new = {
        "opportunity_id": _columns.ids("D", doubles),
        "stage": _same("Lost", count),
        "status": _same("lost", count),
        "created_at": moved,
        "closed_on": _columns.days(np.maximum(closed, entered - _deals.EPOCH)),
        "loss_reason": _same("duplicate", count),
        "loss_reason_by": _same("seller", count),
        "competitor": _same(None, count),
        "next_step": _same(None, count),
        "refused_on": pa.nulls(count, pa.date32()),
        "is_auto_closed": pa.array(np.zeros(count, dtype=np.bool_)),
    }
    return pa.table(
        {name: new.get(name, rows[name]) for name in rows.column_names},
        schema=opportunities.schema,
    )


def _same(value: str | None, count: int) -> pa.Array:
    return pa.array([value], pa.string()).take(pa.array(np.zeros(count, np.int64)))


def opportunity(
    chance: np.random.Generator,
    sales: Sales,
    owners: NDArray[np.int64],
    account: pa.Table,
    noise: float,
) -> pa.Table:
    """One row a sale, as it stands on the last day."""
    count = len(sales.story)
    is_open = told("truth", sales.story) == "open"
    stages = np.where(is_open, sales.reached, np.where(sales.lost, _LOST, _WON))
    statuses = np.where(is_open, 0, 1 + sales.lost)
    names = account["name"].combine_chunks().take(pa.array(sales.account))
    subject = _columns.draw(chance, _names.SUBJECTS, count)
    title = pc.binary_join_element_wise(names, subject, ": ", null_handling="skip")
    unowned = told("truth", sales.story) == "missed_unseen"
    unowned &= chance.random(count) < 0.25
    no_amount = _slips.happens(chance, noise, count)
    return pa.table(
        {
            "opportunity_id": _columns.ids("O", np.arange(count)),
            "account_id": _columns.ids("A", sales.account),
            "name": title,
            "owner_id": _columns.ids("U", np.where(unowned, -1, owners)),
            "pipeline": _same("default", count),
            "stage": _columns.pick([each[0] for each in _STAGES], stages),
            "status": _columns.pick(("open", "won", "lost"), statuses),
            "amount": pa.array(sales.cents / 100, mask=no_amount),
            "created_at": _moments(sales.created),
            "closed_on": _columns.days(sales.closed, ~is_open),
            "expected_close_on": _columns.days(_expected(chance, sales, is_open)),
            "kind": _kinds(chance, sales.story, noise),
            **_why(chance, sales.story, noise),
            "next_step": _next_step(chance, sales.story),
            "refused_on": _columns.days(sales.refused, sales.refused >= 0),
            "is_auto_closed": pa.array(sales.is_swept & sales.lost),
        }
    )


def _kinds(
    chance: np.random.Generator, story: NDArray[np.int64], noise: float
) -> pa.Array:
    kinds = np.where(told("kind", story) == "renewal", 1, 0)
    unknown = _slips.happens(chance, noise, len(story))
    return _columns.pick(("new", "renewal", None), np.where(unknown, 2, kinds))


def _next_step(chance: np.random.Generator, story: NDArray[np.int64]) -> pa.Array:
    has_none = chance.random(len(story)) >= told("next_step", story)
    return _columns.pick(("call back", None), has_none.astype(np.int64))


def _why(
    chance: np.random.Generator, story: NDArray[np.int64], noise: float
) -> dict[str, pa.Array]:
    """Why it was lost, who says so, and to whom."""
    count = len(story)
    reason = _reasons(chance, story)
    has_rival = (reason == "competitor").astype(np.bool_)
    reason[_slips.happens(chance, noise, count)] = None
    by_client = chance.random(count) < told("by_client", story)
    rival = chance.integers(0, len(_RIVALS), size=count)
    is_known = has_rival & (chance.random(count) < 0.8)
    reasons = pa.array(reason, pa.string())
    teller = _columns.pick(("seller", "client"), by_client.astype(np.int64))
    none = pa.scalar(None, pa.string())
    return {
        "loss_reason": reasons,
        "loss_reason_by": pc.if_else(pc.is_valid(reasons), teller, none),
        "competitor": pc.if_else(
            pa.array(is_known), _columns.pick(_RIVALS, rival), none
        ),
    }


def _reasons(
    chance: np.random.Generator, story: NDArray[np.int64]
) -> NDArray[np.object_]:
    said = [each.reasons for each in STORIES]
    widest = max(len(each) for each in said)
    table = np.array(
        [[*each, *[None] * (widest - len(each))] for each in said], dtype=object
    )
    sizes = np.array([len(each) for each in said])[story]
    drawn: NDArray[np.object_] = table[
        story, (chance.random(len(story)) * sizes).astype(np.int64)
    ]
    return drawn


def _expected(
    chance: np.random.Generator, sales: Sales, is_open: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """The day its owner last expected the decision on."""
    count = len(sales.story)
    step = told("step", sales.story)
    last = sales.last // _workdays.DAY
    near = sales.closed + chance.integers(-8, 15, size=count)
    overdue = last + chance.integers(3, 25, size=count)
    ahead = sales.closed + chance.integers(10, 40, size=count)
    planned = last + chance.integers(10, 120, size=count)
    expected = np.where(step == "overdue", overdue, near)
    expected = np.where(step == "ahead", ahead, expected)
    return np.where(is_open, planned, np.maximum(expected, last))


def change(
    chance: np.random.Generator,
    sales: Sales,
    owners: NDArray[np.int64],
    noise: float,
) -> pa.Table:
    """Each move from stage to stage, and who took over from whom."""
    names = [each[0] for each in _STAGES]
    sale, old, new, moment = _moves(chance, sales, noise)
    passed = np.flatnonzero(owners != sales.owner)
    days = (sales.closed[passed] + sales.last[passed] // _workdays.DAY) // 2
    fields = np.repeat(["stage", "owner_id"], [len(sale), len(passed)])
    before, after = (
        pa.concat_arrays(
            [_columns.pick(names, stages), _columns.ids("U", whose[passed])]
        )
        for stages, whose in ((old, sales.owner), (new, owners))
    )
    moments = np.concatenate([moment, days * _workdays.DAY + _workdays.OPENS])
    return pa.table(
        {
            "opportunity_id": _columns.ids("O", np.concatenate([sale, passed])),
            "changed_at": _moments(moments),
            "field": pa.array(fields),
            "old": before,
            "new": after,
        }
    )


def _moves(
    chance: np.random.Generator, sales: Sales, noise: float
) -> tuple[NDArray[np.int64], ...]:
    """Whose move, from which stage to which one, and when; won back ones move thrice more."""
    is_open = told("truth", sales.story) == "open"
    said = _slips.stages(chance, sales.reached, noise)
    reached = np.where(is_open, sales.reached, said)
    is_back = sales.reopened >= 0
    steps = reached + ~is_open
    moves = steps + 2 * is_back
    sale = np.repeat(np.arange(len(moves)), moves)
    place = np.arange(len(sale)) - (np.cumsum(moves) - moves)[sale]
    beyond = place - reached[sale]  # 0: the end; 1 and 2: opened again, and won
    span = (sales.last - sales.created)[sale]
    passed = np.append(_TALKS, [0.0, 0.0])
    share = np.cumsum(passed)[place] / np.cumsum(passed)[reached[sale]]
    middle = sales.created[sale] + (span * share).astype(np.int64)
    first_end = np.where(is_back, sales.first_lost, sales.closed) * _workdays.DAY
    first_end = np.maximum(first_end + 17 * 60, sales.last + 1)
    last_end = sales.closed * _workdays.DAY + 17 * 60
    moment = np.select(
        [beyond < 0, beyond == 0, beyond == 1],
        [middle, first_end[sale], sales.reopened[sale]],
        last_end[sale],
    )
    end = np.where(sales.lost | is_back, _LOST, _WON)[sale]
    new = np.select(
        [beyond < 0, beyond == 0, beyond == 1], [place + 1, end, _NEGOTIATION], _WON
    )
    old = np.select([beyond <= 0, beyond == 1], [place, _LOST], _NEGOTIATION)
    return sale, old, new, moment


def _moments(minutes: NDArray[np.int64]) -> pa.Array:
    return _workdays.utc(minutes, is_utc=np.zeros(len(minutes), dtype=np.bool_))


def activity(log: _slips.Logged, sales: Sales) -> pa.Table:
    """One row for each contact that was logged."""
    each = log.contacts
    return pa.table(
        {
            "activity_id": _columns.ids("V", np.arange(len(each.sale))),
            "occurred_at": _workdays.utc(each.moment, is_utc=log.is_utc),
            "account_id": _columns.ids("A", sales.account[each.sale]),
            "opportunity_id": _columns.ids("O", each.sale),
            "kind": _columns.pick(_courses.KINDS, each.kind),
            "direction": _columns.pick(
                ("in", "out", None),
                np.where(log.has_direction, each.is_ours.astype(np.int64), 2),
            ),
            "status": _columns.pick(("held", "cancelled", "open"), each.status),
            "minutes": pa.array(np.array([8.0, 20.0, 60.0, 0.0])[each.kind]),
            "owner_id": _columns.ids("U", sales.owner[each.sale]),
        }
    )


def stage() -> pa.Table:
    """The stages of the one pipeline."""
    names, position, status, proposal, probability = zip(*_STAGES, strict=True)
    return pa.table(
        {
            "pipeline": ["default"] * len(_STAGES),
            "stage": list(names),
            "position": list(position),
            "status": list(status),
            "is_proposal": list(proposal),
            "default_probability": list(probability),
        }
    )
