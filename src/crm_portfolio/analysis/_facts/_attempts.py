"""What came after an opportunity was lost: who went to whom, how often, and how long?

A loss is a span: from the midnight after the day it was lost until it was opened again or
the as-of day ended. What is a contact, and whose, is as for the pursuit before the loss. What comes back has a row for each loss that
anything came after, and is sorted by id; the losses nothing came after stay where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame, from_arrow, kept, nw, same_kind
from crm_portfolio.analysis._facts._attached import midnight
from crm_portfolio.analysis._facts._lines import collected, completed, seconds_given
from crm_portfolio.analysis._facts._nights import (
    dated_losses,
    nights_of,
    spans_of_losses,
)
from crm_portfolio.analysis._facts._once import once_per_portfolio
from crm_portfolio.analysis._facts._ordinals import changed, dated_contacts, numbered
from crm_portfolio.analysis._facts._pursuits import Contacts, held
from crm_portfolio.portfolio import Period, Portfolio

__all__ = [
    "about",
    "after_losses",
    "changes_of",
    "contacts",
    "contacts_of_sales",
    "fields_told",
    "newest",
    "opportunities_at",
    "outbound_between",
    "outbound_of_sales",
    "outbound_since",
    "reopened",
    "seconds_after_losses",
    "seconds_in",
]

_TEXT, _DAY, _NUMBER = pa.string(), pa.date32(), pa.float64()
_MOMENT: Final = pa.timestamp("us", "UTC")
_ID: Final = "opportunity_id"
_BEFORE: Final = ("outs_before", "ins_before", "seconds_before")
_SUMS: Final = ("attempts", "answers", "seconds_after", *_BEFORE)


def after_losses(portfolio: Portfolio, which: Contacts) -> pa.Table:
    """`contacts` of every opportunity that is lost by now."""
    zone, as_of = portfolio.calendar.time_zone, portfolio.as_of
    end = as_of + timedelta(days=1)
    frame = portfolio["opportunity"]
    known = numbered(frame)
    if portfolio.backend != "pyspark":
        spans = spans_of_losses(known, zone, until=end, key="ordinal")
        return contacts_of_sales(portfolio, spans, which)
    # Spark joins ids as fast as numbers, so that all that is kept first would be for this.
    lost = dated_losses(known).select(_ID, "ordinal", "closed_on")
    nights = nights_of(frame, zone, until=end)
    log = about(portfolio["activity"], which)
    return _in_order(contacts(log, lost, nights=nights, also=("ordinal",)), _SUMS)


def contacts_of_sales(portfolio: Portfolio, spans: Any, which: Contacts) -> pa.Table:
    """`contacts` of opportunities that are told by their ``ordinal``, and what they are."""
    found = contacts(_log(portfolio, which), spans, key="ordinal")
    few = nw.from_native(from_arrow(found, portfolio.backend)).lazy()
    known = nw.from_native(numbered(portfolio["opportunity"])).lazy()
    told = known.select(_ID, "ordinal").join(few, on="ordinal", how="inner")
    return _in_order(collected(told), _SUMS)


def contacts(
    log: Any,
    spans: Any,
    *,
    key: str = _ID,
    nights: Any | None = None,
    also: Sequence[str] = (),
) -> pa.Table:
    """By loss: what was held after it, and which way; before it too, for comparison.

    ``attempts`` are ours, ``answers`` theirs; where both sides are present it is both.

    Args:
        log: Contacts, as `about` an opportunity tells them, or with the ``seconds`` of each.
        key: What tells an opportunity.
        nights: The span after each day, where the losses are told without it: an engine
            that counts on as many rows of a join as it can have gets them one by one.
        also: What else the losses say that is to be told.
    """
    at, since = nw.col("occurred_at"), nw.col("since_at")
    # Reckoned of the few that are counted, where nobody reckoned it before.
    is_reckoned = "seconds" in log.collect_schema().names()
    ways = {
        "out_at": nw.when(nw.col("is_out")).then(at),
        "in_at": nw.when(nw.col("is_in")).then(at),
        "seconds": nw.col("seconds") if is_reckoned else _seconds(),
    }
    outs, ins = nw.col("out_at"), nw.col("in_at")
    of_lost = log.join(spans, on=key, how="inner")
    if nights is not None:
        of_lost = of_lost.join(nights, on="closed_on", how="inner")
    after = (
        of_lost.filter((at >= since) & (at < nw.col("until_at")))
        .select(key, *also, "since_at", **ways)
        .group_by(key, *also)
        .agg(
            nw.col("since_at").max(),
            attempts=outs.count(),
            answers=ins.count(),
            seconds_after=nw.col("seconds").sum(),
            first_at=outs.min(),
            last_at=outs.max(),
            answered_at=ins.max(),
        )
    )
    found = collected(after.filter((nw.col("attempts") > 0) | (nw.col("answers") > 0)))
    # They are few, so that little is to be looked at before them.
    few = same_kind(found.select([key, "since_at"]), nw.to_native(log))
    before = (
        log.join(nw.from_native(few).lazy(), on=key, how="inner")
        .filter(at < since)
        .select(key, **ways)
        .group_by(key)
        .agg(
            outs_before=outs.count(),
            ins_before=ins.count(),
            seconds_before=nw.col("seconds").sum(),
        )
    )
    return _beside(found.drop_columns("since_at"), collected(before), key)


def _beside(after: pa.Table, before: pa.Table, key: str) -> pa.Table:
    """With what was before the same losses; 0 where nothing was."""
    at = pc.index_in(after[key].combine_chunks(), before[key].combine_chunks())
    for name in _BEFORE:
        counted = before[name].cast(pa.int64()).take(at)
        after = after.append_column(name, pc.fill_null(counted, 0))
    return after


def outbound_between(frame: NativeFrame, marks: pa.Table, which: Contacts) -> pa.Table:
    """How often we went to them after ``from_at`` and before ``to_at`` of each mark."""
    spans = nw.from_native(same_kind(marks, frame)).lazy()
    return _in_order(collected(_outbound(about(frame, which), spans, _ID)), ("n",))


def outbound_of_sales(
    portfolio: Portfolio, marks: pa.Table, which: Contacts
) -> pa.Table:
    """`outbound_between` of opportunities that are told by their ``ordinal``."""
    spans = nw.from_native(from_arrow(marks, portfolio.backend)).lazy()
    found = collected(_outbound(_log(portfolio, which), spans, "ordinal"))
    return _in_order(found, ("n",), key="ordinal")


def _outbound(log: Any, spans: Any, key: str) -> Any:
    at = nw.col("occurred_at")
    return (
        log.filter(nw.col("is_out"))
        .join(spans, on=key, how="inner")
        .filter((at > nw.col("from_at")) & (at < nw.col("to_at")))
        .select(key, n=nw.lit(1, dtype=nw.Int64))
        .group_by(key)
        .agg(nw.col("n").sum())
    )


def outbound_since(portfolio: Portfolio, since: datetime, which: Contacts) -> pa.Table:
    """By account: how often we went to it since then, whatever about, and ``last_at``."""
    end = midnight(portfolio.as_of + timedelta(days=1), portfolio.calendar.time_zone)
    at, account = nw.col("occurred_at"), nw.col("account_id")
    rows = held(portfolio["activity"], which).filter(
        nw.col("is_out") & (at >= since) & (at < end)
    )
    found = _counted(rows)
    is_named = pc.is_valid(found["account_id"])
    named = found.filter(is_named)
    if len(named) == len(found):
        return named
    # Most name the account themselves; the others are looked at only where there are any.
    sold = completed(portfolio["opportunity"], {"account_id": _TEXT})
    whose = nw.from_native(sold).lazy().select("opportunity_id", "account_id")
    about = rows.filter(account.is_null()).select("opportunity_id", "occurred_at")
    others = about.join(whose, on="opportunity_id", how="inner")
    both = [named, _counted(others.filter(~account.is_null()))]
    sums = pa.concat_tables(both).group_by("account_id")
    added = sums.aggregate([("n", "sum"), ("last_at", "max")])
    return added.rename_columns({"n_sum": "n", "last_at_max": "last_at"})


def _counted(rows: Any) -> pa.Table:
    at = nw.col("occurred_at")
    sums = rows.group_by("account_id").agg(n=at.count(), last_at=at.max())
    kinds = pa.schema({"account_id": _TEXT, "n": pa.int64(), "last_at": _MOMENT})
    return collected(sums).select(kinds.names).cast(kinds).combine_chunks()


def reopened(portfolio: Portfolio) -> pa.Table:
    """The last time each opportunity was lost and then opened again, and how that ended."""
    if "opportunity_change" not in portfolio:
        return _REOPENED.empty_table()
    changes, moves = changed(portfolio)
    lost = _lost_stages(portfolio)
    field, new = nw.col("field"), nw.col("new")
    is_loss = (field == "status") & (new == "lost")
    if lost:
        is_loss |= (field == "stage") & new.is_in(lost)
    ends = (
        changes.filter(~nw.col("until_at").is_null())
        .join(moves.filter(is_loss).select("move"), on="move", how="semi")
        .select("ordinal", since_at="changed_at", until_at="until_at")
        .group_by("ordinal")
        .agg(nw.col("since_at", "until_at").max())
    )
    # They are few; the engine does not know before they are there.
    joined = kept(ends).join(_sold(portfolio), on="ordinal", how="inner")
    found = collected(joined).select(_REOPENED.names).cast(_REOPENED)
    return found.sort_by("opportunity_id").combine_chunks()


def opportunities_at(portfolio: Portfolio, ordinals: pa.Array) -> pa.Table:
    """What these opportunities say of how they ended, in the order of the ordinals."""
    wanted = from_arrow(pa.table({"ordinal": ordinals}), portfolio.backend)
    asked = nw.from_native(wanted).lazy()
    found = collected(_sold(portfolio).join(asked, on="ordinal", how="inner"))
    at = pc.index_in(ordinals, found["ordinal"].combine_chunks())
    return found.take(at).combine_chunks()


def _sold(portfolio: Portfolio) -> Any:
    kinds = dict.fromkeys(("account_id", "owner_id", "kind", "loss_reason"), _TEXT)
    kinds |= {"amount": _NUMBER, "original_amount": _NUMBER, "closed_on": _DAY}
    frame = completed(numbered(portfolio["opportunity"]), kinds)
    return nw.from_native(frame).lazy().select(_ID, "ordinal", "status", *kinds)


_REOPENED: Final = pa.schema(
    [
        *(("opportunity_id", _TEXT), ("since_at", _MOMENT), ("until_at", _MOMENT)),
        ("ordinal", pa.int32()),
        *(("status", _TEXT), ("closed_on", _DAY), ("account_id", _TEXT)),
        *(
            ("owner_id", _TEXT),
            ("kind", _TEXT),
            ("loss_reason", _TEXT),
            ("amount", _NUMBER),
            ("original_amount", _NUMBER),
        ),
    ]
)


def _lost_stages(portfolio: Portfolio) -> list[str]:
    """Stages that mean a loss in every pipeline that has them."""
    if "stage" not in portfolio:
        return []
    found = collected(
        nw.from_native(portfolio["stage"]).lazy().select("stage", "status")
    )
    lost = found.filter(pc.equal(found["status"], "lost"))["stage"].to_pylist()
    other = found.filter(pc.not_equal(found["status"], "lost"))["stage"].to_pylist()
    return sorted({*lost} - {*other})


@once_per_portfolio
def fields_told(portfolio: Portfolio) -> frozenset[str]:
    """The fields of opportunities of which any change is told: their history is kept."""
    if "opportunity_change" not in portfolio:
        return frozenset()
    rows = nw.from_native(portfolio["opportunity_change"]).lazy()
    counted = rows.select("field", n=nw.lit(1, dtype=nw.Int64))
    found = collected(counted.group_by("field").agg(nw.col("n").sum()))
    return frozenset(found["field"].to_pylist())


def changes_of(frame: NativeFrame, field: str, ids: pa.Array) -> pa.Table:
    """What these opportunities' field was changed to, in the order it was."""
    kinds = {"old": _TEXT, "new": _TEXT}
    wanted = pa.table({"opportunity_id": ids})
    found = collected(
        nw.from_native(completed(frame, kinds))
        .lazy()
        .filter(nw.col("field") == field)
        .join(
            nw.from_native(same_kind(wanted, frame)).lazy(),
            on="opportunity_id",
            how="inner",
        )
        .select("opportunity_id", "changed_at", "old", "new")
    )
    keys = ("opportunity_id", "changed_at", "old", "new")
    return found.sort_by([(key, "ascending") for key in keys]).combine_chunks()


