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
