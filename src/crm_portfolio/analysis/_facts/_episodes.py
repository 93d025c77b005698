"""When was an opportunity opened again, what had been lost before, and whose was it then?

All from the changes, lazily. A loss is a change into a stage that means one, from one that
does not; without stages, into the status.
"""

from __future__ import annotations

from typing import Any

import pyarrow.compute as pc

from crm_portfolio._frames import kept, nw
from crm_portfolio.analysis._facts._clock import Clock, seconds
from crm_portfolio.analysis._facts._lines import collected, one_of
from crm_portfolio.analysis._facts._ordinals import moved
from crm_portfolio.analysis._facts._pursuits import ALWAYS, unknown
from crm_portfolio.portfolio import Period, Portfolio

__all__ = ["attributed", "last_opened", "lost_before", "turns"]

_ID = "ordinal"


def turns(portfolio: Portfolio) -> Any | None:
    """When opportunities were lost, and opened again: ``is_loss`` is 1 or 0.

    None where nothing tells of changes.
    """
    if "opportunity_change" not in portfolio:
        return None
    field, means = "status", ["lost"]
    if stages := _lost_stages(portfolio):
        field, means = "stage", stages
    changes, moves = moved(portfolio, field)
    was, becomes = (one_of(nw.col(n).fill_null(""), means) for n in ("old", "new"))
    turned = moves.filter(was != becomes)
    told = turned.select("move", is_loss=becomes.cast(nw.Int64))
    return changes.join(told, on="move", how="inner").select(
        _ID,
        "is_loss",
        at_s=seconds(nw.col("changed_at"), portfolio.backend),
    )


def last_opened(turned: Any | None, rows: Any) -> Any:
    """The rows with ``starts_s`` where they were last opened again, if they ever were.

    Args:
        turned: What `turns` tells.
    """
    if turned is None:
        return rows
    _, opened = _both_ways(turned)
    before = nw.col("opened_s") < nw.col("ends_s")
    last = (
        opened.join(rows.select(_ID, "ends_s"), on=_ID, how="inner")
        .filter(before)
        .group_by(_ID)
        .agg(nw.col("opened_s").max())
    )
    starts = nw.coalesce(nw.col("opened_s"), nw.col("starts_s"))
    joined = rows.join(last, on=_ID, how="left").with_columns(starts_s=starts)
    return joined.drop("opened_s")


def lost_before(
    turned: Any | None, records: Any, span: Period, clock: Clock
) -> Any | None:
    """A row for each loss of the period that did not last: lost, then opened again.

    ``number`` says which of its losses it is, from 1 on. Neither its amount nor its reason
    is known: what the record says is of its end. None where nothing tells of changes.

    Args:
        turned: What `turns` tells.
        records: What the records of all opportunities say, of `recorded`.
    """
    if turned is None:
        return None
    losses, opened = _both_ways(turned)
    lost, again = nw.col("lost_s"), nw.col("opened_s")
    later, earlier = (again > lost), (again <= lost)
    ended = (
        losses.join(opened, on=_ID, how="inner")
        .with_columns(
            is_later=later.cast(nw.Int64),
            is_earlier=earlier.cast(nw.Int64),
            from_s=nw.when(earlier).then(again).otherwise(again * 0 + ALWAYS),
        )
        .group_by(_ID, "lost_s")
        .agg(nw.col("is_later", "is_earlier").sum(), nw.col("from_s").max())
        .filter(nw.col("is_later") > 0)
    )
    told = clock.told(ended, "lost_s", day="lost_day")
    # They are few; the engine does not know before they are there.
    told = kept(told.filter(_within(span, nw.col("lost_day"))))
    return (
        records.join(told, on=_ID, how="inner")
        .with_columns(
            number=nw.col("is_earlier").cast(nw.Int64) + 1,
            starts_s=nw.col("from_s"),
            ends_s=lost + 1,
            closed_day=nw.col("lost_day"),
            minor=unknown("lost_s"),
            **{name: _unsaid(name) for name in _OF_THE_END},
        )
        .drop("lost_s", "lost_day", "from_s", "is_later", "is_earlier")
    )


def attributed(portfolio: Portfolio, rows: Any, found: Any | None) -> Any | None:
    """By ``record``, ``owner_then``: whose it was when nothing more happened.

    That is at the last activity, or where there is none when it was entered. Who took it
    over later is not to be asked why. Only of those that were handed over; None where
    nothing tells of changes.

    Args:
        rows: By their ``record``, with the ``ordinal`` of each.
        found: What `contacts_of` them adds up to; None where nobody notes activities.
    """
    if "opportunity_change" not in portfolio:
        return None
    changes, moves = moved(portfolio, "owner_id")
    passed = changes.select(
        _ID, "move", at_s=seconds(nw.col("changed_at"), portfolio.backend)
    )
    # They are few; the engine does not know before they are there.
    own = kept(
        passed.join(rows.select("record", _ID, "created_s"), on=_ID, how="inner")
    )
    quiet = nw.col("created_s")
    if found is not None:
        own = own.join(found.select("record", "last_s"), on="record", how="left")
        quiet = nw.coalesce(nw.col("last_s"), quiet)
    # Whose it was is what the first change after that moment says was there before.
    after = kept(
        own.filter(nw.col("at_s") > quiet)
        .join(moves.select("move", "old"), on="move", how="inner")
        .select("record", "old", "at_s")
    )
    first = after.group_by("record").agg(first_s=nw.col("at_s").min())
    return (
        after.join(first, on="record", how="inner")
        .filter(nw.col("at_s") == nw.col("first_s"))
        .group_by("record")
        .agg(owner_then=nw.col("old").min())
    )


def _both_ways(turned: Any) -> tuple[Any, Any]:
    """When opportunities were lost, ``lost_s``, and opened again, ``opened_s``."""
    is_loss, at = nw.col("is_loss") == 1, nw.col("at_s")
    return (
        turned.filter(is_loss).select(_ID, lost_s=at),
        turned.filter(~is_loss).select(_ID, opened_s=at),
    )


def _lost_stages(portfolio: Portfolio) -> list[str]:
    """Stages that mean a loss in every pipeline that has them."""
    if "stage" not in portfolio:
        return []
    rows = nw.from_native(portfolio["stage"]).lazy().select("stage", "status")
    found = collected(rows)
    is_lost = pc.equal(found["status"], "lost")
    lost, other = (
        found.filter(each)["stage"] for each in (is_lost, pc.invert(is_lost))
    )
    return sorted({*lost.to_pylist()} - {*other.to_pylist()})


def _within(span: Period, day: Any) -> Any:
    assert span.start is not None
    assert span.end is not None
    first, last = (each.toordinal() - _EPOCH for each in (span.start, span.end))
    return (day >= first) & (day < last)


def _unsaid(column: str) -> Any:
    return nw.when(nw.col(_ID).is_null()).then(nw.col(column))


_OF_THE_END = (
    *("loss_reason", "loss_reason_by", "competitor", "refused_on"),
    *("expected_close_on", "is_auto_closed", "has_next_step"),
)
"""What a record says of how it ended, and so of no loss before."""
_EPOCH = 719_163
"""The ordinal of 1 January 1970."""
