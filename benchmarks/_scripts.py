"""What would a user write by hand, in Polars and in pandas, to get the same frames?

Each takes the tables of a firm and gives, in this order, the frames of
``concentration``, ``tiers`` and ``allocation``.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import numpy as np
import polars as pl

from benchmarks._firm import AS_OF

__all__ = [
    "HOURS",
    "pandas_concentration_and_tiers",
    "pandas_frames",
    "polars_book",
    "polars_frames",
]

HOURS: Final = 100_000
_BEFORE, _START, _END = date(2024, 7, 1), date(2025, 7, 1), date(2026, 7, 1)
_YOUNG: Final = date(2026, 4, 1)
_TIERS: Final = 4
_KINDS: Final = (
    "invoice",
    "discount",
    "credit_note",
    "refund",
    "goodwill",
    "recurring",
)


def polars_book(
    account: pl.LazyFrame, revenue_line: pl.LazyFrame
) -> dict[str, pl.DataFrame]:
    """The same tables checked: keys, texts, kinds, links, parents, days, amounts; in order."""
    accounts = _texts(account).sort("account_id").collect()
    assert not accounts["account_id"].null_count()
    assert accounts["account_id"].n_unique() == accounts.height
    accounts = accounts.with_columns(ultimate_parent_id=_roots(accounts))
    minor, amount = pl.col("minor"), pl.col("amount")
    known = accounts.lazy().select("account_id", is_linked=pl.lit(1))
    lines = (
        _texts(revenue_line)
        .with_columns(pl.col("booked_on").cast(pl.Date))
        .with_columns(minor=(amount * 100).round().cast(pl.Int64))
        .filter(pl.col("booked_on").is_null() | (pl.col("booked_on") <= AS_OF))
        .join(known, on="account_id", how="left")
        .sort("line_id")
        .collect()
    )
    found = lines.select(
        came_in=minor.sum(),
        unnamed=pl.col("line_id").null_count(),
        twice=pl.len() - pl.col("line_id").n_unique(),
        endless=(~amount.is_finite()).sum(),
        other_kind=(~pl.col("kind").is_in(_KINDS)).sum(),
        unlinked=pl.col("is_linked").null_count(),
        rounded=((amount * 100 - minor).abs() > 1e-6).sum(),
        dayless=pl.col("booked_on").null_count(),
    )
    assert sum(found.select(pl.exclude("came_in")).row(0)) == 0
    kept = lines.with_columns(amount=minor / 100).drop("minor", "is_linked")
    return {"account": accounts, "revenue_line": kept}


def _texts(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.with_columns(pl.col(pl.String).str.strip_chars().replace("", None))


def _roots(accounts: pl.DataFrame) -> pl.Series:
    up = accounts.select(up="account_id", next="parent_id")
    found = accounts.select(up="account_id")
    while True:
        further = found.join(up, on="up", how="left", maintain_order="left")
        if further["next"].null_count() == further.height:
            return found["up"]
        found = further.select(up=pl.coalesce("next", "up"))


def polars_frames(
    account: pl.LazyFrame, revenue_line: pl.LazyFrame
) -> tuple[pl.DataFrame, ...]:
    """As somebody who knows Polars well would have it: lazily, one scan of the lines."""
    facts = _polars_facts(account, revenue_line)
    return _concentration(facts), (tiers := _tiers(facts)), _allocation(tiers)


def _polars_facts(account: pl.LazyFrame, revenue_line: pl.LazyFrame) -> pl.DataFrame:
    day, minor = pl.col("booked_on"), (pl.col("amount") * 100).round().cast(pl.Int64)
    is_now = day >= _START
    is_before = (day >= _BEFORE) & (day < _START)
    month = day.dt.year().cast(pl.Int32) * 12 + day.dt.month()
    by_account = (
        revenue_line.filter(day < _END)
        .select(
            "account_id",
            "booked_on",
            month=pl.when(is_now).then(month),
            now=minor * is_now,
            lines=is_now.cast(pl.Int64),
            known=(is_now & pl.col("amount").is_not_null()).cast(pl.Int64),
            before=minor * is_before,
            lines_before=is_before.cast(pl.Int64),
        )
        .group_by("account_id")
        .agg(
            pl.col("now", "lines", "known", "before", "lines_before").sum(),
            months=pl.col("month").drop_nulls().n_unique(),
            first=pl.col("booked_on").min(),
        )
    )
    amounts = ("now", "lines", "known", "before", "lines_before", "months")
    return (
        account.join(by_account, on="account_id", how="left")
        .with_columns(pl.col(*amounts).fill_null(0))
        .with_columns(
            is_young=(pl.col("first") > _YOUNG).fill_null(value=False),
            positive=pl.col("now").clip(0),
        )
        .sort(pl.col("now"), pl.col("account_id"), descending=[True, False])
        .collect()
    )


def _concentration(facts: pl.DataFrame) -> pl.DataFrame:
    now, before, root = pl.col("now"), pl.col("before"), pl.col("ultimate_parent_id")
    has_lines, had_lines = pl.col("lines") > 0, pl.col("lines_before") > 0
    rank = now.rank("min", descending=True).over(has_lines)
    rank_before = before.rank("min", descending=True).over(had_lines)
    total = facts["now"].sum()
    group_share = now.sum().over(root) / total
    return (
        facts.lazy()
        .select(
            "account_id",
            "name",
            rank=pl.when(has_lines).then(rank).otherwise(has_lines.sum() + 1),
            revenue=now / 100,
            share=now / total,
            share_of_positive=pl.col("positive") / pl.col("positive").sum(),
            revenue_previous=before / 100,
            rank_previous=pl.when(had_lines).then(rank_before),
            is_new=has_lines & ~had_lines,
            has_left=~has_lines & had_lines,
            line_count="lines",
            known_line_count="known",
            months_active="months",
            first_revenue_on="first",
            is_dormant=~has_lines,
            is_young="is_young",
            ultimate_parent_id=root,
            group_member_count=pl.len().over(root),
            group_share=group_share,
            is_group_unknown=pl.lit(value=False),
            dependence=pl.when(group_share > 0.2)
            .then(pl.lit("dependent"))
            .when(group_share >= 0.1)
            .then(pl.lit("major"))
            .otherwise(pl.lit("none")),
        )
        .sort("is_dormant", pl.col("revenue").neg(), "account_id")
        .with_columns(
            cum_share=pl.col("revenue").cum_sum() / (total / 100),
            rank_change=pl.when(~pl.col("is_dormant")).then(
                pl.col("rank_previous").cast(pl.Int64) - pl.col("rank")
            ),
        )
        .collect()
    )


def _tiers(facts: pl.DataFrame) -> pl.DataFrame:
    now, young = pl.col("now"), pl.col("is_young")
    is_ranked = (now > 0) & ~young
    ranked = facts.lazy().filter(is_ranked)
    letters = pl.Series("letter", ["A", "B", "C", "D"])
    total = facts.filter(is_ranked)["now"].sum()
    cut = (
        ranked.select(
            "account_id",
            "now",
            rank=now.rank("min", descending=True),
            share=now / total,
            held_before=now.cum_sum() - now,
        )
        .with_columns(share_before=pl.col("held_before").min().over("now") / total)
        .collect()
    )
    cut = cut.with_columns(slice=_slices(cut["now"]))
    cut = cut.with_columns(edge=now.min().over("slice"))
    edges = cut.group_by("slice").agg(pl.col("edge").first()).sort("slice")["edge"]
    number = pl.col("slice")
    above = pl.when(number > 0).then(
        pl.lit(edges.implode()).list.get((number - 1).clip(0))
    )
    told = cut.lazy().select(
        "account_id",
        "rank",
        "share",
        "share_before",
        rule=pl.lit(letters.implode()).list.get(number),
        lower_edge=pl.col("edge") / 100,
        margin=(pl.col("now") - pl.col("edge")) / 100,
        has_worse=number < len(edges) - 1,
        better=pl.when(number > 0).then(
            pl.lit(letters.implode()).list.get((number - 1).clip(0))
        ),
        edge_above=above / 100,
        gap=(above - pl.col("now")) / 100,
    )
    outside = pl.when(young).then(pl.lit("new")).otherwise(pl.lit("none"))
    kind = pl.when(is_ranked).then(0).when(young).then(1).otherwise(2)
    day, text = pl.lit(None, pl.Date), pl.lit(None, pl.String)
    return (
        facts.lazy()
        .with_columns(kind=kind)
        .sort("kind", now.neg(), "account_id")
        .join(told, on="account_id", how="left", maintain_order="left")
        .with_columns(tier=pl.coalesce("rule", outside))
        .select(
            "account_id",
            "name",
            "tier",
            tier_raw="tier",
            tier_before=text,
            tier_since_on=pl.lit(AS_OF),
            is_pinned=pl.lit(value=False),
            pinned_until_on=day,
            pinned_by=text,
            tier_pending=text,
            pending_closes=pl.lit(None, pl.Int64),
            is_restated=pl.lit(value=False),
            revenue=now / 100,
            rank="rank",
            share="share",
            share_before="share_before",
            lower_edge="lower_edge",
            margin="margin",
            has_worse="has_worse",
            better="better",
            edge_above="edge_above",
            gap="gap",
            hours=pl.lit(None, pl.Float64),
            line_count="lines",
            known_line_count="known",
            first_revenue_on="first",
            is_dormant=pl.col("lines") == 0,
        )
        .collect()
    )


def _slices(descending: pl.Series) -> pl.Series:
    """Each takes equals together while that brings it nearer to its part of the rest."""
    blocks = (
        descending.to_frame().group_by("now", maintain_order=True).agg(size=pl.len())
    )
    until = np.concatenate([[0], np.cumsum(blocks["now"] * blocks["size"])])
    middles, start, of_block = (
        until[:-1] + until[1:],
        0,
        np.zeros(len(blocks), np.int64),
    )
    for number in range(_TIERS):
        left = _TIERS - number
        limit = 2 * (until[-1] - until[start]) // left + 2 * until[start]
        end = np.searchsorted(middles, limit, side="right") if left > 1 else len(blocks)
        end = max(start + 1, min(end, len(blocks) - left + 1))
        of_block[start:end], start = number, end
    return pl.Series(np.repeat(of_block, blocks["size"]))


def _allocation(tiers: pl.DataFrame) -> pl.DataFrame:
    revenue, served = pl.col("revenue"), pl.col("served_as")
    edges = (
        tiers.filter(pl.col("lower_edge").is_not_null())
        .group_by("tier")
        .agg(edge=pl.col("lower_edge").first())
        .sort("edge", descending=True)
    )
    by_revenue = pl.lit(edges["tier"][-1])
    for tier, edge in reversed(edges.rows()):
        by_revenue = pl.when(revenue >= edge).then(pl.lit(tier)).otherwise(by_revenue)
    is_served = served != "none"
    positive = revenue.clip(0)
    whole = HOURS * 60 // edges.height
    place = pl.int_range(pl.len()).over("served_as")
    size = pl.len().over("served_as")
    minutes = whole // size + (place < whole % size)
    tail = pl.int_range(pl.len()) >= (pl.col("line_count") > 0).sum() * 0.2
    unknown = pl.lit(None, pl.Float64)
    return (
        tiers.lazy()
        .select(
            "account_id",
            "name",
            "tier",
            "revenue",
            "line_count",
            "known_line_count",
            served_as=pl.when((pl.col("tier") == "new") & (revenue > 0))
            .then(by_revenue)
            .when(pl.col("tier") == "new")
            .then(pl.lit(edges["tier"][-1]))
            .otherwise("tier"),
        )
        .sort(revenue.neg(), "account_id")
        .with_columns(is_tail=tail & (pl.col("line_count") > 0))
        .sort("served_as", revenue.neg(), "account_id")
        .with_columns(
            revenue_share=positive / positive.sum(),
            minutes=pl.when(is_served).then(minutes).otherwise(0),
            hours_share=pl.when(is_served).then(1 / edges.height / size).otherwise(0.0),
            is_at_floor=pl.lit(value=False),
            hours_spent=unknown,
            hours_over=unknown,
            spent_share=unknown,
            hours_spent_share=unknown,
            intensity=unknown,
        )
        .with_columns(hours=pl.col("minutes") / 60)
        .collect()
    )


def pandas_frames(account: Any, revenue_line: Any) -> tuple[Any, ...]:
    """The plain way: a column for each question, merges, and groupby with transform."""
    concentration, tiers = pandas_concentration_and_tiers(account, revenue_line)
    return concentration, tiers, _pandas_allocation(tiers)


def pandas_concentration_and_tiers(account: Any, revenue_line: Any) -> tuple[Any, Any]:
    """The first two of them."""
    facts = _pandas_facts(account, revenue_line)
    return _pandas_concentration(facts), _pandas_tiers(facts)


def _pandas_facts(account: Any, revenue_line: Any) -> Any:
    import pandas as pd

    start, before, end = (pd.Timestamp(day) for day in (_START, _BEFORE, _END))
    lines = revenue_line[revenue_line["booked_on"] < end].copy()
    lines["minor"] = (lines["amount"] * 100).round().astype("int64")
    now = lines[lines["booked_on"] >= start].copy()
    earlier = lines[(lines["booked_on"] >= before) & (lines["booked_on"] < start)]
    now["month"] = now["booked_on"].dt.year * 12 + now["booked_on"].dt.month
    by_account = now.groupby("account_id").agg(
        now=("minor", "sum"),
        lines=("minor", "size"),
        known=("minor", "count"),
        months=("month", "nunique"),
    )
    by_account = by_account.join(
        earlier.groupby("account_id").agg(
            before=("minor", "sum"), lines_before=("minor", "size")
        ),
        how="outer",
    )
    first = lines.groupby("account_id")["booked_on"].min().rename("first")
    facts = account.merge(by_account, on="account_id", how="left")
    facts = facts.merge(first, on="account_id", how="left")
    amounts = ["now", "lines", "known", "months", "before", "lines_before"]
    facts[amounts] = facts[amounts].fillna(0).astype("int64")
    facts["is_young"] = facts["first"] > pd.Timestamp(_YOUNG)
    facts["positive"] = facts["now"].clip(lower=0)
    return facts.sort_values(["now", "account_id"], ascending=[False, True])


def _pandas_concentration(facts: Any) -> Any:
    frame, total = facts.copy(), facts["now"].sum()
    has_lines, had_lines = frame["lines"] > 0, frame["lines_before"] > 0
    frame["rank"] = has_lines.sum() + 1
    frame.loc[has_lines, "rank"] = frame.loc[has_lines, "now"].rank(
        method="min", ascending=False
    )
    frame["rank_previous"] = frame.loc[had_lines, "before"].rank(
        method="min", ascending=False
    )
    frame["rank_change"] = (frame["rank_previous"] - frame["rank"]).where(has_lines)
    frame["revenue"], frame["revenue_previous"] = (
        frame["now"] / 100,
        frame["before"] / 100,
    )
    frame["share"] = frame["now"] / total
    frame["share_of_positive"] = frame["positive"] / frame["positive"].sum()
    frame["is_new"], frame["has_left"] = has_lines & ~had_lines, ~has_lines & had_lines
    frame["is_dormant"] = ~has_lines
    groups = frame.groupby("ultimate_parent_id")
    frame["group_member_count"] = groups["account_id"].transform("size")
    frame["group_share"] = groups["now"].transform("sum") / total
    frame["is_group_unknown"] = False
    frame["dependence"] = np.select(
        [frame["group_share"] > 0.2, frame["group_share"] >= 0.1],
        ["dependent", "major"],
        "none",
    )
    frame = frame.sort_values(
        ["is_dormant", "now", "account_id"], ascending=[True, False, True]
    )
    frame["cum_share"] = frame["now"].cumsum() / total
    return frame.drop(columns=["positive", "before", "lines_before", "parent_id"])


def _pandas_tiers(facts: Any) -> Any:
    is_ranked = (facts["now"] > 0) & ~facts["is_young"]
    ranked = facts[is_ranked].copy()
    total = ranked["now"].sum()
    ranked["rank"] = ranked["now"].rank(method="min", ascending=False)
    ranked["share"] = ranked["now"] / total
    held_before = ranked["now"].cumsum() - ranked["now"]
    ranked["share_before"] = held_before.groupby(ranked["now"]).transform("min") / total
    ranked["slice"] = _slices(pl.Series("now", ranked["now"].to_numpy())).to_numpy()
    edges = ranked.groupby("slice")["now"].min()
    letters = dict(enumerate("ABCD"))
    ranked["lower_edge"] = ranked["slice"].map(edges) / 100
    ranked["margin"] = ranked["now"] / 100 - ranked["lower_edge"]
    ranked["has_worse"] = ranked["slice"] < len(edges) - 1
    ranked["better"] = (ranked["slice"] - 1).map(letters)
    ranked["edge_above"] = (ranked["slice"] - 1).map(edges) / 100
    ranked["gap"] = ranked["edge_above"] - ranked["now"] / 100
    told = ["rank", "share", "share_before", "slice", "lower_edge", "margin"]
    told += ["has_worse", "better", "edge_above", "gap"]
    frame = facts.join(ranked[told])
    outside = np.where(frame["is_young"], "new", "none")
    frame["tier"] = frame["slice"].map(letters).where(is_ranked, outside)
    frame["tier_raw"], frame["tier_since_on"] = frame["tier"], AS_OF
    for column in ("tier_before", "pinned_until_on", "pinned_by", "tier_pending"):
        frame[column] = None
    frame["pending_closes"], frame["hours"] = np.nan, np.nan
    frame["is_pinned"] = frame["is_restated"] = False
    frame["revenue"], frame["is_dormant"] = frame["now"] / 100, frame["lines"] == 0
    frame["kind"] = np.select([is_ranked, frame["is_young"]], [0, 1], 2)
    frame = frame.sort_values(
        ["kind", "now", "account_id"], ascending=[True, False, True]
    )
    return frame.drop(columns=["kind", "slice", "positive", "before", "lines_before"])


def _pandas_allocation(tiers: Any) -> Any:
    frame = tiers[["account_id", "name", "tier", "revenue", "lines", "known"]].copy()
    edges = tiers.groupby("tier")["lower_edge"].min().dropna().sort_values()
    served = np.select(
        [frame["revenue"] >= edge for edge in edges[::-1]],
        edges.index[::-1],
        edges.index[0],
    )
    frame["served_as"] = frame["tier"].where(frame["tier"] != "new", served)
    frame = frame.sort_values(["revenue", "account_id"], ascending=[False, True])
    has_lines = frame["lines"] > 0
    frame["is_tail"] = (np.arange(len(frame)) >= has_lines.sum() * 0.2) & has_lines
    frame = frame.sort_values(
        ["served_as", "revenue", "account_id"], ascending=[True, False, True]
    )
    groups = frame.groupby("served_as")["account_id"]
    size, place = groups.transform("size"), groups.cumcount()
    whole, is_served = HOURS * 60 // len(edges), frame["served_as"] != "none"
    frame["minutes"] = (whole // size + (place < whole % size)).where(is_served, 0)
    frame["hours"] = frame["minutes"] / 60
    frame["hours_share"] = (1 / len(edges) / size).where(is_served, 0.0)
    positive = frame["revenue"].clip(lower=0)
    frame["revenue_share"] = positive / positive.sum()
    frame["is_at_floor"] = False
    unknown = ("hours_spent", "hours_over", "spent_share", "hours_spent_share")
    for column in (*unknown, "intensity"):
        frame[column] = np.nan
    return frame
