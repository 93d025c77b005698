"""Is the provider there for whoever has Airflow, and no burden to whoever has not?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crm_portfolio.airflow import example_dags

EXAMPLES = Path(str(example_dags.__file__)).parent
HEAVY = {"pandas", "pyarrow", "narwhals", "scipy", "simple_salesforce", "hubspot"}


def python(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_the_library_and_the_providers_description_load_no_airflow() -> None:
    done = python(
        "import sys, crm_portfolio, crm_portfolio.airflow as ours\n"
        "ours.get_provider_info(), dir(ours)\n"
        "assert not {m for m in sys.modules if m.partition('.')[0] == 'airflow'}"
    )
    assert done.returncode == 0, done.stderr


def test_without_airflow_an_operator_says_what_to_install() -> None:
    done = python(
        "import sys\nsys.modules['airflow'] = None\n"
        "from crm_portfolio.airflow import SyncOperator"
    )
    assert done.stderr.splitlines()[-1].endswith(
        "this needs the package 'apache-airflow': pip install 'crm-portfolio[airflow]'"
    )


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    import crm_portfolio.airflow as ours

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ours.nothing


def test_a_dag_is_read_without_any_table_or_client() -> None:
    """Airflow reads every DAG again and again: what that loads, it loads each time."""
    done = python(
        "import sys, runpy\n"
        "from airflow.sdk import DAG, Param, dag, task\n"
        "from airflow.providers.standard.operators.hitl import ApprovalOperator\n"
        "before = set(sys.modules)\n"
        f"for file in {[str(f) for f in sorted(EXAMPLES.glob('crm_*.py'))]}:\n"
        "    runpy.run_path(file)\n"
        "print(*{m.partition('.')[0] for m in set(sys.modules) - before})"
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "crm_portfolio" in loaded
    assert loaded.isdisjoint(HEAVY)


TOLERANCE = """
from datetime import UTC, date, datetime
from crm_portfolio.airflow._ending import must_be_tolerable
from crm_portfolio.airflow._told import of_plan
from crm_portfolio.archive import Entry, Journal
from crm_portfolio.protocols import Change, Org
from crm_portfolio.writeback import Header, Limits, Plan, PlannedChange, Policy
from crm_portfolio.writeback._planned import Draft, PlannedRecord

org, day = Org("hubspot", "1", False, "EUR", "UTC"), date(2026, 6, 30)
at = datetime(2026, 6, 30, tzinfo=UTC)
header = Header(org, day, at, "a", "b", "0.1.0", 4, Limits(), Policy())
ids = {"account": range(4), "opportunity": range(100)}
changes = [
    Change(f"{n}", {"account": "tier", "opportunity": "lost_class"}[table], None, "A", table)
    for table in ids
    for n in ids[table]
]
plan = Plan.of(
    header,
    [
        Draft(
            PlannedRecord(c.record_id, None, (), None, (PlannedChange(c, True),), c.table),
            {c.column: "A"},
        )
        for c in changes
    ],
)

def ended(*failed, tolerated):
    entries = tuple(Entry(c, "rejected") for c in changes if (c.table, c.record_id) in failed)
    journal = Journal(
        "r", org, day, "a", "b", 4, len(changes), entries, touched=(), interrupted=""
    )
    try:
        return must_be_tolerable(journal, plan, tolerated)
    except Exception as error:
        return str(error).partition(". ")[2].partition(" failed")[0]
"""


def test_many_opportunities_do_not_cover_for_accounts_that_failed() -> None:
    done = python(
        f"{TOLERANCE}\n"
        "told = of_plan(plan)\n"
        "print(told['accounts'], told['opportunities'])\n"
        "both = ('account', '1'), ('opportunity', '1')\n"
        "print(ended(*both, tolerated=0.05))\n"
        "print(ended(both[1], tolerated=0.05))\n"
        "print(ended(*both, tolerated=1))\n"
        "print(ended(*both, tolerated=2))"
    )
    assert done.stdout.splitlines() == [
        "4 100",
        "1 of 4 accounts and 1 of 100 opportunities",
        "1",
        "1 of 4 accounts and 1 of 100 opportunities",
        "2",
    ], done.stderr
