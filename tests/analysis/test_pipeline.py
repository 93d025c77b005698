"""Is the work ahead told as it was known at each date, and is what is unknown kept so?"""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio import _frames, analysis, samples
from crm_portfolio.analysis import PipelineSettings, pipeline
from crm_portfolio.analysis._ahead._growth import trend_of
from crm_portfolio.errors import MissingTableError, SettingsError
from crm_portfolio.portfolio import Calendar, Period, Portfolio

ZONE = "Europe/Paris"
AS_OF = date(2026, 3, 31)
MOMENT = pa.timestamp("us", "UTC")
KINDS = dict.fromkeys(("created_at", "changed_at", "occurred_at"), MOMENT)
KINDS |= dict.fromkeys(("closed_on", "expected_close_on", "from_on"), pa.date32())
KINDS |= {"amount": pa.float64(), "original_amount": pa.float64()}
STAGES = [
    {"stage": "Talk", "status": "open", "default_probability": 0.2},
    {"stage": "Offer", "status": "open", "default_probability": 0.6},
    {"stage": "Won", "status": "won", "default_probability": 1.0},
    {"stage": "Lost", "status": "lost", "default_probability": 0.0},
]
THREE = PipelineSettings(months=3, min_closed=2)


def paris(month: int, day: int, hour: int = 9, *, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


def table(rows: list[dict[str, Any]], *needed: str) -> pa.Table:
    names = list(dict.fromkeys([*needed, *(name for row in rows for name in row)]))
    schema = pa.schema([(name, KINDS.get(name, pa.string())) for name in names])
    return pa.Table.from_pylist(rows, schema=schema)


def opportunity(key: str, created_at: datetime, **said: Any) -> dict[str, Any]:
    usual = {"status": "open", "stage": "Talk", "amount": 100.0, "account_id": "A"}
    return {"opportunity_id": key, "created_at": created_at, **usual, **said}


def change(key: str, at: datetime, field: str, old: Any, new: Any) -> dict[str, Any]:
    said = {"opportunity_id": key, "changed_at": at, "field": field}
    return {**said, "old": old, "new": new}


def portfolio(
    deals: list[dict[str, Any]],
    changes: list[dict[str, Any]] | None = (),  # type: ignore[assignment]
    acts: list[dict[str, Any]] | None = None,
    *,
    as_of: date = AS_OF,
    stages: list[dict[str, Any]] = STAGES,
    **more: pa.Table,
) -> Portfolio:
    """A book of these; none: without the table."""
    tables = {"account": pa.table({"account_id": ["A"]}), **more}
    tables["opportunity"] = table(deals, "opportunity_id", "status")
    if changes:
        tables["opportunity_change"] = table(changes)
    if acts:
        rows = [{"activity_id": f"T{at}", **row} for at, row in enumerate(acts)]
        tables["activity"] = table(rows)
    rows = [
        {"pipeline": "Sales", "position": at, **row} for at, row in enumerate(stages)
    ]
    tables["stage"] = pa.Table.from_pylist(rows)
    return Portfolio.from_frames(
        as_of=as_of,
        currency="EUR",
        calendar=Calendar(ZONE),
        backend="pyarrow",
        **tables,
    )


def months(found: Any) -> dict[str, dict[str, Any]]:
    return {row["month"]: row for row in found.arrow.to_pylist()}


DEALS = [
    opportunity("O1", paris(1, 5), expected_close_on=date(2026, 4, 30)),
    opportunity(
        "O2",
        paris(1, 10),
        status="won",
        stage="Won",
        amount=200.0,
        closed_on=date(2026, 3, 15),
        expected_close_on=date(2026, 3, 15),
    ),
    opportunity(
        "O3",
        paris(1, 12),
        status="lost",
        stage="Lost",
        amount=50.0,
        closed_on=date(2026, 2, 20),
        expected_close_on=date(2026, 2, 28),
    ),
    opportunity(
        "O4",
        paris(2, 5),
        stage="Offer",
        amount=None,
        expected_close_on=date(2026, 3, 10),
    ),
    opportunity("O5", paris(3, 2), amount=None, expected_close_on=date(2026, 5, 1)),
]
CHANGES = [
    change("O1", paris(1, 5), "stage", None, "Talk"),
    change("O1", paris(2, 10), "amount", "80", "100"),
    change("O2", paris(1, 10), "stage", None, "Talk"),
    change("O2", paris(2, 3), "stage", "Talk", "Offer"),
    change("O2", paris(3, 15), "stage", "Offer", "Won"),
    change("O3", paris(1, 12), "stage", None, "Talk"),
    change("O3", paris(2, 20), "stage", "Talk", "Lost"),
    change("O4", paris(2, 5), "stage", None, "Offer"),
    change("O5", paris(3, 2), "stage", None, "Talk"),
]


def test_three_months_by_hand():
    """January: 80 + 200 + 50, all in Talk. February: 100 in Talk, 200 in Offer, O4 is
    worth nobody knows what. March: 100 in Talk, O5 unknown; O4 was due on the 10th.

    By April two were closed. Of those in Talk one of two was won, of those in Offer one
    of one: together 2 of 3, worth 20 tries. Talk: (20 · 2/3 + 1) / 22 = 0.651515…
    """
    found = pipeline(portfolio(DEALS, CHANGES), THREE)
    january, february, march = months(found).values()
    assert (january["open_count"], january["amount"]) == (3, 330.0)
    assert january["at_on"] == date(2026, 2, 1)
    assert january["weighted_amount"] is None  # nothing was closed by then
    assert january["default_weighted_amount"] == pytest.approx(0.2 * 330)
    assert (february["open_count"], february["amount"]) == (3, 300.0)
    assert february["default_weighted_amount"] == pytest.approx(0.2 * 100 + 0.6 * 200)
    assert february["unknown_amount_count"] == 1
    assert (march["live_count"], march["stale_count"]) == (2, 1)
    assert march["stale_amount"] is None  # of O4, which is not nothing
    assert march["amount"] == 100.0
    assert march["weighted_amount"] == round(100 * (20 * 2 / 3 + 1) / 22, 2)
    assert march["default_weighted_amount"] == 20.0
    assert (march["unweighted_count"], march["won_count"]) == (1, 1)
    assert [row["created_count"] for row in (january, february, march)] == [3, 1, 1]
    assert march["median_cycle_days"] == 64
    assert march["win_rate_share"] == 1.0
    assert months(found)["2026-02"]["win_rate_share"] == 0.0


def test_stages_stand_with_both_odds_side_by_side():
    (talk,) = pipeline(portfolio(DEALS, CHANGES), THREE)._stages.to_pylist()
    assert talk["stage"] == "Talk"
    assert (talk["won_before_count"], talk["closed_before_count"]) == (1, 2)
    assert talk["win_rate_share"] == pytest.approx((20 * 2 / 3 + 1) / 22)
    assert talk["default_probability_share"] == 0.2
    assert (talk["live_count"], talk["unknown_amount_count"]) == (2, 1)
    assert talk["weighted_amount"] == 65.15


def test_what_closes_on_a_day_is_still_open_at_that_day():
    for at, count in ((paris(3, 1, 0), 1), (paris(2, 28, 23), 0)):
        deal = opportunity(
            "O", paris(1, 2), status="won", stage="Won", closed_on=date(2026, 3, 1)
        )
        told = [
            change("O", paris(1, 2), "stage", None, "Talk"),
            change("O", at, "stage", "Talk", "Won"),
        ]
        row = months(pipeline(portfolio([deal], told), THREE))["2026-02"]
        assert row["open_count"] == count
    day = [opportunity("O", paris(1, 2), status="won", closed_on=date(2026, 3, 1))]
    bare = pipeline(portfolio(day, None), THREE)
    assert [row["open_count"] for row in months(bare).values()] == [1, 1, 0]


def test_one_that_was_reopened_was_closed_then():
    told = [
        change("O", paris(1, 2), "stage", None, "Talk"),
        change("O", paris(1, 20), "stage", "Talk", "Lost"),
        change("O", paris(3, 3), "stage", "Lost", "Offer"),
    ]
    deal = opportunity("O", paris(1, 2), stage="Offer")
    found = months(pipeline(portfolio([deal], told), THREE))
    assert [row["open_count"] for row in found.values()] == [0, 0, 1]
    assert found["2026-01"]["lost_count"] == 1


def test_a_closing_dated_back_was_not_known_before():
    told = [
        change("O", paris(1, 2), "stage", None, "Talk"),
        change("O", paris(3, 20), "stage", "Talk", "Won"),
    ]
    deal = opportunity(
        "O", paris(1, 2), status="won", stage="Won", closed_on=date(2026, 1, 15)
    )
    found = months(pipeline(portfolio([deal], told), THREE))
    assert [row["open_count"] for row in found.values()] == [1, 1, 0]
    assert [row["won_count"] for row in found.values()] == [0, 0, 1]


def test_between_two_changes_that_contradict_each_other_it_is_unknown():
    deal = opportunity("O", paris(1, 2), amount=300.0)
    told = [
        change("O", paris(1, 2), "amount", None, "100"),
        change("O", paris(2, 20), "amount", "200", "300"),
    ]
    found = months(pipeline(portfolio([deal], told), THREE))
    assert [row["amount"] for row in found.values()] == [None, 300.0, 300.0]
    assert found["2026-01"]["unknown_amount_count"] == 1


def test_what_was_deleted_of_the_history_is_unknown():
    deal = opportunity("O", paris(1, 2))
    told = [change("O", paris(3, 5), "amount", "80", "100")]
    usual = months(pipeline(portfolio([deal], told), THREE))
    assert [row["amount"] for row in usual.values()] == [80.0, 80.0, 100.0]
    own = PipelineSettings(months=3, history_from=date(2026, 2, 15))
    found = months(pipeline(portfolio([deal], told), own))
    assert [row["amount"] for row in found.values()] == [None, 80.0, 100.0]


def test_without_a_history_there_are_counts_and_it_is_said():
    found = pipeline(portfolio(DEALS, None), THREE)
    row = months(found)["2026-02"]
    assert (row["open_count"], row["created_count"], row["lost_count"]) == (3, 1, 1)
    assert row["amount_basis"] == found.params["measure"] == "current_value"
    assert row["weighted_amount"] is row["live_count"] is row["stale_count"] is None
    assert "pipeline_no_history" in [each.code for each in found.warnings]
    assert "what it was then is not known" in found.explain("2026-02")
    assert found.summary["now"]["stale_count"] == 1  # today is known
    assert found.summary["trend"]["amount"]["label"] == "too_short"


def test_silence_is_told_only_where_activities_reach_back_far_enough():
    deals = [opportunity(f"O{at}", paris(9, 1, year=2025)) for at in range(2)]
    own = PipelineSettings(months=3, stale_after_days=30)
    told = [change("O0", paris(9, 1, year=2025), "stage", None, "Talk")]

    def stale(first: datetime) -> list[Any]:
        acts = [
            {"opportunity_id": "O1", "occurred_at": first},
            {"opportunity_id": "O0", "occurred_at": paris(2, 20)},
            {"opportunity_id": "O1", "occurred_at": paris(2, 20), "status": "open"},
        ]
        found = pipeline(portfolio(deals, told, acts), own)
        return [row["stale_count"] for row in months(found).values()]

    assert stale(paris(9, 5, year=2025)) == [2, 1, 2]
    assert stale(paris(1, 15)) == [0, 1, 2]


def test_an_amount_in_another_currency_is_worth_what_it_was_then():
    rates = table(
        [
            {"currency": "USD", "base": "EUR", "from_on": day}
            for day in (date(2026, 1, 10), date(2026, 3, 1))
        ]
    ).append_column("rate", pa.array([0.8, 0.5]))
    deal = opportunity("O", paris(1, 2), currency="USD")
    told = [change("O", paris(2, 2), "original_amount", "40", "100")]
    found = months(pipeline(portfolio([deal], told, exchange_rate=rates), THREE))
    # On the eve of 1 March the rate of that day is not yet known.
    assert [row["amount"] for row in found.values()] == [32.0, 80.0, 50.0]


def test_work_due_covers_its_part_of_what_the_target_lacks():
    found = pipeline(portfolio(DEALS, CHANGES), THREE)
    spring = Period.between(date(2026, 4, 1), date(2026, 7, 1))
    due = found.due(spring)
    assert due["live_count"] == 2  # O4 is overdue, not due
    assert (due["weighted_amount"], due["unweighted_count"]) == (65.15, 1)
    assert due["default_weighted_amount"] == 20.0
    covered = found.coverage_of(1_000.0, achieved=869.7, period=spring)
    assert covered == pytest.approx(0.5)
    assert found.coverage_of(1_000.0, achieved=1_000.0, period=spring) is None
    may = found.due(Period.between(date(2026, 5, 1), date(2026, 6, 1)))
    assert may["weighted_amount"] is None  # only O5, whose amount nobody knows
    june = found.due(Period.between(date(2026, 6, 1), date(2026, 7, 1)))
    assert june["weighted_amount"] == 0.0


def test_too_few_that_closed_weigh_nothing():
    found = pipeline(portfolio(DEALS, CHANGES), PipelineSettings(months=3))
    assert set(found.arrow["weighted_amount"].to_pylist()) == {None}
    assert "pipeline_few_closed" in [each.code for each in found.warnings]


def growing(step: int) -> Portfolio:
    """Each month another opportunity, or one less of them."""
    deals, told = [], []
    for at in range(24):
        born = datetime(2024, 4, 10, tzinfo=UTC) + timedelta(days=30.4 * at)
        deals.append(
            opportunity(f"O{at:02}", born if step > 0 else paris(4, 5, year=2024))
        )
        told.append(change(f"O{at:02}", deals[-1]["created_at"], "stage", None, "Talk"))
        if step < 0:
            gone = datetime(2024, 4, 20, tzinfo=UTC) + timedelta(days=30.4 * at)
            deals[-1] |= {"status": "lost", "stage": "Lost", "closed_on": gone.date()}
            told.append(change(f"O{at:02}", gone, "stage", "Talk", "Lost"))
    return portfolio(deals, told)


@pytest.mark.parametrize(
    ("step", "label", "said"),
    [(1, "rising", "The work ahead is growing."), (-1, "falling", "is shrinking.")],
)
def test_the_question_is_answered(step, label, said):
    found = pipeline(growing(step), PipelineSettings(min_closed=100))
    trend = found.summary["trend"]
    assert (trend["label"], trend["of"]) == (label, "amount")
    assert trend["amount"]["slope"] == pytest.approx(step * 100, rel=0.05)
    assert said in found.answer()
    assert "affaires à traiter" in found.answer(lang="fr")


def test_few_months_give_no_trend():
    found = pipeline(portfolio(DEALS, CHANGES), THREE)
    assert found.summary["trend"]["label"] == "too_short"
    assert "too few for a trend" in found.answer()


def test_those_still_open_are_allowed_for_by_cohort():
    found = pipeline(portfolio(DEALS, CHANGES), THREE)
    (quarter,) = found._cohorts.to_pylist()
    assert quarter["cohort"] == "2026-Q1"
    counts = [quarter[f"{name}_count"] for name in ("created", "won", "lost", "open")]
    assert counts == [5, 1, 1, 3]
    # Lost after 1 month of 5 watched that long; won after 2, of 2 still watched: 4/5 · 1/2.
    assert quarter["won_share"] != pytest.approx(1 / 2)
    assert 0 < quarter["won_low_share"] < quarter["won_share"]


@pytest.mark.parametrize(
    ("values", "label"),
    [((1, 2, None, 3, 4), "too_short"), ((1, 2, None, 3, 4, 5), "rising")],
)
def test_a_trend_takes_five_months_that_are_known(values, label):
    assert trend_of(values, 0.1)["label"] == label


def test_owners_are_those_of_the_date():
    deal = opportunity("O", paris(1, 2), owner_id="u2")
    told = [change("O", paris(2, 10), "owner_id", "u1", "u2")]
    owners = pa.table({"owner_id": ["u1", "u2"]})
    found = pipeline(portfolio([deal], told, owner=owners), THREE)
    assert found._owners["owner_id"].to_pylist() == ["u1", "u2", "u2"]


def test_one_copied_from_elsewhere_after_it_was_closed_is_no_work_of_ours():
    deal = opportunity(
        "O", paris(3, 2), status="won", stage="Won", closed_on=date(2025, 5, 1)
    )
    told = [change("O", paris(3, 2), "stage", None, "Won")]
    found = pipeline(portfolio([deal], told), THREE)
    assert [row["won_count"] for row in months(found).values()] == [0, 0, 0]
    assert found.summary["entered_closed_count"] == 1


def test_one_of_unknown_entry_is_left_out_and_counted():
    deals = [opportunity("O", paris(1, 2)), opportunity("P", paris(1, 2))]
    deals[1]["created_at"] = None
    found = pipeline(portfolio(deals, CHANGES[:0] or None), THREE)
    assert months(found)["2026-03"]["open_count"] == 1
    assert found.summary["undated_count"] == 1


def test_a_portfolio_without_opportunities_is_refused():
    bare = Portfolio.from_frames(
        as_of=AS_OF, currency="EUR", account=pa.table({"account_id": ["A"]})
    )
    with pytest.raises(MissingTableError):
        pipeline(bare)


@pytest.mark.parametrize("name", ["months", "stale_after_days", "min_closed"])
def test_counts_of_nothing_are_refused(name):
    with pytest.raises(SettingsError, match=name):
        PipelineSettings(**{name: 0})
    with pytest.raises(SettingsError, match="alpha"):
        PipelineSettings(alpha=1.5)


def test_it_is_kept_compared_and_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    found = pipeline(portfolio(DEALS, CHANGES), THREE)
    json.dumps(found.to_dict())
    for lang in ("en", "fr"):
        assert found.plot(lang=lang).get_title(loc="left")
        assert found.plot_cohorts(lang=lang).get_title(loc="left")
        assert all(found.explain(month, lang=lang) for month in months(found))
    for name in ("p.html", "p.csv", "p.parquet"):
        found.save(tmp_path / name)
        assert (tmp_path / name).stat().st_size
    pytest.importorskip("openpyxl")
    found.save(tmp_path / "p.xlsx", lang="fr")
    before = pipeline(portfolio(DEALS, CHANGES[:1] + CHANGES[2:]), THREE)
    moved = found.compared_with(before)
    assert moved.column == "weighted_amount"
    assert analysis.pipeline(samples.firm()).params["measure"] == "current_value"


# --- What comes later alters nothing ------------------------------------------------

START = datetime(2025, 11, 1, tzinfo=UTC)
# The as-of day ends here; what changed later is in no history, but in the record.
END = datetime(2026, 4, 1, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


def lives(before: int, after: int, edge: datetime) -> tuple[Any, Any, Any]:
    """Lives drawn by one seed up to the edge and by another from there on."""
    deals, told, acts = [], [], []
    for half, seed in enumerate((before, after)):
        draw = random.Random(seed)
        span = (edge - START, END - edge)[half]
        since = (START, edge)[half]
        for at in range(20):
            born = since + span * draw.random()
            deals.append(opportunity(f"{half}{at}", born, amount=100.0, owner_id="u1"))
            deals[-1]["expected_close_on"] = (born + timedelta(days=40)).date()
            if draw.random() < 0.7:
                told.append(change(f"{half}{at}", born, "stage", None, "Talk"))
        for deal in deals:
            for _ in range(draw.randrange(4)):
                at = since + span * draw.random()
                if at > deal["created_at"]:
                    told += events(draw, deal, at)
                    acts.append(
                        {"opportunity_id": deal["opportunity_id"], "occurred_at": at}
                    )
    return deals, told, acts


def events(draw: random.Random, deal: dict[str, Any], at: datetime) -> Any:
    """One change, if it comes after all that changed that field before."""
    field = draw.choice(["stage", "stage", "amount", "expected_close_on", "owner_id"])
    if at <= deal.setdefault("_last", {}).get(field, deal["created_at"]):
        return
    deal["_last"][field] = at
    new: Any = {
        "stage": draw.choice(["Talk", "Offer", "Won", "Lost"]),
        "amount": float(draw.randrange(1, 50)),
        "expected_close_on": at.date() + timedelta(days=draw.randrange(60)),
        "owner_id": draw.choice(["u1", "u2"]),
    }[field]
    if new == deal[field]:
        return
    yield change(deal["opportunity_id"], at, field, str(deal[field]), str(new))
    deal[field] = new
    if field == "stage":
        deal["status"] = {"Won": "won", "Lost": "lost"}.get(new, "open")
        today = at.astimezone(ZoneInfo(ZONE)).date()
        deal["closed_on"] = today if deal["status"] != "open" else None


def book(before: int, after: int, edge: datetime) -> Portfolio:
    deals, told, acts = lives(before, after, edge)
    for deal in deals:
        deal.pop("_last", None)
    owners = pa.table({"owner_id": ["u1", "u2"]})
    return portfolio(deals, told, acts, owner=owners)


@settings(max_examples=12, deadline=None)
@given(
    before=st.integers(0, 10**6),
    after=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
    place=st.integers(1, 4),
)
def test_what_comes_after_the_end_of_a_month_alters_nothing_up_to_it(
    before, after, place
):
    own = PipelineSettings(months=5, min_closed=3, stale_after_days=20)
    year, month = divmod(2025 * 12 + 10 + place, 12)
    edge = datetime(year, month + 1, 1, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)
    one, other = (pipeline(book(before, seed, edge), own) for seed in after)
    known = place  # November is the first month of five
    assert one.arrow.slice(0, known).equals(other.arrow.slice(0, known))
    months_known = one.arrow["month"].to_pylist()[:known]
    for table_ in (one._owners, other._owners):
        assert set(months_known) & set(table_["month"].to_pylist())
    mine, theirs = (
        [row for row in each._owners.to_pylist() if row["month"] in months_known]
        for each in (one, other)
    )
    assert mine == theirs


@pytest.mark.parametrize("backend", ["polars", "duckdb"])
def test_no_long_table_leaves_its_engine(backend, monkeypatch):
    """Whatever comes through the doors is a group, and not a row for each of many."""
    book = samples.lost_book(opportunities=4_000)
    truths = book.truths
    its = Portfolio.from_frames(
        as_of=truths["as_of"],
        currency=truths["currency"],
        calendar=Calendar(truths["time_zone"]),
        backend=backend,
        **book.tables,
    )
    sizes = []
    for door in ("_through_narwhals", "_from_duckdb"):

        def counted(frame, real=getattr(_frames, door)):
            found = real(frame)
            sizes.append(found.num_rows)
            return found

        monkeypatch.setattr(_frames, door, counted)
    result = pipeline(its)
    assert result.frame.shape[0] == 24
    assert sizes
    assert max(sizes) < its.row_counts["opportunity"]


def test_pandas_walks_through_no_groups_one_by_one(monkeypatch):
    """It takes the least and the most of texts so, in hours where there are many."""
    book = samples.lost_book(opportunities=1_000)
    truths = book.truths
    its = Portfolio.from_frames(
        as_of=truths["as_of"],
        currency=truths["currency"],
        calendar=Calendar(truths["time_zone"]),
        backend="pandas",
        **book.tables,
    )
    walked = []
    for name in ("min", "max"):
        monkeypatch.setattr(
            pd.Series,
            name,
            lambda series, *args, real=getattr(pd.Series, name), **more: (
                walked.append(series.name) or real(series, *args, **more)
            ),
        )
    pipeline(its)
    assert len(walked) < 100
