"""What came of each change that was sent, by collections or by a job?

Both ways end in the same org and the same outcomes; only their price differs. Nothing is
sent twice but what may be: the same value again harms nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final, TypeAlias

import attrs

from crm_portfolio.connectors._retry import (
    QuotaSpentError,
    RetrySettings,
    persistent,
)
from crm_portfolio.connectors.salesforce._fields import OUR_FIELDS
from crm_portfolio.connectors.salesforce._ingest import Ingest, Sent, fits
from crm_portfolio.connectors.salesforce._portions import COLLECTION_WRITE_MAX
from crm_portfolio.connectors.salesforce._refusals import BulkRefusedError
from crm_portfolio.connectors.salesforce._rest import Record, Rest
from crm_portfolio.connectors.salesforce._verdicts import (
    Verdict,
    accepted,
    refused,
    same_record,
)
from crm_portfolio.errors import ConnectorError, TransientError
from crm_portfolio.protocols import Change, Outcome, Value

__all__ = ["same_record", "written"]

_LOCK_ROUNDS: Final = 5
_LOST: Final = Verdict(
    "unknown", "", "no answer came back: it may or may not be written"
)
Group: TypeAlias = Sequence[Change]  # the changes of one record


def written(
    rest: Rest,
    sobject: str,
    changes: Iterable[Change],
    *,
    retry: RetrySettings,
    ingest: Ingest | None = None,
) -> Iterator[Outcome]:
    """One outcome for each change; the changes of one record travel together.

    Args:
        ingest: Takes many records at once; None: all go by collections.

    Raises:
        TransientError: After the changes in flight have come back as ``unknown``.
    """
    by_record: dict[str, list[Change]] = {}
    for change in changes:
        by_record.setdefault(change.record_id[:15], []).append(change)
    groups: list[Group] = list(by_record.values())
    writer = _Writer(rest, sobject, retry, ingest)
    for part, is_job in _parts(groups, ingest):
        yield from writer.outcomes(part, is_job=is_job)


def _parts(
    groups: list[Group], ingest: Ingest | None
) -> Iterator[tuple[Sequence[Group], bool]]:
    """What is sent together, and whether as a job."""
    by_collections = groups
    if ingest is not None and ingest.is_for(len(groups)):
        by_job: list[Group] = []
        by_collections = []
        for group in groups:
            (by_job if fits(_record(group)) else by_collections).append(group)
        groups.clear()
        for rows in ingest.parts(by_job, _record):
            yield rows, True
    for start in range(0, len(by_collections), COLLECTION_WRITE_MAX):
        yield by_collections[start : start + COLLECTION_WRITE_MAX], False


@attrs.define
class _Writer:
    """Sends parts, and what was locked once more in ever smaller parts."""

    rest: Rest
    sobject: str
    retry: RetrySettings
    ingest: Ingest | None

    def outcomes(self, groups: Sequence[Group], *, is_job: bool) -> Iterator[Outcome]:
        """The outcomes of a part, and then the error that ended it, if one did."""
        verdicts: dict[str, Verdict] = {}
        failure = self._send(groups, verdicts, is_job=is_job)
        size = len(groups)
        for tries in range(1, min(self.retry.attempts, 1 + _LOCK_ROUNDS)):
            locked = [group for group in groups if _is_locked(group, verdicts)]
            if failure is not None or not locked:
                break
            self._wait(tries)
            size = max(size // 2, 1)
            failure = self._send_again(locked, verdicts, size)
        for group in groups:
            verdict = verdicts.get(group[0].record_id)
            if verdict is not None:
                yield from map(verdict.of, group)
        if failure is not None:
            raise failure

    def _send_again(
        self, groups: Sequence[Group], verdicts: dict[str, Verdict], size: int
    ) -> ConnectorError | None:
        is_job = self.ingest is not None and self.ingest.is_for(min(size, len(groups)))
        size = size if is_job else min(size, COLLECTION_WRITE_MAX)
        for start in range(0, len(groups), size):
            part = groups[start : start + size]
            failure = self._send(part, verdicts, is_job=is_job)
            if failure is not None:
                return failure
        return None

    def _send(
        self, groups: Sequence[Group], verdicts: dict[str, Verdict], *, is_job: bool
    ) -> ConnectorError | None:
        """Note what came of each record; what is not known may still be written."""
        if is_job and self.ingest is not None:
            sent = self._by_job(self.ingest, groups)
        else:
            sent = self._by_collection(groups)
        for group in groups:
            record_id = group[0].record_id
            verdict = sent.verdicts.get(record_id, _LOST if sent.is_lost else None)
            if verdict is not None:
                verdicts[record_id] = verdict
        return sent.failure

    def _by_job(self, ingest: Ingest, groups: Sequence[Group]) -> Sent:
        try:
            return ingest.sent(self.sobject, [_record(group) for group in groups])
        except BulkRefusedError:
            if ingest.is_a_must:
                raise
        verdicts: dict[str, Verdict] = {}
        for start in range(0, len(groups), COLLECTION_WRITE_MAX):
            part = groups[start : start + COLLECTION_WRITE_MAX]
            sent = self._by_collection(part)
            verdicts |= sent.verdicts
            if sent.failure is not None:
                lost = [group[0].record_id for group in part] if sent.is_lost else []
                verdicts = {**dict.fromkeys(lost, _LOST), **verdicts}
                return Sent(verdicts, failure=sent.failure)
        return Sent(verdicts)

    def _by_collection(self, groups: Sequence[Group]) -> Sent:
        records = [_record(group) for group in groups]
        is_lost = False

        def once() -> list[Record]:
            nonlocal is_lost
            try:
                return self.rest.update(self.sobject, records)
            except TransientError as error:
                # A spent quota is a clear no; any other missing answer may hide a yes.
                is_lost |= not isinstance(error, QuotaSpentError)
                raise

        try:
            results = persistent(self.retry)(once)
        except ConnectorError as error:
            return Sent({}, is_lost=is_lost, failure=error)
        return Sent(
            {
                record["id"]: _verdict(record["id"], result)
                for record, result in zip(records, results, strict=True)
            }
        )

    def _wait(self, tries: int) -> None:
        """Longer each time, and never as long as others who wait for the same record."""
        longest = self.retry.first_wait_seconds * 2 ** (tries - 1)
        share = random.uniform(0.5, 1.0)  # noqa: S311 - chance, not secrecy
        time.sleep(share * min(longest, self.retry.longest_wait_seconds))


def _is_locked(group: Group, verdicts: Mapping[str, Verdict]) -> bool:
    verdict = verdicts.get(group[0].record_id)
    return verdict is not None and verdict.is_locked


def _record(changes: Group) -> Record:
    names = OUR_FIELDS[changes[0].table]
    values = {names[change.column]: _wire(change.after) for change in changes}
    return {"id": changes[0].record_id, **values}


def _wire(value: Value) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _verdict(record_id: str, result: Record) -> Verdict:
    if result.get("success") is True:
        return accepted(result.get("id"), record_id)
    errors = result.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    error = first if isinstance(first, dict) else {}
    fields = error.get("fields")
    return refused(
        error.get("statusCode", ""),
        str(error.get("message", "")),
        fields if isinstance(fields, list) else (),
    )
