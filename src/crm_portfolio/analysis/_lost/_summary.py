"""What is to be said of all lost opportunities together?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._wording import Reason
from crm_portfolio.analysis._lost._rules import CLASSES, DUPLICATE, MISSED, Limits
from crm_portfolio.analysis._lost._triage import Triage
from crm_portfolio.results import Json, significant

__all__ = ["coverage", "summary_of", "warnings"]


def summary_of(triage: Triage, found: pa.Table) -> dict[str, Json]:
    """Counts and amounts, what they were held against, and what people say of them."""
    digits = triage.portfolio.minor_digits
    lost = pc.equal(found["record"], "opportunity")
    apart = pc.fill_null(pc.equal(found["class"], DUPLICATE), False)  # noqa: FBT003
    return {
        "opportunities": _lost(found.filter(pc.and_(lost, pc.invert(apart))), digits),
        "episodes": _figures(
            found.filter(pc.equal(found["record"], "episode")), digits
        ),
        "enquiries": _asked(triage, found.filter(pc.equal(found["record"], "enquiry"))),
        "duplicates": _figures(found.filter(apart), digits),
        "rules": [*_by_rule(found.filter(pc.invert(apart)), digits)],
        "thresholds": thresholds(triage.limits, digits),
        "capture": _capture(triage),
        "people": _people(triage, found.filter(pc.invert(apart))),
    }


_UNKNOWN: Final[Mapping[str, Json]] = {"count": None, "amount": None}


def _figures(rows: pa.Table, digits: int) -> Mapping[str, Json]:
    count, minor, priced = (
        int(pc.sum(rows[name]).as_py() or 0) for name in ("n", "minor", "priced")
    )
    amount = None if count and not priced else significant(minor / 10**digits)
    return {"count": count, "amount": amount}


def _lost(rows: pa.Table, digits: int) -> dict[str, Json]:
    """Where rules could judge none of them, how many were missed is unknown, not 0."""
    whole = _figures(rows, digits)
    missed = _figures(rows.filter(pc.is_in(rows["class"], pa.array(MISSED))), digits)
    could = _figures(
        rows.filter(pc.fill_null(rows["is_addressable"], False)),  # noqa: FBT003
        digits,
    )
    untaken = _figures(rows.filter(pc.equal(rows["class"], "unclassified")), digits)
    judged = rows.filter(pc.not_equal(rows["class"], "data_insufficient"))
    count = cast("int", whole["count"])
    if count and not judged.num_rows:
        missed = could = untaken = _UNKNOWN
    unsure = cast("int | None", untaken["count"])
    share = unsure / count if count and unsure is not None else None
    return {
        **whole,
        "imputed_count": pc.sum(
            rows.filter(pc.equal(rows["is_imputed"], 1))["n"]
        ).as_py()
        or 0,
        "proposal_unknown_count": pc.sum(
            judged.filter(pc.equal(judged["has_stage"], 0))["n"]
        ).as_py()
        or 0,
        "missed_count": missed["count"],
        "missed_amount": missed["amount"],
        "addressable_count": could["count"],
        "addressable_amount": could["amount"],
        "unclassified_count": untaken["count"],
        "unclassified_share": significant(share),
    }


def _asked(triage: Triage, rows: pa.Table) -> dict[str, Json] | None:
    """Enquiries that never became an opportunity; None without the table."""
    if triage.answers is None:
        return None
    count = {
        name: int(pc.sum(rows.filter(pc.equal(rows["rule"], name))["n"]).as_py() or 0)
        for name in ("answered", "waiting", "answers_not_kept")
    }
    total = int(pc.sum(rows["n"]).as_py() or 0)
    told, answered = triage.answers
    return {
        "count": total,
        "missed_count": total - sum(count.values()),
        "answered_count": count["answered"],
        "waiting_count": count["waiting"],
        "not_judged_count": count["answers_not_kept"],
        "answers_kept_share": significant(answered / told) if told else None,
    }


def _by_rule(found: pa.Table, digits: int) -> Iterator[Json]:
    for record in ("opportunity", "episode", "enquiry"):
        own = found.filter(pc.equal(found["record"], record))
        for name in CLASSES:
            mine = own.filter(pc.equal(own["class"], name))
            for rule in sorted(set(mine["rule"].to_pylist())):
                rows = mine.filter(pc.equal(mine["rule"], rule))
                yield {
                    "record": record,
                    "class": name,
                    "rule": rule,
                    **_figures(rows, digits),
                }


def thresholds(limits: Limits, digits: int) -> dict[str, Json]:
    """What the rules compared with, in the units people use."""
    amount = None if limits.minor is None else limits.minor / 10**digits
    return {
        "response_hours": limits.response_s / 3600,
        "silent_days": significant(limits.silent_days),
        "few_touches": significant(limits.few_touches),
        "enough_touches": significant(limits.enough_touches),
        "amount": significant(amount),
    }


def _capture(triage: Triage) -> dict[str, Json]:
    own = triage.settings
    owners = triage.won.captured(own.min_capture_share, own.min_won_count)
    kept = int(pc.sum(owners["owner_captured"]).as_py() or 0)
    return {
        "won_count": triage.won.count,
        "captured_share": significant(triage.won.capture_share),
        "owner_count": owners.num_rows,
        "owners_below_count": owners.num_rows - kept,
    }


def _people(triage: Triage, found: pa.Table) -> dict[str, Json]:
    """How often the rules and the people say the same, and how else."""
    told = found.filter(
        pc.and_(pc.not_equal(found["person"], ""), pc.is_valid(found["class"]))
    )
    by = ["class", "person"]
    pairs = told.group_by(by).aggregate([("n", "sum")])
    pairs = pairs.sort_by([(name, "ascending") for name in by])
    same = pairs.filter(pc.equal(pairs["class"], pairs["person"]))
    count = int(pc.sum(pairs["n_sum"]).as_py() or 0)
    agreed = int(pc.sum(same["n_sum"]).as_py() or 0)
    return {
        "decided_count": count,
        "agreed_count": agreed,
        "agreed_share": significant(agreed / count) if count else None,
        "elsewhere_count": triage.overrides.count - count,
        "confusion": [
            {"by_rule": row["class"], "by_person": row["person"], "count": row["n_sum"]}
            for row in pairs.to_pylist()
        ],
    }


def coverage(found: pa.Table) -> float | None:
    """Of the lost opportunities, how many say their amount."""
    lost = found.filter(pc.equal(found["record"], "opportunity"))
    total = pc.sum(lost["n"]).as_py() or 0
    own = lost.filter(pc.equal(lost["is_imputed"], 0))
    return (pc.sum(own["priced"]).as_py() or 0) / total if total else None


def warnings(triage: Triage, summary: Mapping[str, Json]) -> Iterator[Reason]:
    """What to bear in mind, the gravest first; the blind spot always."""
    told = cast("Mapping[str, Any]", summary)
    yield from _not_judged(triage, told)
    lost = told["opportunities"]
    # One sale may be worth nothing; where all are, the field is emptied when they are lost.
    if lost["count"] and lost["amount"] == 0:
        yield Reason("lost_amounts_zero", {"n": lost["count"]})
    share = lost["unclassified_share"]
    if share is not None and share > triage.settings.unclassified_share:
        values = {"n": lost["unclassified_count"], "share": share}
        yield Reason("lost_unclassified_high", values)
    asked = told["enquiries"] or {"not_judged_count": 0}
    counts = {
        "lost_amounts_imputed": lost["imputed_count"],
        "lost_duplicates_apart": told["duplicates"]["count"],
        "lost_undated": triage.undated_count,
        "lost_proposals_unknown": lost["proposal_unknown_count"],
        "lost_answers_not_kept": asked["not_judged_count"],
        "lost_overrides_elsewhere": told["people"]["elsewhere_count"],
    }
    yield from (Reason(code, {"n": n}) for code, n in counts.items() if n)
    yield Reason("lost_blind_spot")


def _not_judged(triage: Triage, told: Mapping[str, Any]) -> Iterator[Reason]:
    count = {"n": told["opportunities"]["count"]}
    low = sum(row["count"] for row in told["rules"] if row["rule"] == "capture_low")
    if count["n"] and not triage.limits.has_activities:
        yield Reason("lost_no_activities", count)
    elif count["n"] and not triage.limits.has_won:
        yield Reason("lost_nothing_won", count)
    elif low:
        share = told["capture"]["captured_share"]
        least = triage.settings.min_capture_share
        yield Reason("lost_capture_low", {"n": low, "share": share, "least": least})
