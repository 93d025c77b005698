"""How is a whole night one task? Copy this file and ``portfolio.toml`` into your DAGs."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, Param

from crm_portfolio.airflow import SyncOperator

with DAG(
    "crm_portfolio_nightly",
    description="Pull, analyse, plan and apply, under the limits of the settings.",
    # The day that is over is one of this zone: take the org's.
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Paris")),
    schedule="10 3 * * *",
    catchup=False,
    # A second run at one org would only wait for the lock of the first.
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
    SyncOperator(
        task_id="sync",
        settings="{{ params.settings }}",
        crm_conn_id="{{ params.connection }}",
        archive="{{ params.archive }}",
        # Up to one account in a hundred may be locked without waking anybody.
        max_failed=0.01,
        execution_timeout=timedelta(hours=2),
    )
