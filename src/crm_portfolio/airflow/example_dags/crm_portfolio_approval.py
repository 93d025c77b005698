"""How does a person approve between the plan and its writing?

Copy this file and ``portfolio.toml`` into your DAGs. The plan waits under *Required
Actions*, with its summary; a plan beyond its limits wants the number of its changes, too.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param, task

from crm_portfolio.airflow import ApplyOperator, PlanOperator

OURS: dict[str, Any] = {
    "settings": "{{ params.settings }}",
    "crm_conn_id": "{{ params.connection }}",
    "archive": "{{ params.archive }}",
}

with DAG(
    "crm_portfolio_approval",
    description="Plan at night, write when a person has said yes.",
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Paris")),
    schedule="10 3 * * *",
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=15)},
    params={
        "settings": Param(
            str(Path(__file__).with_name("portfolio.toml")), type="string"
        ),
        "connection": Param("crm_portfolio_salesforce", type="string"),
        "archive": Param("", type="string", description="Empty: of the settings."),
    },
    tags=["crm-portfolio"],
    doc_md=__doc__,
) as dag:
    plan = PlanOperator(task_id="plan", **OURS)

    @task.short_circuit
    def is_something_to_write(planned: Any) -> bool:
        """On a quiet night nobody is asked."""
        return bool(planned["changes"])

    approve = ApprovalOperator(
        task_id="approve",
        subject="Write {{ ti.xcom_pull('plan').changes }} changes into "
        "{{ ti.xcom_pull('plan').org }}?",
        body="```text\n{{ ti.xcom_pull('plan').summary"
        " | wordwrap(88, break_on_hyphens=false) }}\n```\n"
        "The whole plan: `{{ ti.xcom_pull('plan').plan_file }}`",
        params={
            "accept_changes": Param(
                None,
                type=["null", "integer"],
                description="Only where the limits refuse it: how many changes it holds.",
            )
        },
        # A plan holds for a day (limits.max_age_hours); so long it may wait.
        response_timeout=timedelta(hours=23),
    )

    apply = ApplyOperator(
        task_id="apply",
        plan="{{ ti.xcom_pull('plan').plan_file }}",
        accept_changes="{{ ti.xcom_pull('approve').params_input.accept_changes or '' }}",
        **OURS,
    )

    is_something_to_write(plan.output) >> approve >> apply
