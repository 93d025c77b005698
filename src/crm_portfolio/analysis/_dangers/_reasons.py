"""How is a danger told: in the few words of a CRM's field, and at length?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._risk import LEVELS
from crm_portfolio._wording import Lang, Reason, ReasonValue, sentence
from crm_portfolio.analysis._dangers._danger import COMPONENTS, Danger
from crm_portfolio.analysis._dangers._settings import RiskSettings, Three
from crm_portfolio.analysis._facts import partly_unknown
from crm_portfolio.results import Row

__all__ = ["THRESHOLDS", "of_account", "short", "told", "written"]

MOST_CHARACTERS: Final = 255
THRESHOLDS: Final[Mapping[str, str]] = {
    "silence": "silence",
    "erosion": "erosion",
    "payment": "days_late",
    "relationship": "rating",
    "renewal": "days_to_end",
}
"""The setting that holds the thresholds of each component."""

_EPOCH: Final = date(1970, 1, 1)
_NO_DAY: Final = -(2**31)
_DAYS: Final = 2**33
"""More than there are days: one number holds a day and what else is told of it."""
_SPACES: Final = str.maketrans("\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}", "  ")


def short(code: str, level: int, on: date | None, thresholds: Three) -> Reason:
    """The danger with its day and the threshold it has crossed; no figure that grows."""
    threshold = thresholds[level - 1]
    whole = int(threshold) if float(threshold).is_integer() else threshold
    return Reason(code, {"threshold": whole, "on": on})


def told(dangers: Sequence[Danger]) -> dict[str, pa.Array]:
    """Code and day of what each component would say of each account."""
    codes = {f"{each.name}_as": each.told_as for each in dangers}
    return codes | {f"{each.name}_on": each.told_on for each in dangers}


def written(dangers: Sequence[Danger], settings: RiskSettings) -> pa.Array:
    """What stands in the CRM: whole reasons, the gravest first, as many as it holds."""
    levels = np.stack([each.level for each in dangers])
    lang = settings.language or "en"
    texts = [_said("risk_nothing", lang), _said("risk_all_unknown", lang), ""]
    nothing, unknown, none = 0, 1, 2
    pieces = np.full(levels.shape, none, dtype=np.int64)
    for row, each in enumerate(dangers):
        places = np.flatnonzero(each.level > 0)
        thresholds = getattr(settings, THRESHOLDS[each.name])
        said, which = _sentences(each, places, thresholds, lang)
        pieces[row, places] = which + len(texts)
        texts += said
    # The gravest first; of equal ones in the order of the components.
    order = np.argsort(-levels, axis=0, kind="stable")
    pieces = np.take_along_axis(pieces, order, axis=0)
    calm = pieces[0] == none
    pieces[0, calm] = np.where(levels.max(axis=0)[calm] < 0, unknown, nothing)
    lengths = np.array([len(text) for text in texts])[pieces] + 1
    fits = np.cumsum(lengths, axis=0) - 1 <= MOST_CHARACTERS
    pieces[~fits] = none
    catalogue = pa.array(texts, pa.string())
    parts = [catalogue.take(pa.array(each)) for each in pieces]
    return pc.utf8_rtrim_whitespace(pc.binary_join_element_wise(*parts, " "))


def _sentences(
    danger: Danger, places: Any, thresholds: Three, lang: Lang
) -> tuple[list[str], Any]:
    """The different sentences these accounts need, and which of them each one needs."""
    at = pa.array(places)
    codes = danger.told_as.take(at).dictionary_encode()
    days = pc.fill_null(danger.told_on.take(at).cast(pa.int32()), _NO_DAY)
    keys = codes.indices.to_numpy().astype(np.int64) * len(LEVELS)
    keys = (keys + danger.level[places]) * _DAYS + days.to_numpy() - _NO_DAY
    different = pa.array(keys).dictionary_encode()
    said = []
    for key in different.dictionary.to_pylist():
        (code, level), day = divmod(key // _DAYS, len(LEVELS)), key % _DAYS + _NO_DAY
        on = None if day == _NO_DAY else _EPOCH + timedelta(days=day)
        told = short(codes.dictionary[code].as_py(), level, on, thresholds)
        said.append(_spoken(told, lang))
    return said, different.indices.to_numpy().astype(np.int64)


def _said(code: str, lang: Lang) -> str:
    return _spoken(Reason(code), lang)


def _spoken(reason: Reason, lang: Lang) -> str:
    # A CRM may give back another kind of space than it was given.
    return sentence(reason, lang).translate(_SPACES)


def of_account(row: Row, said: Mapping[str, Any], settings: Any) -> Iterator[Reason]:
    """The level, then each component with its evidence, the gravest first.

    Args:
        said: The row of `told`.
        settings: As the parameters of the result echo them.
    """
    levels = {name: row[f"{name}_level"] for name in COMPONENTS}
    known = sum(level is not None for level in levels.values())
    yield Reason(_LEVEL[row["risk_level"]], {"known": known})
    for name in sorted(COMPONENTS, key=lambda name: -_grave(levels[name])):
        grave = _grave(levels[name])
        if grave > 0:
            thresholds = settings[THRESHOLDS[name]]
            code, on = said[f"{name}_as"], said[f"{name}_on"]
            yield short(code, grave, on, thresholds)
        yield from _EVIDENCE[name](row)
    yield from partly_unknown(row)


def _grave(level: str | None) -> int:
    return -1 if level is None else LEVELS.index(level)


def _silence(row: Row) -> Iterator[Reason]:
    since: dict[str, ReasonValue] = {"on": row["silent_since_on"]}
    match row["silence_rhythm"]:
        case "own" | "tier" as whose:
            values = {"index": row["silence_index"], "gap": round(row["gap_days"])}
            code = "risk_silence_own" if whose == "own" else "risk_silence_tier"
            yield Reason(code, {**since, **values})
        case "season":
            yield Reason("risk_silence_season", since)
        case "gone":
            yield Reason("risk_silence_gone", since)
        case "contract":
            yield Reason("risk_silence_contract")
        case _:
            yield Reason("risk_silence_unknown", {"days": row["purchase_days"]})


def _erosion(row: Row) -> Iterator[Reason]:
    if row["erosion_level"] is None:
        is_agreed = row["is_billed_elsewhen"]
        yield Reason("risk_erosion_agreed" if is_agreed else "risk_erosion_unknown")
        return
    change = row["revenue_change_share"]
    values = {"revenue": row["revenue"], "before": row["revenue_previous"]}
    values |= {"currency": row["currency"]}
    if change is None:
        is_less = _grave(row["erosion_level"]) > 0
        code = "risk_erosion_less_at_least" if is_less else "risk_erosion_none_at_least"
        yield Reason(code, values)
        return
    code = "risk_erosion_less" if change < 0 else "risk_erosion_none"
    yield Reason(code, {**values, "change": abs(change)})


def _payment(row: Row) -> Iterator[Reason]:
    if row["payment_level"] is None:
        yield Reason("risk_payment_unknown")
    else:
        values = {"days": round(row["days_late"], 1), "late": row["late_share"]}
        yield Reason(
            "risk_payment_days", {**values, "invoices": row["due_invoice_count"]}
        )
    if row["unpaid_since_on"]:
        yield Reason("risk_payment_unpaid", {"on": row["unpaid_since_on"]})
    if row["paid_late_on"]:
        yield Reason("risk_payment_paid_late", {"on": row["paid_late_on"]})
    if row["disputed_invoice_count"]:
        yield Reason("risk_payment_disputed", {"n": row["disputed_invoice_count"]})


def _relationship(row: Row) -> Iterator[Reason]:
    if row["veto"] is not None:
        yield Reason("risk_veto_named", {"criterion": row["veto"]})
    if row["relationship_rating"] is None:
        if row["veto"] is None:
            yield Reason("risk_relationship_unknown")
        return
    values = {"rating": row["relationship_rating"], "raters": row["rater_count"]}
    yield Reason("risk_relationship_rating", values)
    if row["raters_differ"]:
        yield Reason("risk_relationship_spread", {"spread": row["rating_spread"]})
    if row["is_rating_old"]:
        yield Reason("risk_relationship_old")


def _renewal(row: Row) -> Iterator[Reason]:
    ends: dict[str, ReasonValue] = {"on": row["contract_ends_on"]}
    if row["contract_ends_on"] is None:
        runs = row["contract_runs"]
        yield Reason("risk_renewal_runs" if runs else "risk_renewal_unknown")
    elif row["open_renewal_count"]:
        yield Reason("risk_renewal_open", ends)
    elif row["renewal_won_on"]:
        won = {"won": row["renewal_won_on"]}
        yield Reason("risk_renewal_won", {**ends, **won})
    elif row["renewal_level"] is None:
        overlaps = row["contract_overlaps"]
        code = "risk_renewal_overlap" if overlaps else "risk_renewal_unsorted"
        yield Reason(code, ends)
    elif row["days_to_end"] < 0:
        yield Reason("risk_renewal_ended", ends)
    else:
        yield Reason("risk_renewal_days", {**ends, "days": row["days_to_end"]})


_LEVEL: Final = {
    "low": "risk_is_low",
    "medium": "risk_is_medium",
    "high": "risk_is_high",
    "critical": "risk_is_critical",
    "unknown": "risk_is_unknown",
}
_EVIDENCE: Final = {
    "silence": _silence,
    "erosion": _erosion,
    "payment": _payment,
    "relationship": _relationship,
    "renewal": _renewal,
}
