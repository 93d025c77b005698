"""A folder keeps the contract of a source, whatever it was exported from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio.connectors.files import Files, FilesSettings
from crm_portfolio.errors import CursorLostError
from crm_portfolio.schema import TableName
from crm_portfolio.testing import SourceContract

NAMES = ["Zoë “the Fox”, 東京", 'Two\nlines "quoted"', "null", "007", *"EFGHIJK"]
AMOUNTS = [0.0, 1234.5, 0.01, *[float(place) for place in range(8)]]
STATES = ["open", "won", "lost"]


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


class InSmallBatches(Files):
    batch_rows = 4


class FolderContract(SourceContract):
    """Eleven accounts and eleven deals, as one dialect writes them."""

    settings = FilesSettings()
    accounts: tuple[str, ...]
    deals: tuple[str, ...]
    ids: tuple[list[str], list[str]] = (
        [f"00162000000000{place:x}" + "AAA" for place in range(11)],
        [f"00662000000000{place:x}" + "AAA" for place in range(11)],
    )

    @pytest.fixture
    def folder(self, exported: Any) -> Path:
        accounts, deals = self.ids
        lines = {"accounts.csv": [self.accounts[0]], "deals.csv": [self.deals[0]]}
        for place, (account, deal) in enumerate(zip(accounts, deals, strict=True)):
            state, amount = STATES[place % 3], AMOUNTS[place]
            said = {
                "account": account,
                "deal": deal,
                "name": quoted(NAMES[place]),
                "amount": amount,
                "state": state,
                "closed": int(state != "open"),
                "won": int(state == "won"),
                "is_won": str(state == "won").lower(),
                "is_lost": str(state == "lost").lower(),
            }
            lines["accounts.csv"].append(self.accounts[1].format(**said))
            lines["deals.csv"].append(self.deals[1].format(**said))
        return exported(
            {self.file(name): "\n".join(said) + "\n" for name, said in lines.items()}
        )

    def file(self, name: str) -> str:
        return name

    @pytest.fixture
    def opened(self, folder: Path) -> Callable[[], Files]:
        return lambda: InSmallBatches(folder, settings=self.settings)

    @pytest.fixture
    def holds(self) -> Mapping[TableName, pa.Table]:
        accounts, deals = self.ids
        return {
            "account": pa.table({"account_id": accounts, "name": NAMES}),
            "opportunity": pa.table(
                {
                    "opportunity_id": deals,
                    "account_id": accounts,
                    "amount": AMOUNTS,
                    "status": [STATES[place % 3] for place in range(11)],
                }
            ),
        }

    def test_a_copy_of_other_files_is_not_gone_on_with(
        self, opened: Callable[[], Files], folder: Path
    ) -> None:
        before = opened()
        first = next(iter(before.pull("account")))
        for path in folder.iterdir():
            os.utime(path, ns=(1, 1))
        after = opened()
        assert after.fingerprint() != before.fingerprint()
        with pytest.raises(CursorLostError, match="read them whole"):
            list(after.pull("account", resume=first.cursor))


class TestOwnTables(FolderContract):
    accounts = ("account_id,name", "{account},{name}")
    deals = (
        "opportunity_id,account_id,status,amount",
        "{deal},{account},{state},{amount}",
    )

    def file(self, name: str) -> str:
        return {"accounts.csv": "account.csv", "deals.csv": "opportunity.csv"}[name]


class TestSalesforceReport(FolderContract):
    accounts = ("Account ID,Account Name,Parent Account", "{account},{name},")
    deals = (
        "Opportunity ID,Account ID,Stage,Closed,Won,Amount,Close Date",
        '{deal},{account},"A stage",{closed},{won},{amount},31/01/2026',
    )


class TestHubSpotExport(FolderContract):
    ids = (
        [str(7_000 + place) for place in range(11)],
        [str(9_000 + place) for place in range(11)],
    )
    accounts = ('"Record ID","Company name","Parent Company"', '"{account}",{name},""')
    deals = (
        (
            '"Record ID","Deal Name","Deal Stage","Pipeline","Amount","Currency",'
            '"Close Date","Create Date","Is Closed Won","Is closed lost",'
            '"Associated Company IDs (Primary)"'
        ),
        (
            '"{deal}","A deal","A stage ({state})","Sales","{amount}","EUR",'
            '"2026-01-31 16:04","2025-12-01 08:00","{is_won}","{is_lost}","{account}"'
        ),
    )
