"""What would somebody who knows pandas and the rules write, for this one book?

The classes are those of `_triage_by_hand`: whole columns at a time, a merge for each
question, no loops over rows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

__all__ = ["triage"]

Frame = Any
_FROM, _UNTIL = pd.Timestamp("2025-07-01"), pd.Timestamp("2026-07-01")
_BEFORE: Final = pd.Timestamp("1900-01-01", tz="UTC")
_COLUMNS: Final = {
    "opportunity": [
        *("opportunity_id", "account_id", "owner_id", "pipeline", "stage", "status"),
        *("kind", "amount", "created_at", "closed_on", "expected_close_on"),
        *("loss_reason", "loss_reason_by", "competitor", "next_step", "refused_on"),
    ],
    "opportunity_change": ["opportunity_id", "changed_at", "field", "old", "new"],
    "activity": ["opportunity_id", "occurred_at", "kind", "direction", "status"],
    "stage": ["pipeline", "stage", "position", "status", "is_proposal"],
    "enquiry": ["opportunity_id", "created_at", "first_response_at"],
}
_NOBODY: Final = (
    *("no decision", "no response", "budget frozen", "project cancelled"),
    *("project canceled", "postponed", "timing", "on hold", "did nothing"),
    *("other", "unknown", "none"),
)
_UNFIT: Final = ("not a fit", "no budget", "ethics")


def by_column(lost: Frame, zone: str) -> Frame:
    """The class of each lost opportunity, a condition of all of them at a time."""
    return _classes(_judged(lost, zone))


def triage(
    folder: Path, zone: str, classes: Callable[[Frame, str], Frame] = by_column
) -> dict[str, list[int]]:
    """How many are in each class, and their amount in minor units."""
    tables = {
        name: pd.read_parquet(folder / f"{name}.parquet", columns=columns)
        for name, columns in _COLUMNS.items()
    }
    sale, change = tables["opportunity"], tables["opportunity_change"]
    for name in ("closed_on", "expected_close_on", "refused_on"):
        sale[name] = pd.to_datetime(sale[name])
    sale["created_at"] = sale["created_at"].dt.floor("s")
    sale["minor"] = (sale["amount"] * 100).round()
    change["at"] = change["changed_at"].dt.floor("s")
    stages = change[change["field"] == "stage"]
    record = _records(sale, stages, zone)
    contact = _contacts(tables["activity"])
    record = record.merge(_pursuits(contact, record), on="record_id", how="left")
    counts = ["touches", "out_count", "in_count"]
    record[counts] = record[counts].fillna(0)
    won = record[record["status"] == "won"]
    lost = record[record["status"] == "lost"]
    by_stage = _by_stage(won, stages, tables["stage"], contact)
    lost = lost[~lost["record_id"].isin(_sold_again(lost, sale, zone))]
    lost = lost.merge(
        _reached(lost, change, tables["stage"]), on="record_id", how="left"
    )
    lost = lost.merge(_owners_then(lost, change), on="record_id", how="left")
    lost = lost.merge(by_stage, on=["pipeline", "position"], how="left")
    lost = _joined(lost, won, record)
    lost["class"] = classes(lost, zone)
    told = [lost[["class", "valued"]], _enquiries(tables["enquiry"], zone)]
    by_class = pd.concat(told).groupby("class")["valued"].agg(["size", "sum"])
    return {name: [int(n), int(minor)] for name, n, minor in by_class.itertuples()}


def _records(sale: Frame, stages: Frame, zone: str) -> Frame:
    """What was won and lost in the year, and each loss that did not last."""
    in_year = sale["closed_on"].between(_FROM, _UNTIL, inclusive="left")
    closed = sale[sale["status"].isin(["won", "lost"]) & in_year].copy()
    next_day = closed["closed_on"] + pd.Timedelta(days=1)
    closed["ends"] = next_day.dt.tz_localize(zone).dt.tz_convert("UTC")
    is_loss, was_loss = stages["new"] == "Lost", stages["old"] == "Lost"
    turn = stages[is_loss != was_loss][["opportunity_id", "at"]].assign(loss=is_loss)
    opened = turn[~turn["loss"]].merge(closed[["opportunity_id", "ends"]])
    opened = opened[opened["at"] < opened["ends"]]
    starts = opened.groupby("opportunity_id")["at"].max().rename("starts")
    closed = closed.merge(starts, on="opportunity_id", how="left")
    closed = closed.assign(
        record_id=closed["opportunity_id"],
        closed_day=closed["closed_on"],
        is_episode=False,
        has_no_step=closed["next_step"].fillna("") == "",
        is_overdue=closed["expected_close_on"] < closed["closed_on"],
    )
    return pd.concat([closed, _episodes(sale, turn, zone)], ignore_index=True).assign(
        starts=lambda each: each["starts"].fillna(_BEFORE)
    )


def _episodes(sale: Frame, turn: Frame, zone: str) -> Frame:
    losses = turn[turn["loss"]].drop_duplicates()[["opportunity_id", "at"]]
    pairs = losses.merge(turn[~turn["loss"]], on="opportunity_id", suffixes=("", "_o"))
    pairs["earlier"] = pairs["at_o"] <= pairs["at"]
    pairs["starts"] = pairs["at_o"].where(pairs["earlier"])
    told = pairs.groupby(["opportunity_id", "at"], as_index=False).agg(
        starts=("starts", "max"), earlier=("earlier", "sum"), size=("earlier", "size")
    )
    told = told[told["size"] > told["earlier"]]
    told["closed_day"] = _day(told["at"], zone)
    told = told[told["closed_day"].between(_FROM, _UNTIL, inclusive="left")]
    own = ["opportunity_id", "account_id", "owner_id", "pipeline", "stage", "kind"]
    told = told.merge(sale[[*own, "created_at"]], on="opportunity_id")
    number = (told["earlier"] + 1).astype(str)
    return told.assign(
        record_id=told["opportunity_id"] + "#" + number,
        status="lost",
        ends=told["at"] + pd.Timedelta(seconds=1),
        is_episode=True,
        has_no_step=False,
        is_overdue=False,
    ).drop(columns=["at", "earlier", "size"])


def _contacts(activity: Frame) -> Frame:
    is_held = activity["status"].fillna("held") == "held"
    is_own = activity["kind"].fillna("") != "automatic reply"
    contact = activity[activity["opportunity_id"].notna() & is_held & is_own]
    is_meeting = contact["kind"] == "meeting"
    return pd.DataFrame(
        {
            "opportunity_id": contact["opportunity_id"],
            "at": contact["occurred_at"].dt.floor("s"),
            "is_in": is_meeting | (contact["direction"] == "in"),
            "is_out": is_meeting | (contact["direction"].fillna("out") != "in"),
        }
    )


def _pursuits(contact: Frame, record: Frame) -> Frame:
    spans = record[["record_id", "opportunity_id", "starts", "ends"]]
    of = contact.merge(spans, on="opportunity_id")
    of = of[(of["at"] >= of["starts"]) & (of["at"] < of["ends"])]
    of["out_at"], of["in_at"] = (
        of["at"].where(of["is_out"]),
        of["at"].where(of["is_in"]),
    )
    return of.groupby("record_id", as_index=False).agg(
        touches=("at", "size"),
        out_count=("is_out", "sum"),
        in_count=("is_in", "sum"),
        first=("at", "min"),
        last=("at", "max"),
        answered=("out_at", "min"),
        last_in=("in_at", "max"),
    )


def _by_stage(won: Frame, stages: Frame, stage: Frame, contact: Frame) -> Frame:
    """How often those were touched that were won, until they left each stage."""
    is_open = stage["status"] == "open"
    places = stage.assign(arrived=stage["position"].where(is_open, 99))
    move = won[["opportunity_id", "pipeline", "ends"]].merge(stages)
    move = move.merge(
        places[["pipeline", "stage", "arrived"]],
        left_on=["pipeline", "new"],
        right_on=["pipeline", "stage"],
    )
    of = move.merge(places.loc[is_open, ["pipeline", "position"]], on="pipeline")
    of["left"] = of["at"].where(of["arrived"] > of["position"])
    keys = ["opportunity_id", "pipeline", "position"]
    exits = of.groupby(keys, as_index=False).agg(
        left=("left", "min"), ends=("ends", "max")
    )
    exits["until"] = exits[["left", "ends"]].min(axis=1)
    touched = contact[["opportunity_id", "at"]].merge(exits, on="opportunity_id")
    touched = touched[touched["at"] < touched["until"]]
    counts = touched.groupby(keys).size().rename("touches")
    counted = exits.merge(counts.reset_index(), on=keys, how="left")
    groups = counted.fillna({"touches": 0}).groupby(["pipeline", "position"])["touches"]
    told = pd.DataFrame(
        {"few": groups.quantile(0.25), "enough_there": groups.quantile(0.5)}
    )
    return told[groups.size() >= 5].reset_index()


def _sold_again(lost: Frame, sale: Frame, zone: str) -> Frame:
    """Lost beside a sale of the same worth to the same account in the same week."""
    mine = lost.loc[~lost["is_episode"], ["record_id", "account_id", "minor"]]
    mine = mine.assign(day=_day(lost["created_at"], zone))
    theirs = sale.loc[sale["status"] == "won", ["account_id", "minor", "created_at"]]
    theirs = theirs.assign(day=_day(theirs["created_at"], zone))
    theirs = theirs[theirs["account_id"].notna()]
    pairs = mine.merge(theirs, on="account_id", suffixes=("", "_won"))
    larger = pairs[["minor", "minor_won"]].abs().max(axis=1, skipna=False)
    is_near = (pairs["day"] - pairs["day_won"]).abs() <= pd.Timedelta(days=7)
    is_alike = (pairs["minor"] - pairs["minor_won"]).abs() <= 0.05 * larger
    return pairs.loc[is_near & is_alike & (larger > 0), "record_id"]


def _joined(lost: Frame, won: Frame, record: Frame) -> Frame:
    """What the others of the year say of each loss, beside it."""
    own = record[~record["is_episode"]]
    at = own[own["status"] == "lost"].groupby(["pipeline", "stage"])["minor"]
    medians = at.quantile(0.5, interpolation="lower").rename("stage_minor")
    lost = lost.merge(medians.reset_index(), on=["pipeline", "stage"], how="left")
    medians_hold = lost["stage_minor"].where(~lost["is_episode"])
    lost["valued"] = lost["minor"].fillna(medians_hold)
    few, enough = won["touches"].quantile([0.25, 0.5])
    gaps = (won["last"] - won["first"]).dt.total_seconds() // (won["touches"] - 1)
    gap = (gaps[won["touches"] > 1] // 3600).quantile(0.5)
    lost["silence"], lost["enough"] = max(30.0, gap * 2 / 24), enough
    lost["few"] = lost["few"].fillna(few)
    lost["enough_there"] = lost["enough_there"].fillna(enough)
    lost["value"] = own["minor"].quantile(0.5, interpolation="lower")
    owners = (won["touches"] > 0).groupby(won["owner_id"]).agg(["size", "mean"])
    captured = owners.loc[owners["size"] >= 5, "mean"] >= 0.5
    owner = lost["owner_then"].fillna(lost["owner_id"])
    everywhere = bool((won["touches"] > 0).mean() >= 0.5)
    lost["is_captured"] = owner.map(captured).fillna(everywhere).astype(bool)
    return lost


def _owners_then(lost: Frame, change: Frame) -> Frame:
    """Whose it was when it fell silent: what the next change of owner calls the old."""
    quiet = lost[["record_id", "opportunity_id"]].assign(
        quiet=lost["last"].fillna(lost["created_at"])
    )
    later = change[change["field"] == "owner_id"].merge(quiet, on="opportunity_id")
    later = later[later["at"] > later["quiet"]].sort_values("changed_at")
    first = later.drop_duplicates("record_id")
    return first[["record_id", "old"]].rename(columns={"old": "owner_then"})


def _reached(lost: Frame, change: Frame, stage: Frame) -> Frame:
    """The furthest open stage that it was in while it was pursued."""
    spans = lost[["record_id", "opportunity_id", "pipeline", "starts", "ends"]]
    moves = change[change["field"] == "stage"].merge(spans, on="opportunity_id")
    moves = moves[(moves["at"] >= moves["starts"]) & (moves["at"] < moves["ends"])]
    keys = ["record_id", "pipeline"]
    seen = moves.melt(keys, ["old", "new"], value_name="stage")
    seen = seen.merge(stage[stage["status"] == "open"], on=["pipeline", "stage"])
    return seen.groupby("record_id", as_index=False).agg(
        position=("position", "max"), had_offer=("is_proposal", "max")
    )


def _judged(lost: Frame, zone: str) -> dict[str, Frame]:
    """The conditions of the classes, in the order in which they are asked."""
    created, answered = lost["created_at"], lost["answered"]
    waited = _worked(answered, zone) - _worked(created, zone)
    response = waited.where(answered > created, 0)
    last_day = _day(lost["last"], zone)
    silent = (lost["closed_day"] - last_day).dt.days
    two_way = (lost["in_count"] > 0) & (lost["out_count"] > 0)
    by_us = lost["loss_reason_by"].fillna("seller") != "client"
    reason = lost["loss_reason"].str.replace("_", " ").str.lower()
    had_offer = lost["had_offer"].fillna(value=False).astype(bool)
    nobody_chose = (
        lost["competitor"].isna()
        & lost["refused_on"].isna()
        & (reason.isna() | reason.isin(_NOBODY))
    )
    is_unfit = by_us & lost["competitor"].isna() & reason.isin(_UNFIT)
    is_first = (_day(created, zone) == lost["closed_day"]) & (lost["touches"] == 0)
    is_late = (response > 86_400) & ~(lost["last_in"] > answered)
    has_no_plan = lost["has_no_step"] | lost["is_overdue"]
    is_small = (lost["touches"] < lost["few"]) & ~had_offer
    pursued = had_offer | (lost["touches"] >= lost["enough"])
    there = had_offer | (lost["touches"] >= lost["enough_there"])
    unfit_then = by_us & ~had_offer & two_way & reason.isin(_UNFIT)
    return {
        "data_insufficient": ~lost["is_captured"] | is_first,
        "disqualified": unfit_then | (by_us & (reason == "duplicate")),
        "lost_client": lost["kind"] == "renewal",
        "missed_unseen": answered.isna(),
        "missed_late": is_late,
        "missed_neglected": two_way & (silent >= lost["silence"]) & has_no_plan,
        "missed_underinvested": (lost["valued"] >= lost["value"]) & is_small,
        "pursued_lost": pursued & ~nobody_chose & ~is_unfit,
        "no_decision": there & nobody_chose,
    }


def _classes(judged: dict[str, Frame]) -> Any:
    holds = [each.fillna(value=False).to_numpy(bool) for each in judged.values()]
    return np.select(holds, list(judged), "unclassified")


def _enquiries(enquiry: Frame, zone: str) -> Frame:
    """Those that led to nothing and waited too long, if answers are kept at all."""
    from_, until = _FROM.tz_localize(zone), _UNTIL.tz_localize(zone)
    asked = enquiry[enquiry["created_at"].between(from_, until, inclusive="left")]
    is_answered = asked["first_response_at"].notna()
    kept = is_answered[asked["opportunity_id"].notna()].mean() >= 0.5
    asked = asked[asked["opportunity_id"].isna()]
    came, answered = asked["created_at"], asked["first_response_at"]
    until_now = _worked(pd.Series([until]), zone).iloc[0] - _worked(came, zone)
    waited = _worked(answered, zone) - _worked(came, zone)
    classes = np.select(
        [
            np.full(len(asked), not kept),
            (answered.isna() & (until_now > 86_400)).to_numpy(bool),
            (waited > 86_400).to_numpy(bool),
        ],
        ["data_insufficient", "missed_unseen", "missed_late"],
        "",
    )
    told = pd.DataFrame({"class": classes, "valued": np.nan})
    return told[told["class"] != ""]


def _day(moments: Frame, zone: str) -> Frame:
    return moments.dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()


def _worked(moments: Frame, zone: str) -> Frame:
    """Working seconds before a moment: nine to five, from Monday to Friday."""
    days = pd.date_range("2015-01-01", "2026-07-02")
    works = pd.Series(days.dayofweek < 5, index=days).astype("int64")
    before = 28_800 * (works.cumsum() - works)
    local = moments.dt.tz_convert(zone).dt.tz_localize(None)
    day = local.dt.normalize()
    into = (local - day).dt.total_seconds() // 1 - 32_400
    return day.map(before) + day.map(works) * into.clip(0, 28_800)
