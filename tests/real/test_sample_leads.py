"""What do the leads of Salesforce's sample records say of how they were answered?

They carry no moment of their own: a sample org gets them all on the day it is made.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from loaders import tree_tables

from crm_portfolio import Portfolio
from crm_portfolio.analysis import LostOpportunitiesResult, lost_opportunities

MADE_AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def enquiries(source: Path) -> pa.Table:
    leads = json.loads((source / "Lead.json").read_text())["records"]
    assert not any(each["IsConverted"] for each in leads)
    return pa.table(
        {
            "enquiry_id": [each["attributes"]["referenceId"] for each in leads],
            "created_at": [MADE_AT] * len(leads),
            "segment": [each.get("Industry") for each in leads],
            "source": [each["LeadSource"] for each in leads],
            "status": [each["Status"] for each in leads],
        }
    )


@pytest.fixture(scope="module")
def result(shared_data: Path) -> LostOpportunitiesResult:
    source = shared_data / "salesforce_sample" / "sobject_tree"
    book = Portfolio.from_frames(
        as_of=date(2026, 6, 30),
        currency="USD",
        enquiry=enquiries(source),
        **tree_tables(source),
    )
    return lost_opportunities(book)


def test_ten_leads_that_say_nothing_of_an_answer_blame_nobody(result) -> None:
    assert result.summary["enquiries"] == {
        "count": 10,
        "missed_count": 0,
        "answered_count": 0,
        "waiting_count": 0,
        "not_judged_count": 10,
        "answers_kept_share": 0.0,
    }
    assert result.summary["opportunities"]["count"] == 0
    codes = {warning.code: warning.values for warning in result.warnings}
    assert codes["lost_answers_not_kept"] == {"n": 10}
    records = result.records_arrow()
    assert set(records["record"].to_pylist()) == {"enquiry"}
    assert set(records["class"].to_pylist()) == {"data_insufficient"}


def test_what_such_a_lead_is_told_names_nobody(result) -> None:
    said = result.explain(result.records_arrow()["record_id"][0].as_py())
    assert "too few say when they were answered" in said
    assert "Boxer" not in said