def seconds_after_losses(frame: NativeFrame, spans: Any, span: Period) -> pa.Table:
    """By lost opportunity: time noted before it was lost, after, and after in the span."""
    day, zero = nw.col("worked_on"), nw.lit(0, dtype=nw.Int64)
    is_after = day > nw.col("closed_on")
    is_now = is_after & (day >= span.start) & (day < span.end)
    seconds = nw.col("seconds")
    found = collected(
        nw.from_native(completed(frame, {"opportunity_id": _TEXT}))
        .lazy()
        .filter(~nw.col("opportunity_id").is_null())
        .select("opportunity_id", "worked_on", seconds=_seconds())
        .join(spans, on="opportunity_id", how="inner")
        .select(
            "opportunity_id",
            seconds_before=nw.when(~is_after).then(seconds).otherwise(zero),
            seconds_after=nw.when(is_after).then(seconds).otherwise(zero),
            seconds_now=nw.when(is_now).then(seconds).otherwise(zero),
        )
        .group_by("opportunity_id")
        .agg(nw.col("seconds_before", "seconds_after", "seconds_now").sum())
        .filter(nw.col("seconds_after") != 0)
    )
    return _in_order(found, ("seconds_before", "seconds_after", "seconds_now"))


def seconds_in(frame: NativeFrame, span: Period) -> int:
    """All the time that was noted in the span."""
    day = nw.col("worked_on")
    found = collected(
        nw.from_native(frame)
        .lazy()
        .filter((day >= span.start) & (day < span.end))
        .select(seconds=_seconds())
        .select(nw.col("seconds").sum())
    )
    return int(found["seconds"][0].as_py() or 0)


