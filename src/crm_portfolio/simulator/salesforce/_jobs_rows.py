"""What becomes of each row that a job writes?

The same code judges it as a row of a collection; a row is never refused for another's sake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs

from crm_portfolio.simulator.salesforce import _write
from crm_portfolio.simulator.salesforce._checks import (
    existing_id,
    must_be_allowed,
    states,
)
from crm_portfolio.simulator.salesforce._jobs_csv import NULL
from crm_portfolio.simulator.salesforce._metadata import SObject
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._refusal import Refusal

__all__ = ["OPERATIONS", "Result", "Target", "rows_written"]

Record = Mapping[str, str]
Result = tuple[str, bool] | Refusal
"""The id and whether the record was made, or why not."""


@attrs.frozen
class Target:
    """Where the rows of one job go. ``key`` finds the records of an upsert."""

    entity: SObject
    operation: str
    key: str = ""


def rows_written(org: Org, target: Target, records: Sequence[Record]) -> list[Result]:
    """Write rows together, as one run of triggers sees them."""
    write = OPERATIONS[target.operation]
    try:
        return write(org, target, records)
    except Refusal:
        # A collection can be refused as a whole for one bad value; a job cannot.
        return [_alone(org, target, record) for record in records]


def _alone(org: Org, target: Target, record: Record) -> Result:
    try:
        (result,) = OPERATIONS[target.operation](org, target, [record])
    except Refusal as refusal:
        return refusal
    return result


def _values(record: Record, left_out: str = "") -> dict[str, str | None]:
    """Vendor docs: what is empty stays as it is."""
    return {
        name: None if cell == NULL else cell
        for name, cell in record.items()
        if cell and name != left_out
    }


def _updated(org: Org, target: Target, records: Sequence[Record]) -> list[Result]:
    rows = [
        _write.Row(target.entity, one["Id"] or None, _values(one, "Id"))
        for one in records
    ]
    results = _write.update(org, rows, by=org.user_id)
    return [one if isinstance(one, Refusal) else (one, False) for one in results]


def _inserted(org: Org, target: Target, records: Sequence[Record]) -> list[Result]:
    rows = [_write.Row(target.entity, None, _values(one)) for one in records]
    results = _write.create(org, rows, by=org.user_id)
    return [one if isinstance(one, Refusal) else (one, True) for one in results]


def _upserted(org: Org, target: Target, records: Sequence[Record]) -> list[Result]:
    key = target.entity.fields[target.key]
    rows = [_write.Row(target.entity, None, _values(one)) for one in records]
    results = _write.upsert(org, rows, key, by=org.user_id)
    return [
        one if isinstance(one, Refusal) else (one.record_id, one.is_new)
        for one in results
    ]


def _deleted(org: Org, target: Target, records: Sequence[Record]) -> list[Result]:
    return [_deleted_one(org, target, record) for record in records]


def _deleted_one(org: Org, target: Target, record: Record) -> Result:
    entity = target.entity
    row = _write.Row(entity, record["Id"] or None, {})
    try:
        must_be_allowed(org, entity, "Delete", by=org.user_id)
        record_id = existing_id(row, states(org, [row]))
        org.must_be_free(record_id)
    except Refusal as refusal:
        return refusal
    _write.delete(org, entity, record_id, by=org.user_id)
    if target.operation == "hardDelete":
        org.store.delete(entity.name, '"Id" = ?', [record_id])
    return record_id, False


OPERATIONS: Final[
    Mapping[str, Callable[[Org, Target, Sequence[Record]], list[Result]]]
] = {
    "insert": _inserted,
    "update": _updated,
    "upsert": _upserted,
    "delete": _deleted,
    "hardDelete": _deleted,
}
