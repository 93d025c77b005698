"""Which real books are told of in the pages, and what is said of each?

``python tests/real/books.py FOLDER_OF_DATA`` draws their pictures anew.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pyarrow.compute as pc
from loaders import maven_folder, reseller_tables, wholesale_tables

from crm_portfolio import Portfolio, connect, pull
from crm_portfolio._frames import to_arrow
from crm_portfolio._plots import as_svg
from crm_portfolio.analysis import (
    ConcentrationResult,
    ConcentrationSettings,
    LossScenarioSettings,
    Scenario,
    TiersResult,
    TiersSettings,
    concentration,
    loss_scenario,
    tiers,
)
from crm_portfolio.portfolio import Period

PAGES = Path(__file__).resolve().parents[2] / "docs" / "real-data"
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


def _percent(share: float) -> str:
    return f"{100 * share:.3f} %"


def _money(amount: float) -> str:
    return f"{amount:,.0f}"


def said_of_maven(data: Path) -> list[str]:
    """What the page says of it, figure for figure."""
    shape, groups = maven(data), maven(data).by_group
    one, by_tier = shape.figures, shape.by_tier
    first = to_arrow(shape.shares.frame).slice(0, 1).to_pylist()[0]
    group = to_arrow(shape.shares.groups).slice(0, 1).to_pylist()[0]
    lines = {name: maven_quarter(data, name).figures for name in QUARTERS}
    return [
        f"{one['n']} accounts, {_money(one['total'])} USD of deals won",
        f"The {one['top_k']} largest of them, 20 %, hold {_percent(one['share_of_top_20pct'])}",
        f"80 % takes {one['n_for_80']} accounts",
        f"as if {one['effective_number']:.1f} equal ones",
        f"the largest, {first['name']}, is {_percent(first['share'])}",
        f"{groups['n']} groups",
        f"their {groups['top_k']} largest hold {_percent(groups['share_of_top_20pct'])}",
        f"{group['name']} with its {group['member_count'] - 1} subsidiaries is first, with {_percent(group['share'])}",
        "; ".join(
            f"{tier}: {by_tier[tier]['account_count']} accounts" for tier in "ABCD"
        ),
        *(
            f"| {name} | {_money(each['total'])} | {each['n']} "
            f"| {_percent(each['share_of_top_20pct'])} |"
            for name, each in lines.items()
        ),
    ]


def said_of_wholesale(data: Path) -> list[str]:
    shape = wholesale(data)
    one, by_tier = shape.figures, shape.by_tier
    first = to_arrow(shape.shares.frame)["revenue"][0].as_py()
    kinds = to_arrow(shape.book["account"]).select(["account_id", "segment"])
    top = to_arrow(shape.tiered.frame).select(["account_id", "tier"])
    top = top.filter(pc.equal(top["tier"], "A")).join(kinds, "account_id")
    retail = pc.sum(pc.equal(top["segment"], "retail")).as_py()
    every = pc.sum(pc.equal(kinds["segment"], "retail")).as_py()
    return [
        f"{one['n']} clients, {_money(one['total'])} in a year",
        f"The {one['top_k']} largest, 20 %, hold {_percent(one['share_of_top_20pct'])}",
        f"the largest spends {_money(first)}",
        f"80 % takes {one['n_for_80']} clients",
        f'it is "{one["pareto"]["joint_ratio"]}"',
        *(
            f"| {tier} | {by_tier[tier]['account_count']} "
            f"| {_money(by_tier[tier]['lower_edge'])} |"
            for tier in "ABCD"
        ),
        f"{every} of the {one['n']} clients are retailers",
        f"and {retail} of the {by_tier['A']['account_count']} in tier A",
    ]


def said_of_resellers(data: Path) -> list[str]:
    shape = resellers(data)
    one, by_tier = shape.figures, shape.by_tier
    first = to_arrow(shape.shares.frame).slice(0, 1).to_pylist()[0]
    (balance,) = to_arrow(shape.book.balance).to_pylist()
    every = LossScenarioSettings(period=Period.all(), scenario=Scenario.tail(0.8))
    loss = loss_scenario(shape.book, every)
    costly = to_arrow(loss.frame)["contribution"]
    listed = to_arrow(shape.book["account"]).num_rows
    return [
        f"{one['n']} of the {listed} resellers listed ordered something",
        f"{one['total']:,.2f} USD in three years",
        f"{balance['residue'] / 100:,.2f} USD of parts of cents",
        f"The {one['top_k']} largest, 20 %, hold {_percent(one['share_of_top_20pct'])}",
        f"80 % takes {one['n_for_80']} resellers",
        f'it is "{one["pareto"]["joint_ratio"]}"',
        f"the largest, {first['name']}, brings {first['revenue']:,.2f} USD, {_percent(first['share'])}",
        *(
            f"| {tier} | {by_tier[tier]['account_count']} "
            f"| {_money(by_tier[tier]['lower_edge'])} |"
            for tier in "ABCD"
        ),
        f"{pc.sum(pc.less(costly, 0.0)).as_py()} cost more than they bring",
        f"the margin of all is {_percent(loss.summary['before']['contribution_ratio'])}",
        f"losing the small 80 %, {loss.summary['loss']['account_count']} resellers,",
        f"takes {_percent(loss.summary['loss']['share'])} of the revenue",
    ]


SAID: Mapping[str, Callable[[Path], list[str]]] = {
    "maven": said_of_maven,
    "wholesale": said_of_wholesale,
    "resellers": said_of_resellers,
}


def picture(name: str, data: Path) -> str:
    """The one picture of a page, as SVG; the same bytes each time."""
    result = {
        "maven": lambda: maven(data).shares,
        "wholesale": lambda: wholesale(data).tiered,
        "resellers": lambda: resellers(data).shares,
    }[name]()
    return as_svg(lambda ax: result.plot(ax=ax))


if __name__ == "__main__":
    for each in SAID:
        target = PAGES / "pictures" / f"{each}.svg"
        target.write_text(picture(each, Path(sys.argv[1])), encoding="utf-8")