def newest(
    frame: NativeFrame, column: str, *, key: str = "account_id", is_moment: bool
) -> pa.Table:
    """The latest day or moment of each account's rows; none of what names no account."""
    kind = _MOMENT if is_moment else _DAY
    found = collected(
        nw.from_native(completed(frame, {key: _TEXT, column: kind}))
        .lazy()
        .filter(~nw.col(key).is_null() & ~nw.col(column).is_null())
        .select(key, at=nw.col(column))
        .group_by(key)
        .agg(nw.col("at").max())
    )
    return found.sort_by(key).combine_chunks()


def about(frame: NativeFrame, which: Contacts) -> Any:
    """Contacts about an opportunity."""
    rows = held(completed(frame, {"minutes": _NUMBER}), which)
    return rows.filter(~nw.col(_ID).is_null()).select(
        _ID, "occurred_at", "is_out", "is_in", "minutes"
    )


def _log(portfolio: Portfolio, which: Contacts) -> Any:
    """All activities about one, told by ordinals; only contacts have their moment."""
    return dated_contacts(portfolio, which)


def _seconds() -> Any:
    return seconds_given().fill_null(0)


def _in_order(
    found: pa.Table, sums: Sequence[str], *, key: str = "opportunity_id"
) -> pa.Table:
    for name in sums:
        at = found.column_names.index(name)
        found = found.set_column(at, name, found[name].cast(pa.int64()))
    return found.sort_by(key).combine_chunks()
