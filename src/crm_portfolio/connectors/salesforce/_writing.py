"""What came of each change that was sent?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

import attrs

from crm_portfolio.connectors._retry import (
    QuotaSpentError,
    RetrySettings,
    persistent,
)
from crm_portfolio.connectors.salesforce._fields import ACCOUNT_FIELDS
from crm_portfolio.connectors.salesforce._refusals import safe_code
from crm_portfolio.connectors.salesforce._rest import Record, Rest
from crm_portfolio.errors import ConnectorError, TransientError
from crm_portfolio.protocols import Change, Outcome, Value

__all__ = ["COLLECTION_WRITE_MAX", "same_record", "written"]

COLLECTION_WRITE_MAX: Final = 200
_GONE: Final = frozenset(
    {"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID", "NOT_FOUND"}
)
_LOCKED: Final = "UNABLE_TO_LOCK_ROW"
# The vendor's own text repeats the value, and a company's rules may name anybody.
_REASONS: Final[Mapping[str, str]] = {
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "a trigger or flow of the org failed",
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
}


def written(
    rest: Rest, sobject: str, changes: Iterable[Change], *, retry: RetrySettings
) -> Iterator[Outcome]:
    """One outcome for each change; the changes of one record travel together.

    Raises:
        TransientError: After the changes in flight have come back as ``unknown``.
    """
    by_record: dict[str, list[Change]] = {}
    for change in changes:
        by_record.setdefault(change.record_id, []).append(change)
    groups = list(by_record.values())
    for start in range(0, len(groups), COLLECTION_WRITE_MAX):
        batch = _Batch(groups[start : start + COLLECTION_WRITE_MAX])
        failure = batch.send(rest, sobject, retry)
        yield from batch.outcomes()
        if failure is not None:
            raise failure


class _RowsLockedError(TransientError):
    """Some records were held by someone else; the others are done."""


@attrs.define
class _Batch:
    """Up to 200 records on their way, and what is known of each."""

    groups: Sequence[list[Change]]
    results: dict[int, Record] = attrs.field(factory=dict)
    is_answer_lost: bool = False

    def send(
        self, rest: Rest, sobject: str, retry: RetrySettings
    ) -> ConnectorError | None:
        """Send until all is known or patience ends; the error that ended it."""
        try:
            persistent(retry)(self._send_open, rest, sobject)
        except _RowsLockedError:
            return None
        except ConnectorError as error:
            return error
        return None

    def _send_open(self, rest: Rest, sobject: str) -> None:
        waiting = [
            place
            for place in range(len(self.groups))
            if place not in self.results or _code(self.results[place]) == _LOCKED
        ]
        records = [_record(self.groups[place]) for place in waiting]
        try:
            results = rest.update(sobject, records)
        except TransientError as error:
            # A spent quota is a clear no; any other missing answer may hide a yes.
            self.is_answer_lost |= not isinstance(error, QuotaSpentError)
            raise
        self.results.update(zip(waiting, results, strict=True))
        locked = sum(_code(result) == _LOCKED for result in results)
        if locked:
            raise _RowsLockedError(
                "salesforce", f"{locked} records are locked", _LOCKED
            )

    def outcomes(self) -> Iterator[Outcome]:
        for place, group in enumerate(self.groups):
            for change in group:
                if place in self.results:
                    yield _outcome(change, self.results[place])
                elif self.is_answer_lost:
                    lost = "no answer came back: it may or may not be written"
                    yield Outcome(change, "unknown", "", lost)


def _record(changes: Sequence[Change]) -> Record:
    values = {ACCOUNT_FIELDS[change.column]: _wire(change.after) for change in changes}
    return {"id": changes[0].record_id, **values}


def _wire(value: Value) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _outcome(change: Change, result: Record) -> Outcome:
    if result.get("success") is True:
        if same_record(result.get("id"), change.record_id):
            return Outcome(change, "written")
        return Outcome(change, "gone", "", "another record answered: it was merged")
    code = _code(result)
    if code in _GONE:
        return Outcome(
            change, "gone", code, "the record is deleted, merged or not here"
        )
    fields = sorted(
        set(_error(result).get("fields") or ()) & set(ACCOUNT_FIELDS.values())
    )
    named = f" ({', '.join(fields)})" if fields else ""
    reason = _REASONS.get(code, "the CRM refuses it")
    return Outcome(change, "rejected", code, f"{reason}{named}")


def same_record(one: object, other: object) -> bool:
    """Whether two ids name one record: 15 characters are the id, 18 guard its case."""
    return isinstance(one, str) and isinstance(other, str) and one[:15] == other[:15]


def _error(result: Record) -> Record:
    errors = result.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    return first if isinstance(first, dict) else {}


def _code(result: Record) -> str:
    return safe_code(_error(result).get("statusCode", ""))
