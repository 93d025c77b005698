"""A replica keeps the contract of a source, whoever laid it down and wherever it lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from laid_down import AMOUNTS, COUNT, NAMES, ids, laid_down, states

from crm_portfolio.connectors.warehouse import Warehouse, WarehouseSettings
from crm_portfolio.schema import TableName
from crm_portfolio.testing import SourceContract


class ReplicaContract(SourceContract):
    layout: str

    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return laid_down(self.layout, tmp_path_factory.mktemp("replica"))

    @pytest.fixture
    def opened(self, folder: Path) -> Callable[[], Warehouse]:
        small = WarehouseSettings(layout=self.layout, batch_rows=4)
        return lambda: Warehouse(folder, settings=small)

    @pytest.fixture
    def holds(self) -> Mapping[TableName, pa.Table]:
        vendor = self.layout.partition("-")[2]
        accounts, deals = (ids(vendor, of)[:COUNT] for of in ("account", "opportunity"))
        of_deals: list[str | None] = list(accounts)
        if vendor == "hubspot":
            of_deals[2] = None  # two companies, and nobody said which
        return {
            "account": pa.table({"account_id": accounts, "name": NAMES}),
            "opportunity": pa.table(
                {
                    "opportunity_id": deals,
                    "account_id": pa.array(of_deals, pa.string()),
                    "status": states()[:COUNT],
                    "amount": AMOUNTS,
                }
            ),
        }


class TestFivetranSalesforce(ReplicaContract):
    layout = "fivetran-salesforce"


class TestDltSalesforce(ReplicaContract):
    layout = "dlt-salesforce"


class TestFivetranHubspot(ReplicaContract):
    layout = "fivetran-hubspot"


class TestDltHubspot(ReplicaContract):
    layout = "dlt-hubspot"
