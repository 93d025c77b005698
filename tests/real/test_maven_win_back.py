"""May anyone be tried again whose record says neither when, nor why, nor how often?

Maven CRM: 2,473 lost opportunities, without activities, reasons, refusals or amounts.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from loaders import maven_folder

from crm_portfolio import connect, pull
from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import WinBackSettings, win_back
from crm_portfolio.portfolio import Portfolio


@pytest.fixture(scope="module")
def book(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Portfolio:
    folder = maven_folder(shared_data / "maven_crm", tmp_path_factory.mktemp("maven"))
    return pull(
        connect("files", folder),
        as_of=date(2017, 12, 31),
        currency="USD",
        backend="pyarrow",
    )


def test_where_nobody_can_be_judged_nobody_is_a_candidate(book: Portfolio) -> None:
    result = win_back(book)
    assert result.summary["candidate_count"] == 0
    codes = [warning.code for warning in result.warnings]
    assert "again_without_activities" in codes
    assert "again_refusals_unmapped" in codes
    assert "again_no_past" in codes


def test_who_a_person_names_is_to_be_asked_first(book: Portfolio) -> None:
    frame = to_arrow(book["opportunity"]).to_pylist()
    lost = [row["opportunity_id"] for row in frame if row["status"] == "lost"]
    assert len(lost) == 2_473
    told = pa.table({"opportunity_id": lost, "class": ["pursued_lost"] * len(lost)})
    chosen = WinBackSettings(base_rate=0.1, hours=5, cost_per_hour=50, hour_value=0)
    rows = to_arrow(win_back(book, chosen, overrides=told).frame).to_pylist()
    assert len(rows) == 2_473
    assert {row["recommendation"] for row in rows} == {"ask_first"}
    assert {row["otherwise"] for row in rows} == {"unknown"}
    assert {row["attempt_count"] for row in rows} == {None}
