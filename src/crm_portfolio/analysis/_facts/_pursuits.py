"""How was each opportunity that came to its end pursued until then?

One row for each, lazily, in the engine that holds the tables: what its record says, and
what its activities until the end add up to. Moments are whole seconds since 1970 in UTC
(``_s``), local days are counted from 1970 (``_day``), money is in integer minor units.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, Literal

import attrs
import pyarrow as pa

from crm_portfolio._frames import NativeFrame, nw
from crm_portfolio.analysis._facts._clock import Clock, seconds
from crm_portfolio.analysis._facts._lines import completed, day_number, one_of
from crm_portfolio.analysis._facts._ordinals import moved, numbered
from crm_portfolio.portfolio import Period, Portfolio

__all__ = [
    "ALWAYS",
    "RECORD",
    "Contacts",
    "closed",
    "contacted",
    "contacts_of",
    "ended",
    "gap",
    "held",
    "pursued",
    "pursuits",
    "reached",
    "recorded",
    "unknown",
    "whole",
]

_TEXT, _DAY, _NUMBER, _FLAG = pa.string(), pa.date32(), pa.float64(), pa.bool_()
_MOMENT = pa.timestamp("us", "UTC")

RECORD: Final = {
    "account_id": _TEXT,
    "owner_id": _TEXT,
    "pipeline": _TEXT,
    "stage": _TEXT,
    "kind": _TEXT,
    "source": _TEXT,
    "amount": _NUMBER,
    "created_at": _MOMENT,
    "closed_on": _DAY,
    "expected_close_on": _DAY,
    "loss_reason": _TEXT,
    "loss_reason_by": _TEXT,
    "competitor": _TEXT,
    "next_step": _TEXT,
    "refused_on": _DAY,
    "is_auto_closed": _FLAG,
    "first_response_at": _MOMENT,
}
"""What an opportunity's own record may say of its pursuit."""

ALWAYS: Final = -(2**40)
"""Before any moment."""
_COUNTS: Final = ("touches", "out_count", "in_count")
_MOMENTS: Final = ("first_s", "last_s", "first_out_s", "last_in_s")


@attrs.frozen
class Contacts:
    """Which activities are contacts.

    Attributes:
        automatic_kinds: Sent by a machine: no response, and no contact.
        two_way_kinds: Where both sides are present, whichever went to the other.
    """

    automatic_kinds: Collection[str] = ()
    two_way_kinds: Collection[str] = ("meeting",)


def closed(
    portfolio: Portfolio,
    status: Literal["won", "lost"],
    span: Period,
    clock: Clock,
    *,
    ids: Collection[str] | None = None,
) -> Any:
    """`ended` of those won or lost, with the day they were entered on.

    ``worked_created`` is how long we had worked by then.
    """
    rows = ended(portfolio, status, span, clock, ids=ids)
    return clock.told(rows, "created_s", day="created_day", worked="worked_created")


def ended(
    portfolio: Portfolio,
    status: Literal["won", "lost"] | None,
    span: Period,
    clock: Clock,
    *,
    ids: Collection[str] | None = None,
) -> Any:
    """Opportunities won or lost in the period: what their records say.

    They run from ``starts_s`` to ``ends_s``, the midnight after the day they were closed.

    Args:
        status: None: both.
        ids: Only these.
    """
    day = nw.col("closed_on")
    is_so = nw.col("status").is_in(["won", "lost"] if status is None else [status])
    rows = recorded(portfolio, ids=ids).filter(
        is_so & (day >= span.start) & (day < span.end)
    )
    last = clock.days.select(
        nw.col("local_day").alias("closed_day"), nw.col("ends").alias("ends_s")
    )
    return rows.join(last, on="closed_day", how="left").with_columns(
        starts_s=whole("closed_day", ALWAYS)
    )


