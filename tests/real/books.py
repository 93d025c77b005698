"""Which real books are told of in the pages, and what is said of each?

``python tests/real/books.py FOLDER_OF_DATA`` draws their pictures anew.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import foreseen
import pyarrow as pa
import pyarrow.compute as pc
from loaders import ravenstack_tables, text_csv
from shapes import (
    QUARTERS,
    cdnow,
    followed,
    maven,
    maven_quarter,
    receivables,
    resellers,
    running,
    wholesale,
)

from crm_portfolio._frames import to_arrow
from crm_portfolio._plots import as_svg
from crm_portfolio.analysis import (
    LossScenarioSettings,
    RiskSettings,
    Scenario,
    loss_scenario,
    risk,
)
from crm_portfolio.portfolio import Period

PAGES = Path(__file__).resolve().parents[2] / "docs" / "real-data"


def _percent(share: float) -> str:
    return f"{100 * share:.3f} %"


def _short(share: float) -> str:
    return f"{100 * share:.1f} %"


def _whole(share: float) -> str:
    return f"{100 * share:.0f} %"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _held(one: Mapping[str, Any]) -> str:
    return f"The {one['top_k']:,} largest, 20 %, hold {_percent(one['share_of_top_20pct'])}"


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
    tiered = to_arrow(shape.tiered.frame)
    young = tiered.filter(pc.equal(tiered["tier"], "new"))["first_revenue_on"]
    (since,) = set(young.to_pylist())
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
        f"The other {len(young)} first ordered on {_day(since)}",
        f"{pc.sum(pc.less(costly, 0.0)).as_py()} cost more than they bring",
        f"the margin of all is {_percent(loss.summary['before']['contribution_ratio'])}",
        f"losing the small 80 %, {loss.summary['loss']['account_count']} resellers,",
        f"takes {_percent(loss.summary['loss']['share'])} of the revenue",
    ]


def said_of_cdnow(data: Path) -> list[str]:
    shape, told = cdnow(data), followed(data, 3)
    one, by_tier = shape.figures, shape.by_tier
    kept = [row["kept_share"] for row in to_arrow(told.cohorts).to_pylist()]
    moved, retained = told.summary["replacement"], told.summary["retention"]
    own, borrowed = foreseen.come_back(data).values()
    day = _day(foreseen.END_OF_CALIBRATION)
    return [
        f"{one['n']:,} customers, {one['total']:,.2f} USD in eighteen months",
        _held(one),
        f"80 % takes {one['n_for_80']:,} customers",
        f'it is "{one["pareto"]["joint_ratio"]}"',
        f"as if {_money(one['effective_number'])} equal ones",
        (
            f"{by_tier['A']['account_count']} customers bring as much as the last "
            f"{by_tier['D']['account_count']:,}"
        ),
        "January to March 1997",
        f"{_short(kept[1])} bought in the next quarter, {_short(kept[-1])} in the last",
        (
            f"{_short(retained['logo'])} of the {retained['group_count']:,} who paid for "
            f"something in the first half year bought in the year after, "
            f"with {_short(retained['net'])} of the revenue"
        ),
        f"{_short(retained['gross'])} without the growth of those who grew",
        f"replaced to {_short(moved['years'][0]['rate'])}",
        f"Levels of {day}, and who buys in the 39 weeks after",
        *(
            f"| {level} | {_whole(known)} | {_whole(lent)} |"
            for level, known, lent in zip(foreseen.LEVELS, own, borrowed, strict=True)
        ),
    ]


def said_of_receivables(data: Path) -> list[str]:
    shape = receivables(data)
    one, book = shape.figures, shape.book
    invoices = to_arrow(book["invoice"])
    is_late = pc.greater(invoices["paid_on"], invoices["due_on"])
    contested = invoices["is_disputed"]
    late = pc.sum(is_late).as_py()
    rates = [
        pc.mean(pc.filter(is_late, each).cast(pa.int8())).as_py()
        for each in (contested, pc.invert(contested))
    ]
    first = to_arrow(shape.shares.frame).slice(0, 1).to_pylist()[0]
    plain = risk(book, RiskSettings(period=Period.all()))
    worst = to_arrow(plain.frame).sort_by([("days_late", "descending")])
    levels = plain.summary["components"]["payment"]
    return [
        (
            f"{one['n']} customers, {one['total']:,.2f} USD in {invoices.num_rows:,} invoices "
            "of 2012 and 2013"
        ),
        _held(one),
        f"the largest, {first['account_id']}, is {_percent(first['share'])}",
        f"as if {one['effective_number']:.1f} equal ones",
        f"{late} invoices, {100 * late / invoices.num_rows:.2f} %, were paid late",
        (
            f"{pc.sum(contested).as_py()} were contested, and of those {100 * rates[0]:.2f} % "
            f"were late, of the others {100 * rates[1]:.2f} %"
        ),
        (
            f"the slowest, {worst['account_id'][0]}, is "
            f"{worst['days_late'][0].as_py():.1f} days late on average"
        ),
        f"{levels['low']} customers low and {levels['unknown']} unknown",
        "beginning at 15 days",
        "At 2, 5 and 10 days",
        f"Levels of {_day(foreseen.END_OF_YEAR)}",
        "days late in 2013",
        *(
            f"| {level} | {count} | {days:.2f} |"
            for level, (count, days) in foreseen.days_late_after(data).items()
        ),
    ]


def said_of_ravenstack(data: Path) -> list[str]:
    one, told = running(data).figures, foreseen.subscribers(data)
    tables = ravenstack_tables(data / "ravenstack_saas", date(2024, 12, 31))
    ends = tables["contract"]["ends_on"]
    rows = text_csv(data / "ravenstack_saas" / "ravenstack_accounts.csv")
    flagged = {row["account_id"] for row in rows if row["churn_flag"] == "TRUE"}
    rows = text_csv(data / "ravenstack_saas" / "ravenstack_churn_events.csv")
    having = {row["account_id"] for row in rows}
    found, churned = foreseen.by_level(told), foreseen.churned_after(data)
    warned = [each for level in foreseen.WARNED for each in found.get(level, [])]
    learned: Any = foreseen.learned_from_events(data).summary["odds"]
    return [
        (
            f"{one['n']} accounts, {_money(one['total'])} USD a month from {ends.null_count:,} "
            f"of {len(ends):,} subscriptions that still ran at the end of 2024"
        ),
        _held(one),
        f"80 % takes {one['n_for_80']} accounts",
        f'it is "{one["pareto"]["joint_ratio"]}"',
        (
            f"{len(having)} accounts have one of the {len(rows)} churn events, "
            f"{len(flagged)} are flagged as churned, and {len(having & flagged)} are both"
        ),
        f"{len(ends) - ends.null_count} subscriptions ended",
        f"On {_day(foreseen.HALF_TIME)}, {told.summary['account_count']} accounts were known",
        (
            f"{len(found['low'])} of them are low, and "
            f"{_whole(foreseen.rate(found['low'], churned))} of those have a churn event in the "
            "six months after"
        ),
        f"of the {len(warned)} with a warning {sum(w in churned for w in warned)} has one",
        "a mark below 3 of 5",
        f"(an area under the curve of {learned['model']['auc']:.2f})",
    ]


SAID: Mapping[str, Callable[[Path], list[str]]] = {
    "maven": said_of_maven,
    "wholesale": said_of_wholesale,
    "resellers": said_of_resellers,
    "cdnow": said_of_cdnow,
    "receivables": said_of_receivables,
    "ravenstack": said_of_ravenstack,
}


def picture(name: str, data: Path) -> str:
    """The one picture of a page, as SVG; the same bytes each time."""
    result = {
        "maven": lambda: maven(data).shares,
        "wholesale": lambda: wholesale(data).tiered,
        "resellers": lambda: resellers(data).shares,
        "cdnow": lambda: followed(data, 1),
        "receivables": lambda: foreseen.payers(data),
        "ravenstack": lambda: foreseen.subscribers(data),
    }[name]()
    plot = result.plot_cohorts if name == "cdnow" else result.plot
    return as_svg(lambda ax: plot(ax=ax))


if __name__ == "__main__":
    for each in SAID:
        target = PAGES / "pictures" / f"{each}.svg"
        target.write_text(picture(each, Path(sys.argv[1])), encoding="utf-8")
