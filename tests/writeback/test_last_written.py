from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import pytest

from crm_portfolio import writeback
from crm_portfolio.archive import Archive
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.errors import DamagedFileError, SettingsError
from crm_portfolio.writeback import last_values, last_written, plan

Wanted = Callable[..., Any]
# Nothing settles by itself here.
apply = partial(writeback.apply, sleep=lambda _seconds: None)


@pytest.fixture(scope="module")
def account_count() -> int:
    return 6


def test_each_field_is_explained_by_the_run_that_wrote_it_last(
    crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
) -> None:
    both = {ids[0]: {"tier": "A", "portfolio_rank": 1}}
    first = plan([wanted(both)], crm)
    apply(first, crm, archive=archive)
    second = plan([wanted({ids[0]: {"tier": "B", "portfolio_rank": 1}})], crm)
    apply(second, crm, archive=archive)
    told = {
        each.planned.change.column: (each.run_id, each.planned.change.after)
        for each in last_written(archive, ids[0])
    }
    assert told["tier"] == (second.id, "B")
    assert told["portfolio_rank"] == (first.id, 1)
    assert told["portfolio_stamp"][0] == second.id


def test_an_account_that_no_run_wrote_is_told_so(
    crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
) -> None:
    apply(plan([wanted({ids[0]: {"tier": "A"}})], crm), crm, archive=archive)
    with pytest.raises(SettingsError, match="no run in the archive"):
        last_written(archive, ids[1])


class TestLastValues:
    """What our runs left on many accounts, in one pass over the journals."""

    def test_each_field_has_what_the_last_run_wrote_there(
        self, crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
    ) -> None:
        nights = (
            {i: {"tier": "A", "portfolio_rank": 1} for i in ids[:3]},
            {ids[0]: {"tier": "B", "portfolio_rank": 1}},
        )
        for night in nights:
            last = apply(plan([wanted(night)], crm), crm, archive=archive).run_id
        found = last_values(archive, crm.org(), ids[:2] + ids[5:6])
        assert {k: v for k, v in found[ids[0]].items() if k != "portfolio_stamp"} == {
            "tier": "B",
            "portfolio_rank": 1,
        }
        assert str(found[ids[0]]["portfolio_stamp"]).startswith(f"v1:{last}:")
        assert found[ids[1]]["tier"] == "A"
        assert found[ids[5]] == {}

    def test_runs_at_another_org_say_nothing(
        self, crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
    ) -> None:
        apply(plan([wanted({ids[0]: {"tier": "A"}})], crm), crm, archive=archive)
        other = attrs.evolve(crm.org(), is_sandbox=not crm.org().is_sandbox)
        assert last_values(archive, other, ids[:1]) == {ids[0]: {}}

    def test_runs_before_the_first_fill_of_all_of_them_are_not_read(
        self, crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
    ) -> None:
        early = apply(
            plan([wanted({ids[0]: {"tier": "A"}})], crm), crm, archive=archive
        )
        apply(plan([wanted({ids[1]: {"tier": "A"}})], crm), crm, archive=archive)
        (archive.folder / "runs" / early.run_id / "000002.json").write_bytes(b"{}")
        assert last_values(archive, crm.org(), ids[1:2])[ids[1]]["tier"] == "A"
        with pytest.raises(DamagedFileError):
            last_values(archive, crm.org(), ids[:1])
