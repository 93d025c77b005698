"""What became of those who asked and are no opportunity yet?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.samples import _columns, _deals, _names, _slips, _workdays

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from crm_portfolio.samples._courses import Sales

__all__ = ["drawn"]

# Story, its class, how often of a hundred, hours to our answer, what the CRM says.
_STORIES: Final = (
    ("nobody_answered", "missed_unseen", 22, None, "Open"),
    ("answered_too_late", "missed_late", 18, (90.0, 0.35), "Closed"),
    ("answered", None, 60, (3.0, 0.6), "Contacted"),
)


def drawn(
    chance: np.random.Generator, sales: Sales, count: int, owners: int, noise: float
) -> tuple[pa.Table, pa.Table]:
    """The table of enquiries, and the truth of those that became no opportunity.

    One in four became one; it was answered before.
    """
    shares = np.array([each[2] for each in _STORIES]) / 100
    story = chance.choice(len(_STORIES), size=count, p=shares)
    became = np.where(
        chance.random(count) < 0.25,
        chance.choice(len(sales.story), size=count, replace=False),
        -1,
    )
    arrived, answer, is_answered = _answers(chance, story)
    entered = sales.created[became]
    arrived = np.where(became < 0, arrived, entered - chance.integers(9, 99, count))
    answer = np.where(became < 0, answer, entered - chance.integers(1, 9, count))
    # The CRM stamps the first answer by itself: that is seldom missing.
    is_known = is_answered | (became >= 0)
    is_known &= ~_slips.happens(chance, noise / 5, count)
    said = np.where(became < 0, story, len(_STORIES))
    enquiry = pa.table(
        {
            "enquiry_id": _columns.ids("E", np.arange(count)),
            "created_at": _moments(arrived),
            "opportunity_id": _columns.ids("O", became),
            "owner_id": _columns.ids("U", chance.integers(0, owners, size=count)),
            "segment": _columns.draw(chance, _names.SEGMENTS, count),
            "source": _columns.draw(chance, ("Web", "Trade Show", None), count),
            "status": _columns.pick([*(e[4] for e in _STORIES), "Converted"], said),
            "first_response_at": pc.if_else(
                pa.array(is_known),
                _moments(answer),
                pa.scalar(None, pa.timestamp("us", "UTC")),
            ),
        }
    )
    return enquiry, _truths(enquiry, story).filter(pa.array(became < 0))


def _answers(
    chance: np.random.Generator, story: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """When each arrived, when it was answered, and whether it was at all."""
    count = len(story)
    hours = np.array([each[3] or (1.0, 0.0) for each in _STORIES])[story]
    opened = _workdays.worked(chance.integers(8, _deals.LAST_DAY - 60, size=count))
    is_night = chance.random(count) < 0.55
    start = opened + ~is_night * chance.integers(0, _workdays.MINUTES, size=count)
    night = _workdays.night_before(chance, start)
    arrived = np.where(is_night, night, _workdays.at(start))
    spread = np.exp(chance.normal(size=count) * hours[:, 1])
    spent = np.clip(60 * hours[:, 0] * spread, 24 * hours[:, 0], 300 * hours[:, 0])
    is_answered = np.array([each[3] is not None for each in _STORIES])[story]
    return arrived, _workdays.at(start + spent.astype(np.int64)), is_answered


def _moments(minutes: NDArray[np.int64]) -> pa.Array:
    return _workdays.utc(minutes, is_utc=np.zeros(len(minutes), dtype=np.bool_))


def _truths(enquiry: pa.Table, story: NDArray[np.int64]) -> pa.Table:
    count = len(story)
    return pa.table(
        {
            "record_id": enquiry["enquiry_id"],
            "record": _columns.pick(["enquiry"], np.zeros(count, dtype=np.int64)),
            "class": _columns.pick([each[1] for each in _STORIES], story),
            "story": _columns.pick([each[0] for each in _STORIES], story),
            "owner_id": enquiry["owner_id"],
            "refused_on": pa.nulls(count, pa.date32()),
            "attempt_count": pa.nulls(count, pa.int64()),
        }
    )
