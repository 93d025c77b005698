"""What would a user of pandas write who reads the rules out, one lost opportunity at a time?

The tables are read, cut and merged as in `_triage_in_pandas`; only the class of each, and
how long it waited within working hours, are told by functions of a row.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

__all__ = ["classes"]

Row = Any
_DAY_SECONDS: Final = 28_800
_LONGEST_WAIT: Final = 86_400
_NOBODY: Final = (
    *("no decision", "no response", "budget frozen", "project cancelled"),
    *("project canceled", "postponed", "timing", "on hold", "did nothing"),
    *("other", "unknown", "none"),
)
_UNFIT: Final = ("not a fit", "no budget", "ethics")


def classes(lost: Any, zone: str) -> Any:
    """The class of each lost opportunity."""
    return lost.apply(_class_of, axis=1, zone=zone)


def _class_of(row: Row, zone: str) -> str:
    """That of the first rule that holds."""
    found = (name for name, holds in _RULES.items() if holds(row, zone))
    return next(found, "unclassified")


def _data_insufficient(row: Row, zone: str) -> bool:
    is_same_day = _day(row["created_at"], zone) == row["closed_day"]
    return not row["is_captured"] or (is_same_day and row["touches"] == 0)


def _disqualified(row: Row, _: str) -> bool:
    if _by_client(row):
        return False
    unfit_then = _talked(row) and not _had_offer(row) and _reason(row) in _UNFIT
    return unfit_then or _reason(row) == "duplicate"


def _lost_client(row: Row, _: str) -> bool:
    return bool(row["kind"] == "renewal")


def _missed_unseen(row: Row, _: str) -> bool:
    return bool(pd.isna(row["answered"]))


def _missed_late(row: Row, zone: str) -> bool:
    came_again = row["last_in"] > row["answered"]
    return _waited(row, zone) > _LONGEST_WAIT and not came_again


def _missed_neglected(row: Row, zone: str) -> bool:
    if not _talked(row) or not (row["has_no_step"] or row["is_overdue"]):
        return False
    silent = row["closed_day"] - _day(row["last"], zone)
    return bool(silent.days >= row["silence"])


def _missed_underinvested(row: Row, _: str) -> bool:
    is_small = row["touches"] < row["few"] and not _had_offer(row)
    return bool(row["valued"] >= row["value"] and is_small)


def _pursued_lost(row: Row, _: str) -> bool:
    is_unfit = (
        not _by_client(row) and pd.isna(row["competitor"]) and _reason(row) in _UNFIT
    )
    was_pursued = _had_offer(row) or row["touches"] >= row["enough"]
    return bool(was_pursued and not _nobody_chose(row) and not is_unfit)


def _no_decision(row: Row, _: str) -> bool:
    was_pursued = _had_offer(row) or row["touches"] >= row["enough_there"]
    return bool(was_pursued and _nobody_chose(row))


_RULES: Final = {
    "data_insufficient": _data_insufficient,
    "disqualified": _disqualified,
    "lost_client": _lost_client,
    "missed_unseen": _missed_unseen,
    "missed_late": _missed_late,
    "missed_neglected": _missed_neglected,
    "missed_underinvested": _missed_underinvested,
    "pursued_lost": _pursued_lost,
    "no_decision": _no_decision,
}


def _by_client(row: Row) -> bool:
    return bool(row["loss_reason_by"] == "client")


def _talked(row: Row) -> bool:
    return bool(row["in_count"] > 0 and row["out_count"] > 0)


def _had_offer(row: Row) -> bool:
    return bool(pd.notna(row["had_offer"]) and row["had_offer"])


def _nobody_chose(row: Row) -> bool:
    if pd.notna(row["competitor"]) or pd.notna(row["refused_on"]):
        return False
    return _reason(row) is None or _reason(row) in _NOBODY


def _reason(row: Row) -> str | None:
    if pd.isna(row["loss_reason"]):
        return None
    return str(row["loss_reason"]).replace("_", " ").lower()


def _waited(row: Row, zone: str) -> int:
    """Working seconds until we answered; 0 where we came first."""
    if row["answered"] <= row["created_at"]:
        return 0
    return _worked(row["answered"], zone) - _worked(row["created_at"], zone)


def _day(moment: pd.Timestamp, zone: str) -> pd.Timestamp:
    return moment.tz_convert(zone).tz_localize(None).normalize()


def _worked(moment: pd.Timestamp, zone: str) -> int:
    """Working seconds before a moment: nine to five, from Monday to Friday."""
    local = moment.tz_convert(zone)
    day = np.datetime64(local.date(), "D")
    before = int(np.busday_count("2015-01-01", day)) * _DAY_SECONDS
    if not np.is_busday(day):
        return before
    into = local.hour * 3600 + local.minute * 60 + local.second - 9 * 3600
    return before + min(max(into, 0), _DAY_SECONDS)
