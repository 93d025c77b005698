"""An Airflow of our own on SQLite, and pretend CRMs within its reach.

Its parts warn, and warnings are errors here: so it runs in a process of its own.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from crm_portfolio import connect, samples, setup
from crm_portfolio.airflow import example_dags
from crm_portfolio.simulator import HubSpot, Salesforce

PATIENCE_SECONDS = 120
HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "how-to" / "schedule-with-airflow.md"
EXAMPLES = Path(str(example_dags.__file__)).parent


@attrs.frozen
class Said:
    code: int
    log: str


@attrs.define
class Airflow:
    """One Airflow process, asked one thing after the other."""

    home: Path
    environment: Mapping[str, str]
    process: subprocess.Popen[str]
    asked: int = 0

    def __call__(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        answer: tuple[str, Mapping[str, Any]] | None = None,
    ) -> Said:
        """`airflow …`; ``answer`` is what a person says to this DAG's request."""
        given = {"run": arguments, "env": env or {}, "answer": answer}
        found, log = self.ask(given)
        return Said(found["code"], log)

    def value(self, code: str, env: Mapping[str, str] | None = None) -> Any:
        """What ``answer`` is after this code has run in Airflow's process."""
        found, log = self.ask({"eval": code, "env": env or {}})
        assert "value" in found, log
        return found["value"]

    def ask(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        self.begin(given)
        return self.end()

    def begin(self, given: Mapping[str, Any]) -> None:
        self.asked += 1
        assert self.process.stdin
        said = {**given, "log": str(self._log)}
        self.process.stdin.write(json.dumps(said) + "\n")
        self.process.stdin.flush()

    def end(self) -> tuple[dict[str, Any], str]:
        assert self.process.stdout
        late = threading.Timer(PATIENCE_SECONDS, self.process.kill)
        late.start()
        line = self.process.stdout.readline()
        late.cancel()
        log = self._log.read_text(encoding="utf-8", errors="replace")
        assert line, log
        return json.loads(line), log

    @property
    def _log(self) -> Path:
        return self.home / f"said-{self.asked}.log"

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Straight out of Airflow's own database."""
        with closing(sqlite3.connect(self.home / "airflow.db")) as database:
            return database.execute(query, values).fetchall()

    def states(self, dag_id: str) -> dict[str, tuple[str, int]]:
        """How each task of the last run ended, and at which try."""
        return {
            task: (state, number)
            for task, state, number in self.rows(
                "SELECT task_id, state, try_number FROM task_instance WHERE run_id = "
                "(SELECT run_id FROM dag_run WHERE dag_id = ? ORDER BY id DESC LIMIT 1)",
                dag_id,
            )
        }

    def xcom(self, dag_id: str, task_id: str) -> dict[str, Any]:
        """What the task last returned, as the database keeps it."""
        ((value,),) = self.rows(
            "SELECT value FROM xcom WHERE dag_id = ? AND task_id = ? AND key = "
            "'return_value' ORDER BY dag_run_id DESC LIMIT 1",
            dag_id,
            task_id,
        )
        found: dict[str, Any] = json.loads(value)
        return found


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("airflow")
    dags = home / "dags"
    dags.mkdir()
    for name, place in (("ours", HERE / "dags"), ("examples", EXAMPLES)):
        (dags / name).symlink_to(place)
    # The page's own DAGs, their settings where the test can write them.
    page = PAGE.read_text(encoding="utf-8").replace("/srv/portfolio", str(home))
    (dags / "page").mkdir()
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    for number, code in enumerate(blocks):
        (dags / "page" / f"{number}.py").write_text(code, encoding="utf-8")
    ours = ("AIRFLOW", "SALESFORCE_", "HUBSPOT_", "CRM_PORTFOLIO_")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    environment = {
        **clean,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API_AUTH__JWT_SECRET": "of-the-tests-alone-" * 3,
    }
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", str(HERE / "warm.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    found = Airflow(home, environment, process)
    migrated = found("db", "migrate")
    assert migrated.code == 0, migrated.log
    yield found
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def book() -> samples.Book:
    return samples.book(accounts=40, opportunities=250)


@pytest.fixture(scope="module")
def orgs(book: samples.Book) -> Iterator[dict[str, Salesforce | HubSpot]]:
    with (
        Salesforce(book.tables, currency="EUR") as salesforce,
        HubSpot(book.tables, currency="EUR") as hubspot,
    ):
        yield {"salesforce": salesforce, "hubspot": hubspot}


def ready(name: str, org: Any) -> Any:
    org.reset()
    setup(connect(name, environment=org.environment), dry_run=False)
    return org


@pytest.fixture
def salesforce(orgs: dict[str, Any]) -> Salesforce:
    """As it was loaded, with our fields in it."""
    found: Salesforce = ready("salesforce", orgs["salesforce"])
    return found


@pytest.fixture
def hubspot(orgs: dict[str, Any]) -> HubSpot:
    found: HubSpot = ready("hubspot", orgs["hubspot"])
    return found
