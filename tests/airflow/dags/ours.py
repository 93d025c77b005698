"""Nights that go wrong: what the examples do not show."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, Param, chain, dag, task
from airflow.timetables.interval import CronDataIntervalTimetable

from crm_portfolio.airflow import ApplyOperator, PlanOperator, SyncOperator
from crm_portfolio.airflow.operators import LAST_DAY_OVER

COMMON: dict[str, Any] = {
    "start_date": datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")),
    "schedule": "@daily",
    "catchup": False,
    "default_args": {"retries": 1, "retry_delay": timedelta(0)},
    "params": {
        "settings": Param("", type="string"),
        "plan": Param("", type="string"),
        "accept_changes": Param("", type=["string", "integer"]),
        "archive": Param("", type="string"),
    },
}
OURS: dict[str, Any] = {
    "settings": "{{ params.settings }}",
    "crm_conn_id": "the_crm",
    "archive": "{{ params.archive }}",
}

for name, max_failed in (("night", 0), ("night_one", 1), ("night_half", 0.5)):
    with DAG(name, **COMMON) as made:
        SyncOperator(task_id="sync", max_failed=max_failed, **OURS)
    globals()[name] = made

with DAG("two_steps", **COMMON) as two_steps:
    plan = PlanOperator(task_id="plan", **OURS)
    apply = ApplyOperator(
        task_id="apply", plan="{{ ti.xcom_pull('plan').plan_file }}", **OURS
    )
    chain(plan, apply)

with DAG("release", **COMMON) as release:
    ApplyOperator(
        task_id="apply",
        plan="{{ params.plan }}",
        accept_changes="{{ params.accept_changes }}",
        **OURS,
    )


@dag(
    "which_day",
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo")),
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone="Asia/Tokyo"),
    catchup=False,
)
def which_day() -> None:
    @task
    def said(as_of: str) -> dict[str, str]:
        return {"as_of": as_of}

    said(as_of=LAST_DAY_OVER)


made = which_day()
