"""What may a person choose about HubSpot?"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

import attrs

from crm_portfolio.connectors._pace import Ceilings, Window
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.hubspot._paths import Family
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.schema import TABLES, TableName

__all__ = ["BURST", "EXPORTS", "SEARCHES", "HubSpotSettings"]

# A property's name, or {"field": name, "as": converter}; checked where the mapping grows.
ChosenField: TypeAlias = Any

# The names of the pace-maker's windows.
BURST, SEARCHES, EXPORTS = "burst", "search", "export"


@attrs.frozen
class HubSpotSettings:
    """How HubSpot is read and written.

    Attributes:
        tables: What a pull asks for; ``all``: whatever this login may read. Tables of
            ``objects`` come too, and exchange rates where the org has several currencies.
        paths: The numbered versions of the API, or the dated one.
        exports: When the first load takes an export instead of pages; ``auto``: from
            200,000 records. Where HubSpot has none to give just then, pages are read.
        fields: Your own properties: for each table, column → property name, or
            column → ``{"field": name, "as": "percent"}``. They replace ours.
        objects: For each table, the custom object that feeds it, like
            ``{"contract": "p123_contract"}``; its columns are then yours to map.
        loss_reason: The deal property that says why; None: ``closed_lost_reason``.
        currency: The org's, where HubSpot does not tell.
        timeout: Seconds to connect, and seconds of silence, on every call.
        at_once: Calls under way at the same time.
        burst_calls: Calls in 10 seconds, until HubSpot's first answer tells the limit.
        search_calls: Searches in one second, shared by all apps of the org.
        ceilings: How much of the quota we may use.
        retry: How patient we are.
    """

    tables: tuple[TableName, ...] | Literal["all"] = (
        "account",
        "opportunity",
        "stage",
        "owner",
    )
    paths: Family = "v3"
    exports: Literal["auto", "always", "never"] = "auto"
    fields: Mapping[str, Mapping[str, ChosenField]] = attrs.field(factory=dict)
    objects: Mapping[str, str] = attrs.field(factory=dict)
    loss_reason: str | None = None
    currency: str | None = None
    timeout: tuple[float, float] = (10.0, 60.0)
    at_once: int = 8
    burst_calls: int = 100
    search_calls: int = 5
    ceilings: Ceilings = attrs.field(factory=Ceilings)
    retry: RetrySettings = attrs.field(factory=RetrySettings)

    def __attrs_post_init__(self) -> None:
        _must_be_tables("tables", () if self.tables == "all" else self.tables)
        _must_be_tables("objects", self.objects)
        _must_be_one_of("paths", self.paths, get_args(Family))
        _must_be_one_of("exports", self.exports, ("auto", "always", "never"))
        for name in (*self.objects.values(), self.loss_reason or "a_property"):
            if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
                raise SettingsError(f"{name!r} is not the internal name HubSpot shows")
        if min(self.at_once, self.burst_calls, self.search_calls) < 1:
            raise SettingsError(
                "at_once, burst_calls and search_calls are each at least 1"
            )
        if not _are_seconds(self.timeout):
            raise SettingsError(
                "timeout is two numbers of seconds, both above 0: to connect, and of "
                "silence, like (10, 60)"
            )

    @property
    def named(self) -> tuple[TableName, ...]:
        """The tables asked for by name: whoever maps an object wants its table."""
        chosen = () if self.tables == "all" else self.tables
        return tuple(dict.fromkeys((*chosen, *self.objects)))  # type: ignore[arg-type]

    @property
    def windows(self) -> tuple[Window, ...]:
        """The limits of the vendor that the pace-maker keeps."""
        return (
            Window(BURST, self.burst_calls, 10),
            Window(SEARCHES, self.search_calls, 1),
            Window(EXPORTS, self.burst_calls, 10),
        )


def _must_be_tables(where: str, named: object) -> None:
    if isinstance(named, str):
        raise SettingsError(f'{where}: give a list of tables, or "all"')
    for table in named:  # type: ignore[attr-defined]
        if table not in TABLES:
            raise SettingsError(
                f"{where}: there is no table {table!r}{did_you_mean(str(table), TABLES)}"
            )


def _must_be_one_of(name: str, said: str, known: tuple[str, ...]) -> None:
    if said not in known:
        raise SettingsError(f"{name} is one of {', '.join(known)}, not {said!r}")


def _are_seconds(timeout: object) -> bool:
    match timeout:
        case (int() | float() as connect, int() | float() as silence):
            return 0 < connect < math.inf and 0 < silence < math.inf
        case _:
            return False
