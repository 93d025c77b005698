"""Does a connector tell all that has changed, whoever edits while it reads?"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from crm_portfolio.protocols import Batch, Connector, Cursor, Reconciling
from crm_portfolio.schema import TABLES
from crm_portfolio.testing.contract._given import GivenCrm, Opened
from crm_portfolio.testing.contract._goes_on import some_places
from crm_portfolio.testing.contract._pretend import Clocked, Merging, Pretend, Quiet
from crm_portfolio.testing.contract._rows import differences, ids_in, latest, whole

__all__ = ["FollowsChanges"]

_LONG = 7_200.0  # seconds, longer than any overlap
ODD = "Zoë “the Fox” O'Neill, 東京; <b>100 %</b> \\ {0}"


class FollowsChanges(GivenCrm):
    """Increments, and pulls of a CRM that does not stand still."""

    def test_a_changed_account_comes_with_its_text_as_it_is(
        self, opened: Opened, pretend: Pretend, ids: list[str], since_start: Cursor
    ) -> None:
        pretend.rename(ids[0], ODD)
        names = latest(list(opened().pull("account", since=since_start)), "name")
        assert ids[0] in names, (
            "an account that was changed at the very moment of the cursor did not come: "
            "ask for that moment too, and for the lag of the CRM"
        )
        assert names[ids[0]] == ODD

    def test_who_was_deleted_is_told(
        self, opened: Opened, pretend: Pretend, ids: list[str], since_start: Cursor
    ) -> None:
        pretend.delete(ids[1])
        gone = _gone(opened().pull("account", since=since_start))
        assert ids[1] in gone, "an account that was deleted is not in `gone`"
        reason, into = gone[ids[1]]
        assert reason in ("deleted", "archived"), f"a deleted account is {reason!r}"
        assert into is None

    def test_who_was_merged_is_told_and_into_whom(
        self, opened: Opened, merging: Merging, ids: list[str], since_start: Cursor
    ) -> None:
        merging.merge(ids[2], ids[3])
        gone = _gone(opened().pull("account", since=since_start))
        assert gone.get(ids[2]) == ("merged", ids[3]), (
            f"of an account merged into another `gone` says {gone.get(ids[2])}"
        )

    def test_many_changes_of_one_moment_all_come(
        self, opened: Opened, pretend: Pretend, ids: list[str], since_start: Cursor
    ) -> None:
        for record in ids:
            pretend.rename(record, f"New {record}")
        batches = list(opened().pull("account", since=since_start))
        _must_be_renamed(batches, ids)
        pretend.rename(ids[-1], "Newer")  # at the same moment, behind the increment
        since = self.stored(batches[-1].cursor)
        names = latest(list(opened().pull("account", since=since)), "name")
        assert names.get(ids[-1]) == "Newer", (
            "a change at the moment of an increment is lost to the next one"
        )

    def test_an_increment_goes_on_behind_every_batch(
        self, opened: Opened, pretend: Pretend, ids: list[str], since_start: Cursor
    ) -> None:
        for record in ids[:-1]:
            pretend.rename(record, f"New {record}")
        pretend.delete(ids[-1])
        batches = list(opened().pull("account", since=since_start))
        for place in some_places(batches):
            resume = self.stored(batches[place].cursor)
            rest = list(opened().pull("account", resume=resume))
            assert rest[-1].is_last, "an increment that goes on has no last batch"
            together = [*batches[: place + 1], *rest]
            _must_be_renamed(together, ids[:-1])
            assert ids[-1] in _gone(together), (
                f"an increment that goes on behind batch {place + 1} is one no more: "
                "keep in the token since when it asks"
            )

    def test_an_edit_during_a_pull_is_in_the_next_increment(
        self, opened: Opened, pretend: Pretend
    ) -> None:
        if not self.increments:
            pytest.skip("this connector is read whole each time")
        pulled = iter(opened().pull("account"))
        first = next(batch for batch in pulled if batch.rows.num_rows)
        early = ids_in([first])[0]
        pretend.rename(early, "Edited Meanwhile")
        if isinstance(pretend, Clocked):
            pretend.advance(_LONG)
        last = [first, *pulled][-1]
        since = self.stored(last.cursor)
        names = latest(list(opened().pull("account", since=since)), "name")
        assert names.get(early) == "Edited Meanwhile", (
            "an account edited after its page was read is lost: count the cursor from "
            "the moment at which the pull began"
        )

    def test_a_deletion_between_pages_costs_no_other(
        self, opened: Opened, pretend: Pretend, ids: list[str]
    ) -> None:
        pulled = iter(opened().pull("account"))
        first = next(batch for batch in pulled if batch.rows.num_rows)
        if first.is_last:
            pytest.skip("the accounts come in one batch: give the CRM more of them")
        given = ids_in([first])
        waiting = [record for record in ids if record not in given]
        pretend.delete(given[0])
        pretend.delete(waiting[-1])
        found = ids_in([first, *pulled])
        assert len(found) == len(set(found)), "records came twice after a deletion"
        lost = set(ids) - set(found) - {waiting[-1]}
        assert not lost, (
            f"{len(lost)} accounts were passed over when others were deleted between "
            "pages: page by a key, not by a number of rows"
        )

    def test_a_quiet_change_comes_to_light(
        self, opened: Opened, pretend: Pretend, ids: list[str]
    ) -> None:
        if not isinstance(pretend, Quiet):
            pytest.skip("the pretend CRM has no `change_quietly`")
        if isinstance(pretend, Clocked):
            pretend.advance(_LONG)  # an overlap would bring it by chance
        since = self.since_now(opened)
        column, value = pretend.change_quietly(ids[0])
        crm = opened()
        told = latest(list(crm.pull("account", since=since)), column)
        if isinstance(crm, Reconciling):
            for rows in crm.present("account"):
                if column in rows.column_names:
                    told |= dict(
                        zip(
                            rows["account_id"].to_pylist(),
                            rows[column].to_pylist(),
                            strict=True,
                        )
                    )
        assert str(told.get(ids[0])) == str(value), (
            f"{column} changes without a stamp: give it anew with `since`, or in "
            "`present`"
        )

    def test_who_is_present_is_told_exactly(
        self, crm: Connector, pretend: Pretend, ids: list[str]
    ) -> None:
        if not isinstance(crm, Reconciling):
            pytest.skip("this connector has no `present`")
        pretend.delete(ids[1])
        model = TABLES["account"]
        allowed = {
            c.name for c in model.columns if c.is_volatile or c.name in model.key
        }
        found = []
        for rows in crm.present("account"):
            found += rows["account_id"].to_pylist()
            extra = set(rows.column_names) - allowed
            assert not extra, f"`present` gives {sorted(extra)}: only key and volatile"
        assert len(found) == len(set(found)), "`present` names records twice"
        assert set(found) == set(ids) - {ids[1]}, "`present` is not who is there"

    def test_tables_can_be_pulled_side_by_side(self, crm: Connector) -> None:
        names = list(crm.tables())[:4]
        alone = {name: whole(list(crm.pull(name))) for name in names}
        with ThreadPoolExecutor(4) as pool:
            together = pool.map(lambda name: whole(list(crm.pull(name))), names * 2)
            for name, found in zip(names * 2, together, strict=True):
                wrong = differences(name, found, alone[name])
                assert not wrong, f"pulled in threads: {wrong}"


def _gone(batches: Iterable[Batch]) -> dict[str, tuple[str, str | None]]:
    return {
        row["id"]: (row["reason"], row["merged_into"])
        for batch in batches
        if batch.gone is not None
        for row in batch.gone.to_pylist()
    }


def _must_be_renamed(batches: list[Batch], ids: list[str]) -> None:
    names = latest(batches, "name")
    lost = [record for record in ids if names.get(record) != f"New {record}"]
    assert not lost, (
        f"of {len(ids)} changes that bear one stamp {len(lost)} did not come, such as "
        f"{lost[0]!r}: go on behind a stamp and an id, not behind a stamp alone"
    )
