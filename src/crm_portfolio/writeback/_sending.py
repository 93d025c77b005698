"""How do changes get sent until each has one state?"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Final

import attrs

from crm_portfolio.archive import Key, key_of
from crm_portfolio.errors import TransientError
from crm_portfolio.protocols import Connector, Progress, WritableTable
from crm_portfolio.writeback._batch import Batch, Guard
from crm_portfolio.writeback._canary import unexpected
from crm_portfolio.writeback._held import mapped_columns, read_rows
from crm_portfolio.writeback._journal import Recorder
from crm_portfolio.writeback._limits import Limits
from crm_portfolio.writeback._owed import Owed, Placed
from crm_portfolio.writeback._portions import portion

__all__ = ["Sending", "Sleep", "Stop", "StoppedError"]

# What was refused for the moment is sent again so often, each time in half the portion.
_ROUNDS: Final = 5
# So many lost answers in a row, and the CRM is taken to be away.
_STRIKES: Final = 5
_FIRST_WAIT_SECONDS: Final = 1.0
_LONGEST_WAIT_SECONDS: Final = 60.0
_NAP_SECONDS: Final = 1.0
# Of so many records the parents are asked for at once.
_LOOKED_UP: Final = 10_000
# Whoever writes a record may have to hold this one too.
_PARENTS: Final[Mapping[WritableTable, str]] = {
    "account": "parent_id",
    "opportunity": "account_id",
}
_THERE: Final = ("written", "overwritten_in_window")
Sleep = Callable[[float], object]
Stop = Callable[[], bool]


class StoppedError(Exception):
    """Somebody asked to stop; the batch in flight is finished."""


@attrs.define(eq=False)
class Sending:
    """Takes accounts to the CRM, batch by batch.

    Attributes:
        stop: Asked between batches.
        total: Accounts of the plan, for the progress.
    """

    crm: Connector
    recorder: Recorder
    guard: Guard
    stop: Stop
    sleep: Sleep
    progress: Progress | None
    total: int
    _done: int = 0
    _size: int = 1
    _most: int = 1
    _strikes: int = 0
    _failure: TransientError | None = None

    def send_first(
        self, owed: Owed, placed: Sequence[Placed], limits: Limits
    ) -> tuple[Key, ...] | None:
        """Write these of one table, let the CRM settle, and say what moved in them.

        None: nothing was written, or there was no time to settle; they tell nothing.
        """
        table = placed[0][1].table
        also = mapped_columns(self.crm, table)
        batch = self._begun(placed, also=also, is_first=True)
        self._send(batch)
        if batch.sent:
            self._pause(limits.settle_seconds)
        standing = self.recorder.standing
        confirmed = set(standing.unchecked)
        after = batch.check()
        self._tell(owed, placed)
        keys = {key_of(change): change for change in batch.sent}
        # Those whose answer was lost are known to be there only now.
        arrived = {key for key in keys if standing.entries[key].state in _THERE}
        written = [keys[key] for key in keys.keys() & (confirmed | arrived)]
        if not written or self.stop():
            return None
        ids = {change.record_id for change in written}
        before = {one: row for one, row in batch.before.items() if one in ids}
        allowed = limits.expected_changes
        return tuple(unexpected(table, written, before, after, expected=allowed))

    def send(self, owed: Owed) -> None:
        """Write these of one table; what was refused for the moment goes again, in less.

        Raises:
            TransientError: The CRM is out of reach. Applying the same plan goes on.
            StoppedError: It was asked for, between two batches.
        """
        if not owed:
            return
        self._size = self._most = portion(self.crm, len(owed))
        # What may have arrived is looked for before all else.
        self._in_batches(owed, chain(owed.half_done(), owed.untouched()))
        for tries in range(1, _ROUNDS + 1):
            left = len(owed)
            if not left:
                return
            self._wait(tries)
            self._size = self._most = max(min(self._most, left) // 2, 1)
            in_turn = owed.at(self._by_parent(owed))
            self._in_batches(owed, in_turn, is_last=tries == _ROUNDS)
        if self._failure is not None and owed:
            raise self._failure

    def may_go_on(self) -> None:
        """Asked between two batches.

        Raises:
            StoppedError: Somebody wants the run to end here.
        """
        if self.stop():
            raise StoppedError

    def _in_batches(
        self, owed: Owed, placed: Iterator[Placed], *, is_last: bool = False
    ) -> None:
        while part := list(islice(placed, self._size)):
            self.may_go_on()
            batch = self._begun(part, is_last=is_last)
            self._send(batch)
            batch.check()
            self._tell(owed, part)

    def _begun(
        self,
        placed: Sequence[Placed],
        *,
        also: Sequence[str] = (),
        is_last: bool = False,
        is_first: bool = False,
    ) -> Batch:
        records = [record for _, record in placed]
        self.recorder.turn_to(records)
        return Batch(
            self.crm, self.recorder, self.guard, records, also, is_last, is_first
        )

    def _send(self, batch: Batch) -> None:
        """Send it; where answers were lost, the next ones are smaller, and later."""
        failure = batch.write()
        if failure is None:
            self._strikes = 0
            self._size = min(2 * self._size, self._most)
            return
        self._failure = failure
        self._strikes += 1
        is_in_doubt = any(map(self.recorder.is_in_doubt, batch.sent))
        if not is_in_doubt or self._strikes > _STRIKES:
            raise failure
        self._size = max(self._size // 2, 1)
        self._wait(self._strikes)

    def _by_parent(self, owed: Owed) -> Sequence[int]:
        """Families side by side: whoever holds one of them holds up no other batch."""
        places = owed.places()
        table = owed.records[places[0]].table
        parent = _PARENTS[table]
        if len(places) < 2 or parent not in mapped_columns(self.crm, table):
            return places
        found: list[tuple[str, int]] = []
        for start in range(0, len(places), _LOOKED_UP):
            part = list(owed.at(places[start : start + _LOOKED_UP]))
            ids = [record.record_id for _, record in part]
            rows = read_rows(self.crm, table, ids, (parent,))
            parents = {one: str(row[parent] or one) for one, row in rows.items()}
            found += [(parents.get(one.record_id, ""), place) for place, one in part]
        return [place for _, place in sorted(found)]

    def _tell(self, owed: Owed, placed: Sequence[Placed]) -> None:
        done = [place for place, one in placed if not self.recorder.owes(one)]
        owed.settle(done)
        self._done += len(done)
        if self.progress:
            self.progress("apply", self._done, self.total)

    def _wait(self, tries: int) -> None:
        """Longer each time, and never as long as others who wait for the same."""
        longest = min(_FIRST_WAIT_SECONDS * 2 ** (tries - 1), _LONGEST_WAIT_SECONDS)
        self._pause(longest * random.uniform(0.5, 1.0))  # noqa: S311 - chance, not secrecy

    def _pause(self, seconds: float) -> None:
        """Sleep so long, or until somebody asks to stop."""
        while seconds > 0 and not self.stop():
            self.sleep(min(seconds, _NAP_SECONDS))
            seconds -= _NAP_SECONDS
