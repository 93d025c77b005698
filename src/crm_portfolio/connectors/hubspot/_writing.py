"""What came of each change that was sent?

HubSpot refuses a whole batch for one bad value and names no record; it answers a merged
record under another id; and it may do some of a batch under any status. So values are
judged before, a refused batch is halved down to the culprit, and what no answer accounts
for is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from crm_portfolio.connectors._retry import (
    QuotaSpentError,
    RetrySettings,
    persistent,
)
from crm_portfolio.connectors.hubspot import _paths
from crm_portfolio.connectors.hubspot._client import Answer, Client
from crm_portfolio.connectors.hubspot._fields import OUR_PROPERTIES
from crm_portfolio.connectors.hubspot._refusals import RefusedRequestError, safe_code
from crm_portfolio.connectors.hubspot._validation import Definitions, judged, wire
from crm_portfolio.errors import ConnectorError, TransientError
from crm_portfolio.protocols import Change, Outcome

__all__ = ["BATCH_WRITE_MAX", "written"]

BATCH_WRITE_MAX: Final = 100
# Calls one refused batch may cost on the way to its culprits: 7 levels find one of 100.
_SEARCH_CALLS: Final = 32
_GONE: Final = frozenset({"OBJECT_NOT_FOUND", "NOT_FOUND"})
_LOST: Final = "no answer came back: it may or may not be written"
_UNTOLD: Final = "the answer does not tell what came of it"
_MERGED: Final = "another record answered: it was merged"
_TAKEN_OVER: Final = (
    "a record of the same batch was merged into it, and its values may be here instead"
)
_DELETED: Final = "the record is deleted, merged or not here"
_REFUSED: Final = "the CRM refuses it"
_HIDDEN: Final = (
    "the CRM refuses the batch it was in, and which record is to blame was not found "
    "within the calls allowed; nothing of the batch was written"
)

Group: TypeAlias = list[Change]  # the changes of one record


def written(
    client: Client,
    kind: str,
    changes: Iterable[Change],
    *,
    known: Definitions,
    retry: RetrySettings,
) -> Iterator[Outcome]:
    """One outcome for each change; the changes of one record travel together.

    Args:
        known: What the portal says of its properties.

    Raises:
        TransientError: After the changes in flight have come back as ``unknown``.
    """
    for groups in _batches(changes):
        batch = _Batch(client, kind, retry)
        fit = [group for group in groups if not batch.refuse(group, known)]
        failure = batch.write(fit)
        yield from batch.outcomes
        if failure is not None:
            raise failure


def _batches(changes: Iterable[Change]) -> Iterator[list[Group]]:
    by_record: dict[str, Group] = {}
    for change in changes:
        if change.record_id not in by_record and len(by_record) == BATCH_WRITE_MAX:
            yield list(by_record.values())
            by_record = {}
        by_record.setdefault(change.record_id, []).append(change)
    if by_record:
        yield list(by_record.values())


@attrs.define
class _Batch:
    """Up to 100 records on their way, and what is known of each."""

    client: Client
    kind: str
    retry: RetrySettings
    outcomes: list[Outcome] = attrs.field(factory=list)
    calls_left: int = _SEARCH_CALLS
    is_answer_lost: bool = False

    def refuse(self, group: Group, known: Definitions) -> bool:
        """Whether one of a record's values would be refused; then none of them is sent."""
        found = {change.column: judged(change, known) for change in group}
        bad = next((outcome for outcome in found.values() if outcome), None)
        if bad is None:
            return False
        for change in group:
            self.outcomes.append(
                found[change.column] or attrs.evolve(bad, change=change)
            )
        return True

    def write(self, groups: Sequence[Group]) -> ConnectorError | None:
        """Write what can be written; the error that ended it."""
        if not groups:
            return None
        try:
            answer = persistent(self.retry)(self._send, groups)
        except RefusedRequestError as refusal:
            return self._refused(groups, refusal)
        except ConnectorError as error:
            if self.is_answer_lost:
                self._all(groups, "unknown", "", _LOST)
            return error
        taken_over = self._accounted(groups, answer)
        return self._sent_again(taken_over) if taken_over else None

    def _sent_again(self, groups: Sequence[Group]) -> ConnectorError | None:
        """Records that were given another's values too, in an order nobody knows."""
        failure: ConnectorError | None = None
        try:
            answer = persistent(self.retry)(self._send, groups)
            groups = self._accounted(groups, answer)
        except ConnectorError as error:
            failure = None if isinstance(error, RefusedRequestError) else error
        self._all(groups, "unknown", "", _TAKEN_OVER)
        return failure

    def _send(self, groups: Sequence[Group]) -> Answer:
        inputs = [
            {"id": group[0].record_id, "properties": _wired(group)} for group in groups
        ]
        where, needs = f"writing {self.kind}", _paths.write_scope(self.kind)
        try:
            return self.client.post(
                _paths.batch_update(self.kind),
                {"inputs": inputs},
                where=where,
                needs=needs,
                once=True,
            )
        except TransientError as error:
            # A spent quota is a clear no; any other missing answer may hide a yes.
            self.is_answer_lost |= not isinstance(error, QuotaSpentError)
            raise

    def _refused(
        self, groups: Sequence[Group], refusal: RefusedRequestError
    ) -> ConnectorError | None:
        """Nothing was applied: halve until the culprit stands alone."""
        if len(groups) == 1:
            code, name = _blamed(refusal)
            told = f"{_REFUSED} ({name})" if name else _REFUSED
            self._all(groups, "rejected", code, told, field=name)
            return None
        if self.calls_left < 2:
            code, name = _blamed(refusal)
            told = f"{_HIDDEN} ({name})" if name else _HIDDEN
            # In a smaller batch the culprit is found, and the others are written.
            self._all(groups, "rejected", code, told, is_passing=True)
            return None
        self.calls_left -= 2
        middle = len(groups) // 2
        first = self.write(groups[:middle])
        return first or self.write(groups[middle:])

    def _accounted(self, groups: Sequence[Group], answer: Answer) -> list[Group]:
        """Say what came of each; of those that are returned it is not known yet."""
        done, refused, is_complete = _told(answer.body, groups)
        sent = {group[0].record_id for group in groups}
        is_merged = is_complete and bool(sent - done.keys() - refused.keys())
        taken_over: list[Group] = []
        for group in groups:
            record = group[0].record_id
            if record in done:
                if is_merged and _may_hold_others(done[record], group):
                    taken_over.append(group)
                else:
                    self._all([group], "written")
            elif record in refused:
                code = refused[record]
                if code in _GONE:
                    self._all([group], "gone", code, _DELETED)
                else:
                    self._all([group], "rejected", code, _REFUSED)
            elif is_complete:
                self._all([group], "gone", "", _MERGED)
            else:
                self._all([group], "unknown", "", _UNTOLD)
        return taken_over

    def _all(
        self,
        groups: Sequence[Group],
        state: Any,
        code: str = "",
        message: str = "",
        *,
        field: str = "",
        is_passing: bool = False,
    ) -> None:
        self.outcomes += [
            Outcome(change, state, code, message, field, is_passing)
            for group in groups
            for change in group
        ]