def recorded(portfolio: Portfolio, *, ids: Collection[str] | None = None) -> Any:
    """What the records of all opportunities say, or of these; ``ordinal`` tells each."""
    frame = numbered(portfolio["opportunity"])
    tells_steps = "next_step" in nw.from_native(frame).collect_schema().names()
    rows = nw.from_native(completed(frame, RECORD)).lazy()
    day, step = nw.col("closed_on"), nw.col("next_step")
    has_step = step.fill_null("") != ""
    if ids is not None:
        rows = rows.filter(one_of(nw.col("opportunity_id"), ids))
    factor = float(10**portfolio.minor_digits)
    return rows.select(
        nw.col("opportunity_id").alias("record_id"),
        nw.col("opportunity_id", "ordinal", "status"),
        *(nw.col(n) for n in RECORD if n not in _RESHAPED),
        pipeline=nw.col("pipeline").fill_null(""),
        stage=nw.col("stage").fill_null(""),
        created_s=seconds(nw.col("created_at"), portfolio.backend),
        responded_s=seconds(nw.col("first_response_at"), portfolio.backend),
        closed_day=day_number(day, portfolio.backend),
        # Where nobody notes any, that none is noted says nothing.
        has_next_step=has_step if tells_steps else nw.when(has_step).then(has_step),
        minor=(nw.col("amount") * factor).round(0).cast(nw.Int64),
    )


_RESHAPED: Final = (
    *("amount", "created_at", "first_response_at", "next_step", "pipeline", "stage"),
)


def pursuits(
    portfolio: Portfolio,
    rows: Any,
    clock: Clock,
    contacts: Contacts = Contacts(),
) -> Any:
    """`pursued` of these rows, of `closed`, by the activities that name them."""
    if "activity" not in portfolio:
        return pursued(rows, None, clock)
    held = contacted(portfolio, contacts, "opportunity_id")
    return pursued(rows, contacts_of(rows, held, "opportunity_id"), clock)


def contacts_of(rows: Any, held: Any, key: str, *, by: str = "record_id") -> Any:
    """By record: what these activities of it add up to between its start and its end.

    Args:
        key: What tells whose an activity is.
        by: What tells a record.
    """
    at = nw.col("at_s")
    spans = rows.select(*dict.fromkeys((by, key)), "starts_s", "ends_s")
    return (
        held.join(spans, on=key, how="inner")
        .filter((at >= nw.col("starts_s")) & (at < nw.col("ends_s")))
        .select(
            by,
            "at_s",
            out_s=nw.when(nw.col("is_out")).then(at),
            in_s=nw.when(nw.col("is_in")).then(at),
        )
        .group_by(by)
        .agg(
            touches=at.count(),
            out_count=nw.col("out_s").count(),
            in_count=nw.col("in_s").count(),
            first_s=at.min(),
            last_s=at.max(),
            first_out_s=nw.col("out_s").min(),
            last_in_s=nw.col("in_s").max(),
        )
        .with_columns(nw.col(*_COUNTS).cast(nw.Int64))
    )


def pursued(
    rows: Any, found: Any | None, clock: Clock, *, by: str = "record_id"
) -> Any:
    """The rows with `contacts_of` them, and what follows from these.

    We first answered when the record says so, if that is between its start and its end,
    or with the first activity of ours, whichever was before. ``response_s`` is the
    working time until then, 0 where we came first;
    ``silent_days`` how long nothing happened before the end. ``worked_created`` goes.

    Args:
        found: None where there is no table of activities: nothing is known of them then.
        by: What tells a record.
    """
    if found is None:
        none = {name: whole("starts_s", 0) for name in _COUNTS}
        rows = rows.with_columns(
            **none, **{name: unknown("starts_s") for name in _MOMENTS}
        )
    else:
        rows = rows.join(found, on=by, how="left").with_columns(
            *(nw.col(name).fill_null(0).cast(nw.Int64) for name in _COUNTS)
        )
    stamp, first_out = nw.col("responded_s"), nw.col("first_out_s")
    is_ours = (stamp >= nw.col("starts_s")) & (stamp < nw.col("ends_s"))
    rows = rows.with_columns(responded_s=nw.when(is_ours).then(stamp))
    rows = rows.with_columns(
        answered_s=nw.when(stamp <= first_out)
        .then(stamp)
        .otherwise(nw.when(first_out.is_null()).then(stamp).otherwise(first_out))
    )
    rows = clock.told(rows, "answered_s", worked="worked_answered")
    rows = clock.told(rows, "last_s", day="last_day")
    worked = nw.col("worked_answered") - nw.col("worked_created")
    return rows.with_columns(
        response_s=nw.when(nw.col("answered_s") <= nw.col("created_s"))
        .then(worked * 0)
        .otherwise(worked),
        silent_days=nw.col("closed_day") - nw.col("last_day"),
    ).drop("worked_answered", "worked_created")


