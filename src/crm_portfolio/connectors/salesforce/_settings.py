"""What may a person choose about Salesforce?"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import attrs

from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.errors import SettingsError

__all__ = ["SalesforceSettings"]

# A field's name, or {"field": name, "as": converter}; checked where the mapping grows.
ChosenField: TypeAlias = Any


@attrs.frozen
class SalesforceSettings:
    """How Salesforce is read and written.

    Attributes:
        api_version: The REST API's; 66.0 is Spring '26.
        fields: Your own fields: for each table, column → field name, or
            column → ``{"field": name, "as": "percent"}``. They replace ours.
        timeout: Seconds to connect, and seconds of silence, on every call.
        page_size: Records in one page of a query, 200 to 2,000.
        currency: The org's, where Salesforce does not tell.
        retry: How patient we are.
    """

    api_version: str = "66.0"
    fields: Mapping[str, Mapping[str, ChosenField]] = attrs.field(factory=dict)
    timeout: tuple[float, float] = (10.0, 60.0)
    page_size: int = 2_000
    currency: str | None = None
    retry: RetrySettings = attrs.field(factory=RetrySettings)

    def __attrs_post_init__(self) -> None:
        if not re.fullmatch(r"\d{2,3}\.0", self.api_version):
            raise SettingsError(
                f"api_version {self.api_version!r} is none; write it like '66.0'"
            )
        if not 200 <= self.page_size <= 2_000:
            raise SettingsError("page_size is from 200 to 2000")
        if not _are_seconds(self.timeout):
            raise SettingsError(
                "timeout is two numbers of seconds, both above 0: to connect, and of "
                "silence, like (10, 60)"
            )


def _are_seconds(timeout: object) -> bool:
    match timeout:
        case (int() | float() as connect, int() | float() as silence):
            return 0 < connect < math.inf and 0 < silence < math.inf
        case _:
            return False
