"""How is the revenue of each real book spread?"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import foreseen
import pyarrow.compute as pc
from loaders import (
    cdnow_tables,
    maven_folder,
    ravenstack_tables,
    receivables_tables,
    reseller_tables,
    wholesale_tables,
)

from crm_portfolio import Portfolio, connect, pull
from crm_portfolio.analysis import (
    ConcentrationResult,
    ConcentrationSettings,
    SuccessionResult,
    SuccessionSettings,
    TiersResult,
    TiersSettings,
    concentration,
    succession,
    tiers,
)
from crm_portfolio.portfolio import Period

QUARTERS = {
    "first": (date(2017, 1, 1), date(2017, 4, 1)),
    "second": (date(2017, 4, 1), date(2017, 7, 1)),
    "third": (date(2017, 7, 1), date(2017, 10, 1)),
    "fourth": (date(2017, 10, 1), date(2018, 1, 1)),
}


@attrs.frozen(eq=False)
class Shape:
    """A book over all its time: who holds how much, and in which tier."""

    book: Portfolio
    shares: ConcentrationResult
    tiered: TiersResult

    @property
    def figures(self) -> Mapping[str, Any]:
        return self.shares.summary["by_account"]

    @property
    def by_group(self) -> Mapping[str, Any]:
        return self.shares.summary["by_group"]

    @property
    def by_tier(self) -> dict[str, Mapping[str, Any]]:
        return {row["tier"]: row for row in self.tiered.summary["tiers"]}


def shape_of(book: Portfolio, period: Period) -> Shape:
    return Shape(
        book,
        concentration(book, ConcentrationSettings(period=period)),
        tiers(book, TiersSettings(period=period)),
    )


@cache
def maven(data: Path) -> Shape:
    """Bookings of a seller of hardware; the deals as files, the way a person has them."""
    with tempfile.TemporaryDirectory() as folder:
        source = connect("files", maven_folder(data / "maven_crm", Path(folder)))
        book = pull(source, as_of=date(2017, 12, 31), currency="USD", backend="pyarrow")
    return shape_of(book, Period.all())


@cache
def maven_quarter(data: Path, name: str) -> Shape:
    return shape_of(maven(data).book, Period.between(*QUARTERS[name]))


@cache
def wholesale(data: Path) -> Shape:
    """A year's spend; the source names neither year nor currency."""
    book = Portfolio.from_frames(
        as_of=date(2013, 12, 31),
        currency="EUR",
        **wholesale_tables(data / "wholesale_customers"),
    )
    return shape_of(book, Period.all())


@cache
def resellers(data: Path) -> Shape:
    """What resellers ordered in three years; every line says its cost."""
    book = Portfolio.from_frames(
        as_of=date(2013, 11, 29),
        currency="USD",
        **reseller_tables(data / "adventureworks_resellers"),
    )
    return shape_of(book, Period.all())


@cache
def cdnow(data: Path) -> Shape:
    """The purchases of a shop's customers, in the eighteen months that are known."""
    return shape_of(
        foreseen.book(cdnow_tables(data / "cdnow"), date(1998, 6, 30)), Period.all()
    )


@cache
def followed(data: Path, months: int) -> SuccessionResult:
    """Who of CDNOW's cohorts of so many months goes on buying."""
    settings = SuccessionSettings(period=Period.all(), cohort_months=months)
    return succession(cdnow(data).book, settings)


@cache
def receivables(data: Path) -> Shape:
    """What a firm invoiced in two years, when the last invoice had been paid."""
    day = date(2014, 1, 9)
    tables = receivables_tables(data / "ibm_receivables", day)
    return shape_of(foreseen.book(tables, day), Period.all())


@cache
def running(data: Path) -> Shape:
    """A month of the subscriptions of RavenStack that still ran on the last day."""
    day = date(2024, 12, 31)
    tables = ravenstack_tables(data / "ravenstack_saas", day)
    contracts = tables["contract"]
    keys = contracts.filter(pc.is_null(contracts["ends_on"]))["contract_id"]
    lines = tables["revenue_line"]
    of = pc.utf8_slice_codeunits(lines["line_id"], 0, -len("-2024-12-01"))
    is_of_month = pc.greater_equal(lines["booked_on"], date(2024, 12, 1))
    lines = lines.filter(pc.and_(pc.is_in(of, keys), is_of_month))
    book = foreseen.book({"account": tables["account"], "revenue_line": lines}, day)
    return shape_of(book, Period.all())
