"""In what portions are records written, by which way, and what does that cost?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors.salesforce._jobs import Patience
from crm_portfolio.connectors.salesforce._settings import SalesforceSettings

__all__ = ["COLLECTION_WRITE_MAX", "batch", "is_for_a_job", "job_calls", "steps"]

COLLECTION_WRITE_MAX: Final = 200
# The vendor's guide advises collections below.
_JOB_FROM: Final = 2_000
# Two of the batches that the server cuts a job into. More would leave a long time between
# reading records again and writing them, and wait in memory meanwhile.
_JOB_RECORDS: Final = 20_000
# Made, filled, told to begin; put away in the end.
_JOB_STEPS: Final = 4
# What was written, what was refused, what was not looked at.
_RESULT_FILES: Final = 3


def job_calls(count: int) -> int:
    """The calls of a job of so many records, when some of them are refused."""
    return _JOB_STEPS + Patience().looks(count) + _RESULT_FILES


def is_for_a_job(settings: SalesforceSettings, count: int) -> bool:
    """Whether so many records go as a job: where that costs less, unless it is chosen."""
    if settings.bulk == "auto":
        return count >= _JOB_FROM and job_calls(count) < _parts(
            count, COLLECTION_WRITE_MAX
        )
    return settings.bulk == "always" and count > 0


def batch(settings: SalesforceSettings, count: int) -> int:
    """How many records to read again and write together, of so many in all."""
    if is_for_a_job(settings, min(count, _JOB_RECORDS)):
        return _JOB_RECORDS
    return _assumptions.COLLECTION_READ_MAX


def steps(settings: SalesforceSettings, count: int) -> Counter[str]:
    """The calls of reading so many records again, writing them, and who else did."""
    found: Counter[str] = Counter()
    for size in _batches(count, batch(settings, count)):
        found["re-read"] += _parts(size, _assumptions.COLLECTION_READ_MAX)
        is_job = is_for_a_job(settings, size)
        found["write"] += (
            job_calls(size) if is_job else _parts(size, COLLECTION_WRITE_MAX)
        )
        found["history"] += 1  # whether anybody else wrote meanwhile
    return found


def _batches(count: int, size: int) -> Iterator[int]:
    for start in range(0, count, size):
        yield min(size, count - start)


def _parts(count: int, size: int) -> int:
    return -(-count // size)
