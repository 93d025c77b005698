"""How does a DAG call the library itself, where an operator says too little?

Copy this file into your DAGs. It pulls a book of its own, computes two analyses, and
keeps who depends on whom as a file for the next task; nothing is written to the CRM.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import Param, dag, task

from crm_portfolio.airflow.operators import LAST_DAY_OVER


@dag(
    "crm_portfolio_taskflow",
    description="Pull, then analyse, with tasks that call the library.",
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Paris")),
    schedule="@weekly",
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=15)},
    params={
        "connection": Param("crm_portfolio_salesforce", type="string"),
        "folder": Param("/srv/portfolio/weekly", type="string"),
    },
    tags=["crm-portfolio"],
    doc_md=__doc__,
)
def weekly() -> None:
    """What an analyst looks at on Monday."""

    @task
    def pulled(connection: str, folder: str, as_of: str) -> str:
        """The book, as a folder that all workers see; an XCom is no place for tables."""
        from crm_portfolio import pull
        from crm_portfolio.airflow import CrmHook

        crm = CrmHook(connection).get_conn()
        to = Path(folder) / as_of
        to.parent.mkdir(parents=True, exist_ok=True)
        pull(crm, as_of=date.fromisoformat(as_of)).save(to)
        return str(to)

    @task
    def analysed(folder: Any) -> dict[str, Any]:
        """Two analyses; the tables are saved, their numbers go on."""
        from crm_portfolio import Portfolio, analysis

        book = Portfolio.load(folder)
        concentration, tiers = analysis.concentration(book), analysis.tiers(book)
        file = f"{folder}-concentration.csv"
        concentration.save(file)
        return {"file": file, "tiers": tiers.frame["tier"].value_counts().to_dict()}

    analysed(
        pulled(
            connection="{{ params.connection }}",
            folder="{{ params.folder }}",
            as_of=LAST_DAY_OVER,
        )
    )


weekly()
