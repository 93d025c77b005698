"""What did the CRM decide on one record, whichever way it was sent?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors.salesforce._fields import OUR_FIELDS
from crm_portfolio.connectors.salesforce._refusals import safe_code
from crm_portfolio.protocols import Change, Outcome, OutcomeState

__all__ = [
    "UNPROCESSED",
    "Verdict",
    "accepted",
    "from_text",
    "refused",
    "same_record",
    "unprocessed",
]

_GONE: Final = frozenset(
    {"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID", "NOT_FOUND"}
)
_LOCKED: Final = "UNABLE_TO_LOCK_ROW"
_TRIGGER: Final = "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
_COLLATERAL: Final = "ALL_OR_NONE_OPERATION_ROLLED_BACK"
# The vendor's own text repeats the value, and a company's rules may name anybody.
_REASONS: Final[Mapping[str, str]] = {
    _COLLATERAL: "another record of the same call was refused",
    "DUPLICATES_DETECTED": "a duplicate rule of the org refuses it",
    "DUPLICATE_VALUE": "the value must be unique and is taken",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "a validation rule of the org refuses it",
    "FIELD_INTEGRITY_EXCEPTION": "the value does not fit the record",
    "INSUFFICIENT_ACCESS_OR_READONLY": "this login may not edit the record",
    "INVALID_FIELD": "the field is gone or hidden",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "this login may not edit the field",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "the value is not one of the options",
    "NUMBER_OUTSIDE_VALID_RANGE": "the number is too large for the field",
    "REQUIRED_FIELD_MISSING": "a field the org requires is empty",
    "STRING_TOO_LONG": "the text is too long for the field",
    _LOCKED: "someone else holds the record",
    _TRIGGER: "a trigger or flow of the org failed",
}


@attrs.frozen
class Verdict:
    """What came of a record.

    Attributes:
        is_locked: Someone else held it; the same again may do.
        field: The one of ours that it is about, where it is about one.
        is_passing: It may go again later, locked or not.
    """

    state: OutcomeState
    code: str = ""
    message: str = ""
    is_locked: bool = False
    field: str = ""
    is_passing: bool = False

    def of(self, change: Change) -> Outcome:
        is_passing = self.is_passing or self.is_locked
        return Outcome(
            change, self.state, self.code, self.message, self.field, is_passing
        )


UNPROCESSED: Final = Verdict(
    "rejected",
    "UNPROCESSED",
    "the CRM ended the job before this record, which is as it was: run again",
    is_passing=True,
)


def unprocessed(why: str) -> Verdict:
    """The job ended before the record; ``why`` is the vendor's and is only looked at."""
    column = _assumptions.UNKNOWN_COLUMN.search(why)
    if column is None:
        return UNPROCESSED
    return refused("INVALID_FIELD", fields=(column["name"],))


def accepted(answered: object, sent: str) -> Verdict:
    """The record was written, if it is the one that was meant."""
    if same_record(answered, sent):
        return Verdict("written")
    return Verdict("gone", "", "another record answered: it was merged")


def refused(code: object, text: str = "", fields: Iterable[Any] = ()) -> Verdict:
    """The record was not written; ``text`` is the vendor's and is only looked at."""
    known = safe_code(code)
    if known in _GONE:
        return Verdict("gone", known, "the record is deleted, merged or not here")
    known_names = {name for names in OUR_FIELDS.values() for name in names.values()}
    ours = sorted(known_names.intersection(map(str, fields)))
    named = f" ({', '.join(ours)})" if ours else ""
    reason = _REASONS.get(known, "the CRM refuses it")
    is_locked = known == _LOCKED or (known == _TRIGGER and _LOCKED in text)
    return Verdict(
        "rejected",
        known,
        f"{reason}{named}",
        is_locked,
        field=", ".join(ours),
        is_passing=known == _COLLATERAL,
    )


def from_text(error: str | None) -> Verdict:
    """The same, from the one text that a job gives for a row."""
    found = _assumptions.INGEST_ERROR.match(error or "")
    if found is None:
        return refused("", error or "")
    fields = (name.strip() for name in (found["fields"] or "").split(","))
    return refused(found["code"], found["text"] or "", fields)


def same_record(one: object, other: object) -> bool:
    """Whether two ids name one record: 15 characters are the id, 18 guard its case."""
    return isinstance(one, str) and isinstance(other, str) and one[:15] == other[:15]
