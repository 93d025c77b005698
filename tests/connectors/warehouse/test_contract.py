"""A replica keeps the contract of a source, whoever laid it down and wherever it lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pytest
from laid_down import AMOUNTS, COUNT, NAMES, ids, laid_down, states

from crm_portfolio.connectors.warehouse import LayoutName, Warehouse, WarehouseSettings
from crm_portfolio.schema import TableName
from crm_portfolio.testing import SourceContract


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    return {
        name: laid_down(name, tmp_path_factory.mktemp(name))
        for name in get_args(LayoutName)
    }


class ReplicaContract(SourceContract):
    layout: str

    @pytest.fixture
    def opened(self, folders: Mapping[str, Path]) -> Callable[[], Warehouse]:
        folder = folders[self.layout]
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