def gap() -> Any:
    """Of `contacts_of`: the seconds between one activity and the next.

    As (last - first) / (n - 1), whole; null where there are not two of them.
    """
    count, length = nw.col("touches") - 1, nw.col("last_s") - nw.col("first_s")
    is_gap = nw.col("touches") > 1
    return nw.when(is_gap).then(length // nw.when(is_gap).then(count).otherwise(1))


def whole(column: str, number: int) -> Any:
    """The same whole number on each row, of the kind the engine keeps that column in."""
    return nw.col(column) * 0 + number


def unknown(column: str) -> Any:
    """A whole number that nobody knows, of the kind that column is kept in."""
    return nw.when(nw.col(column) != nw.col(column)).then(nw.col(column))


def contacted(
    portfolio: Portfolio, contacts: Contacts, key: str, *, about_none: bool = False
) -> Any:
    """Activities that are contacts and name their ``key``: which way, and when.

    Args:
        about_none: Only those that name no opportunity.
    """
    kept = held(portfolio["activity"], contacts).filter(~nw.col(key).is_null())
    if about_none:
        kept = kept.filter(nw.col("opportunity_id").is_null())
    return kept.select(
        *(key, "is_out", "is_in"),
        at_s=seconds(nw.col("occurred_at"), portfolio.backend),
    )


def held(frame: NativeFrame, contacts: Contacts) -> Any:
    """Activities that took place and are contacts: ``is_out`` is ours, ``is_in`` theirs.

    One that does not say which way it went is ours: we noted it.
    """
    texts = ("account_id", "opportunity_id", "kind", "direction", "status")
    rows = nw.from_native(completed(frame, dict.fromkeys(texts, _TEXT))).lazy()
    kind = nw.col("kind").fill_null("")
    is_both = one_of(kind, contacts.two_way_kinds)
    is_in = nw.col("direction").fill_null("out") == "in"
    kept = rows.filter(nw.col("status").fill_null("held") == "held")
    if contacts.automatic_kinds:
        kept = kept.filter(~one_of(kind, contacts.automatic_kinds))
    return kept.with_columns(is_out=is_both | ~is_in, is_in=is_both | is_in)


def reached(portfolio: Portfolio, rows: Any) -> Any | None:
    """By ``record``: the furthest open stage it was in, and whether an offer was made there.

    ``offers`` is 1 or 0, and null where no stage says so. Without `opportunity_change`
    there is only the stage of the record itself, which mostly tells how it ended. None
    without `stage`.

    Args:
        rows: With the ``ordinal`` of each record.
    """
    if "stage" not in portfolio:
        return None
    stages = nw.from_native(
        completed(portfolio["stage"], {"is_proposal": _FLAG})
    ).lazy()
    told = stages.filter(nw.col("status") == "open").select(
        nw.col("pipeline"),
        nw.col("stage"),
        nw.col("position").cast(nw.Int64),
        offers=nw.when(~nw.col("is_proposal").is_null()).then(
            nw.col("is_proposal").cast(nw.Int64)
        ),
    )
    passed = rows.select("record", "pipeline", "stage")
    parts = [passed.join(told, on=["pipeline", "stage"], how="inner")]
    if "opportunity_change" in portfolio:
        parts.append(_earlier(portfolio, rows, told))
    names = ("record", "position", "offers")
    both = nw.concat([each.select(*names) for each in parts], how="vertical")
    return both.group_by("record").agg(nw.col("position", "offers").max())


def _earlier(portfolio: Portfolio, rows: Any, told: Any) -> Any:
    """The further of the stages before and after each change of a row while it ran."""
    changes, moves = moved(portfolio, "stage")
    # Of each pipeline: what a move there means.
    sides = [
        moves.join(told, left_on=side, right_on="stage", how="inner").select(
            "pipeline", "move", "position", "offers"
        )
        for side in ("old", "new")
    ]
    means = nw.concat(sides, how="vertical").group_by("pipeline", "move")
    means = means.agg(nw.col("position", "offers").max())
    at = nw.col("at_s")
    return (
        changes.select(
            "ordinal", "move", at_s=seconds(nw.col("changed_at"), portfolio.backend)
        )
        .join(
            rows.select("record", "ordinal", "pipeline", "starts_s", "ends_s"),
            on="ordinal",
            how="inner",
        )
        .filter((at >= nw.col("starts_s")) & (at < nw.col("ends_s")))
        .join(means, on=["pipeline", "move"], how="inner")
        .select("record", "position", "offers")
    )