def _wired(group: Group) -> dict[str, str]:
    names = OUR_PROPERTIES[group[0].table]
    return {names[change.column]: wire(change.after) for change in group}


def _may_hold_others(answers: Sequence[Mapping[str, Any]], group: Group) -> bool:
    """Whether a merged record's values may have come upon this one after its own."""
    if len(answers) > 1:
        return True
    told, wired = answers[0].get("properties"), _wired(group)
    said = told if isinstance(told, Mapping) else {}
    return any((said.get(name) or "") != value for name, value in wired.items())


def _told(
    body: Any, groups: Sequence[Group]
) -> tuple[dict[str, list[Mapping[str, Any]]], dict[str, str], bool]:
    """What was answered of each id sent, who was refused and why, and is that all.

    The HTTP status tells nothing: errors are looked for under any. Of a batch that is
    complete, an id that no entry names was answered under another id.
    """
    sent = {group[0].record_id for group in groups}
    results, errors = _entries(body, "results"), _entries(body, "errors")
    answered: dict[str, list[Mapping[str, Any]]] = {}
    for result in results:
        if (one := str(result.get("id"))) in sent:
            answered.setdefault(one, []).append(result)
    refused: dict[str, str] = {}
    for error in errors:
        code = safe_code(error.get("category") or error.get("subCategory") or "")
        context = error.get("context")
        ids = context.get("ids") if isinstance(context, Mapping) else None
        refused.update({str(one): code for one in ids or ()})
    is_complete = isinstance(body, Mapping) and body.get("status") == "COMPLETE"
    return answered, refused, is_complete


def _entries(body: Any, key: str) -> list[Mapping[str, Any]]:
    found = body.get(key) if isinstance(body, Mapping) else None
    return [entry for entry in found or () if isinstance(entry, Mapping)]


def _blamed(refusal: RefusedRequestError) -> tuple[str, str]:
    """Its code, and the property it is about: ours, or one that the org demands."""
    for code, name in refusal.problems:
        return code, name
    return safe_code(refusal.category), ""
