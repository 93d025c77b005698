"""What may a person choose about Salesforce?"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

from crm_portfolio.connectors._pace import Ceilings
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.schema import TABLES, TableName

__all__ = ["DEFAULT_TABLES", "Counted", "SalesforceSettings"]

# A field's name, or {"field": name, "as": converter}; checked where the mapping grows.
ChosenField: TypeAlias = Any
Counted: TypeAlias = Literal["activity", "contact"]
DEFAULT_TABLES: Final[tuple[TableName, ...]] = (
    "account",
    "opportunity",
    "stage",
    "owner",
)


@attrs.frozen
class SalesforceSettings:
    """How Salesforce is read and written.

    Attributes:
        api_version: The REST API's; 66.0 is Spring '26.
        tables: Which are pulled; "all": every one that is mapped and that this login may
            read. ``exchange_rate`` comes by itself where the org has several currencies.
        fields: Your own fields: for each table, column → field name, or
            column → ``{"field": name, "as": "percent"}``, or column →
            ``{"constant": text}``. They replace ours.
        objects: Your own objects: table → object name. All its columns but the key, which
            is the record's id, are in ``fields``.
        loss_reason: The opportunity's field; None: found by its name or label; "": none.
        counts: What is counted for each account; accounts then come by REST, and each
            page costs a call more for contacts, two for activities.
        timeout: Seconds to connect, and seconds of silence, on every call.
        page_size: Records in one page of a query, 200 to 2,000.
        bulk: Whether large objects come by Bulk API 2.0.
        bulk_from: Records from which an object is large.
        bulk_page_rows: Records in one page of a Bulk result.
        currency: The org's, where Salesforce does not tell.
        ceilings: How much of the org's quota we may use.
        retry: How patient we are.
    """

    api_version: str = "66.0"
    tables: Sequence[TableName] | Literal["all"] = DEFAULT_TABLES
    fields: Mapping[str, Mapping[str, ChosenField]] = attrs.field(factory=dict)
    objects: Mapping[str, str] = attrs.field(factory=dict)
    loss_reason: str | None = None
    counts: Sequence[Counted] = ()
    timeout: tuple[float, float] = (10.0, 60.0)
    page_size: int = 2_000
    bulk: Literal["auto", "always", "never"] = "auto"
    bulk_from: int = 20_000
    bulk_page_rows: int = 50_000
    currency: str | None = None
    ceilings: Ceilings = attrs.field(factory=Ceilings)
    retry: RetrySettings = attrs.field(factory=RetrySettings)

    def __attrs_post_init__(self) -> None:
        if not re.fullmatch(r"\d{2,3}\.0", self.api_version):
            raise SettingsError(
                f"api_version {self.api_version!r} is none; write it like '66.0'"
            )
        if not 200 <= self.page_size <= 2_000:
            raise SettingsError("page_size is from 200 to 2000")
        if self.bulk not in ("auto", "always", "never"):
            raise SettingsError("bulk is 'auto', 'always' or 'never'")
        if self.bulk_from < 0 or self.bulk_page_rows < 1:
            raise SettingsError(
                "bulk_from is not below 0, and bulk_page_rows is at least 1"
            )
        if not _are_seconds(self.timeout):
            raise SettingsError(
                "timeout is two numbers of seconds, both above 0: to connect, and of "
                "silence, like (10, 60)"
            )
        _check_tables(self)


def _check_tables(settings: SalesforceSettings) -> None:
    if isinstance(settings.tables, str):
        if settings.tables != "all":
            raise SettingsError("tables is a list of tables, or 'all'")
    else:
        for table in settings.tables:
            _known(table, "tables")
    for mapped, name in settings.objects.items():
        _known(mapped, "objects")
        if mapped in ("account", "opportunity_change", "exchange_rate"):
            raise SettingsError(f"objects: {mapped} always comes from its own object")
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z]\w{0,79}", name):
            raise SettingsError(
                f'objects.{mapped}: write the API name, like "Invoice__c"'
            )
    for counted in settings.counts:
        if counted not in get_args(Counted):
            raise SettingsError("counts are 'activity' and 'contact'")
    if settings.loss_reason and not re.fullmatch(
        r"[A-Za-z]\w{0,79}", settings.loss_reason
    ):
        raise SettingsError('loss_reason is a field\'s API name, like "Loss_Reason__c"')


def _known(table: str, where: str) -> None:
    if table not in TABLES:
        hint = did_you_mean(table, TABLES) or f"; there is {', '.join(TABLES)}"
        raise SettingsError(f"{where}: no table {table!r}{hint}")


def _are_seconds(timeout: object) -> bool:
    match timeout:
        case (int() | float() as connect, int() | float() as silence):
            return 0 < connect < math.inf and 0 < silence < math.inf
        case _:
            return False
