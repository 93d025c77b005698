from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crm_portfolio.archive import Archive
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.errors import SettingsError
from crm_portfolio.writeback import apply, last_written, plan

Wanted = Callable[..., Any]


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
