"""Which class does each lost opportunity get, and which one value moves it elsewhere?"""

from __future__ import annotations

import gc
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from crm_portfolio import Calendar, Portfolio, _frames, samples
from crm_portfolio._frames import BACKENDS, NativeFrame, from_arrow, to_arrow
from crm_portfolio._wording import LANGS, sentence
from crm_portfolio.analysis import LostOpportunitiesSettings, lost_opportunities
from crm_portfolio.analysis._lost import CLASSES
from crm_portfolio.errors import MissingTableError, SettingsError
from crm_portfolio.portfolio import Period

AS_OF = date(2026, 6, 30)
MONDAY = datetime(2026, 1, 5, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TEXT, NUMBER, ON = pa.string(), pa.float64(), pa.date32()
AT = pa.timestamp("us", "UTC")
KINDS = {
    "opportunity_id": TEXT,
    "account_id": TEXT,
    "owner_id": TEXT,
    "pipeline": TEXT,
    "stage": TEXT,
    "status": TEXT,
    "amount": NUMBER,
    "created_at": AT,
    "closed_on": ON,
    "expected_close_on": ON,
    "kind": TEXT,
    "loss_reason": TEXT,
    "loss_reason_by": TEXT,
    "competitor": TEXT,
    "next_step": TEXT,
    "refused_on": ON,
    "first_response_at": AT,
}


class Book:
    """Four won opportunities, and lost ones that are added with what was done for them."""

    def __init__(self) -> None:
        self.opportunities: list[dict[str, Any]] = []
        self.activities: list[dict[str, Any]] = []
        self.changes: list[dict[str, Any]] = []
        self.enquiries: list[dict[str, Any]] = []
        self.accounts = {"A", "W"}
        for at, touches in enumerate((4, 6, 8, 10)):
            self.add(
                f"W{at}",
                ways="oi" * (touches // 2),
                status="won",
                stage="Won",
                amount=100.0 + at,
                account_id="W",
            )

    def add(
        self,
        name: str,
        ways: str = "",
        *,
        first: timedelta = HOUR,
        apart: timedelta = 3 * DAY,
        lies: int = 2,
        stage_was: str | None = "Talk",
        **more: Any,
    ) -> Book:
        """One opportunity: an ``o`` is an activity of ours, an ``i`` one of theirs."""
        moments = [MONDAY + first + at * apart for at in range(len(ways))]
        closed_on = (moments[-1] if moments else MONDAY).date() + lies * DAY
        row = dict.fromkeys(KINDS) | {
            "opportunity_id": name,
            "account_id": "A",
            "owner_id": "U",
            "pipeline": "p",
            "stage": "Lost",
            "status": "lost",
            "amount": 40.0,
            "created_at": MONDAY,
            "closed_on": closed_on,
        }
        self.opportunities.append(row | more)
        self.accounts.add((row | more)["account_id"])
        for at, (way, moment) in enumerate(zip(ways, moments, strict=True)):
            self.log(name, moment, {"o": "out", "i": "in"}[way], key=f"{name}-{at}")
        if stage_was is not None and row["status"] == (row | more)["status"]:
            self.changed(name, "stage", stage_was, "Lost", MONDAY + HOUR / 2)
        return self

    def log(self, name: str, moment: datetime, direction: str | None, **more) -> Book:
        key = more.pop("key", f"{name}-{len(self.activities)}")
        row = {"activity_id": key, "opportunity_id": name, "account_id": "A"}
        row |= {"occurred_at": moment, "direction": direction}
        self.activities.append(row | {"kind": "call", "status": "held"} | more)
        return self

    def changed(self, name: str, field: str, old, new, moment: datetime) -> Book:
        row = {"opportunity_id": name, "changed_at": moment, "field": field}
        self.changes.append(row | {"old": old, "new": new})
        return self

    def asked(self, name: str, **more: Any) -> Book:
        row = {"enquiry_id": name, "created_at": MONDAY, "account_id": None}
        row |= {"opportunity_id": None, "owner_id": "U", "first_response_at": None}
        self.enquiries.append(row | more)
        return self

    def portfolio(
        self, backend="pyarrow", *, without=(), kind=None, **more
    ) -> Portfolio:
        stages = ("Talk", "Offer", "Won", "Lost")
        tables = {
            "account": pa.table({"account_id": sorted(self.accounts)}),
            "opportunity": pa.Table.from_pylist(
                self.opportunities, schema=pa.schema(KINDS)
            ),
            "activity": _table(
                self.activities,
                {"occurred_at": AT},
                ("activity_id", "opportunity_id", "account_id"),
            ),
            "stage": pa.table(
                {
                    "pipeline": ["p"] * 4,
                    "stage": list(stages),
                    "position": [1, 2, 3, 4],
                    "status": ["open", "open", "won", "lost"],
                    "is_proposal": [False, True, True, None],
                }
            ),
            "opportunity_change": _table(self.changes, {"changed_at": AT}),
        }
        if self.enquiries:
            moments = {"created_at": AT, "first_response_at": AT}
            tables["enquiry"] = _table(self.enquiries, moments)
        kind = kind or (lambda table: from_arrow(table, backend))
        frames = {n: kind(t) for n, t in tables.items() if n not in without}
        more = {"currency": "EUR", "calendar": Calendar("UTC")} | more
        return Portfolio.from_frames(as_of=AS_OF, backend=backend, **more, **frames)

    def classes(self, settings=LostOpportunitiesSettings(), **more) -> dict[str, str]:
        found = lost_opportunities(self.portfolio(**more), settings).records_arrow()
        ids, names = found["record_id"].to_pylist(), found["class"].to_pylist()
        told = zip(ids, names, strict=True)
        return {key: name for key, name in told if not key.startswith("F")}


def _table(rows, kinds, texts=()) -> pa.Table:
    names = list(rows[0]) if rows else [*texts, *kinds]
    schema = pa.schema({name: kinds.get(name, TEXT) for name in names})
    return pa.Table.from_pylist(rows, schema=schema)


TEN: dict[str, dict[str, Any]] = {
    # Entered and closed on one day, with nothing done: written down when it was over.
    "data_insufficient": {"lies": 0},
    "disqualified": {"ways": "oi", "loss_reason": "Not a fit"},
    "lost_client": {"ways": "oi", "kind": "renewal"},
    "missed_unseen": {"ways": "ii"},
    # From Monday at nine until Thursday at nine are three days of eight hours.
    "missed_late": {"ways": "o", "first": 3 * DAY + timedelta(seconds=1)},
    "missed_neglected": {"ways": "oi", "lies": 30},
    "missed_underinvested": {"ways": "oio", "amount": 101.0},
    "pursued_lost": {"ways": "oio", "stage_was": "Offer", "loss_reason": "price"},
    "no_decision": {"ways": "oioioio"},
    "unclassified": {"ways": "oio"},
}


def ten(**changed: dict[str, Any]) -> Book:
    book = Book()
    for name, row in TEN.items():
        book.add(name, **(row | changed.get(name, {})))
    # Seven that are lost clients whatever happens: the median amount is theirs.
    for at in range(7):
        book.add(f"F{at}", "oi", kind="renewal", amount=50.0)
    return book


def test_ten_rows_are_one_of_each_class():
    assert ten().classes() == {name: name for name in TEN}
    assert tuple(TEN) == CLASSES


@pytest.mark.parametrize(
    ("name", "change", "becomes"),
    [
        ("data_insufficient", {"lies": 1}, "missed_unseen"),
        ("data_insufficient", {"ways": "i"}, "missed_unseen"),
        ("disqualified", {"loss_reason": "price"}, "unclassified"),
        ("disqualified", {"loss_reason_by": "client"}, "unclassified"),
        ("disqualified", {"ways": "oo"}, "unclassified"),
        ("disqualified", {"stage_was": "Offer"}, "unclassified"),
        ("lost_client", {"kind": "new"}, "unclassified"),
        ("missed_unseen", {"ways": "oi"}, "unclassified"),
        ("missed_unseen", {"first_response_at": MONDAY}, "unclassified"),
        ("missed_late", {"first": 3 * DAY}, "unclassified"),
        ("missed_late", {"first": 2 * DAY + 8 * HOUR}, "unclassified"),
        ("missed_late", {"ways": "oi"}, "unclassified"),
        ("missed_late", {"first_response_at": MONDAY + HOUR}, "unclassified"),
        ("missed_neglected", {"lies": 29}, "unclassified"),
        ("missed_neglected", {"ways": "oo"}, "unclassified"),
        ("missed_neglected", {"next_step": "call in May"}, "unclassified"),
        ("missed_underinvested", {"amount": 50.01}, "missed_underinvested"),
        ("missed_underinvested", {"amount": 49.99}, "unclassified"),
        ("missed_underinvested", {"ways": "oioioi"}, "unclassified"),
        ("missed_underinvested", {"stage_was": "Offer"}, "no_decision"),
        ("pursued_lost", {"loss_reason": None}, "no_decision"),
        ("pursued_lost", {"loss_reason": None, "competitor": "X"}, "pursued_lost"),
        (
            "pursued_lost",
            {"loss_reason": None, "refused_on": date(2026, 1, 9)},
            "pursued_lost",
        ),
        ("pursued_lost", {"loss_reason": "Budget_Frozen"}, "no_decision"),
        ("pursued_lost", {"stage_was": "Talk"}, "unclassified"),
        ("no_decision", {"ways": "oioioi"}, "unclassified"),
        ("no_decision", {"competitor": "X"}, "pursued_lost"),
        ("unclassified", {"ways": "oioioio"}, "no_decision"),
    ],
)
def test_one_value_moved_across_its_threshold_moves_the_class(name, change, becomes):
    assert ten(**{name: change}).classes()[name] == becomes


@pytest.mark.parametrize("backend", ["pandas", "duckdb"])
def test_where_no_next_steps_are_noted_none_is_said_to_lack(backend):
    """A book without the column knows nothing of it: that is no empty field."""

    def bare(frame: pa.Table) -> NativeFrame:
        kept = [each for each in frame.column_names if each != "next_step"]
        return from_arrow(frame.select(kept), backend)

    found = lost_opportunities(ten().portfolio(backend, kind=bare))
    rows = found.records_arrow().to_pylist()
    told = {row["record_id"]: row for row in rows if row["record"] == "opportunity"}
    assert {row["has_next_step"] for row in told.values()} == {None}
    assert told["missed_neglected"]["class"] == "unclassified"
    assert "next_steps_unknown" in [each.code for each in found.warnings]


def test_a_next_step_that_is_overdue_is_none():
    step = {"next_step": "call in January", "expected_close_on": date(2026, 2, 6)}
    neglected = ten(missed_neglected=step)
    assert neglected.classes()["missed_neglected"] == "missed_neglected"
    (closed_on,) = (
        each["closed_on"]
        for each in neglected.opportunities
        if each["opportunity_id"] == "missed_neglected"
    )
    on_the_day = ten(missed_neglected=step | {"expected_close_on": closed_on})
    assert on_the_day.classes()["missed_neglected"] == "unclassified"


def test_the_gaps_of_what_is_won_may_ask_for_more_patience():
    """Twice the median of 20 days between two activities are 40 days."""
    book = Book()
    book.activities.clear()
    for at in range(4):
        book.log(f"W{at}", MONDAY - 60 * DAY, "out")
        book.log(f"W{at}", MONDAY - (40 - at // 2) * DAY, "in")
    assert 2 * (20 + 20 + 21 + 21) / 4 == 41
    book.add("short", "oi", lies=40).add("long", "oi", lies=41)
    found = book.classes()
    assert found["long"] == "missed_neglected"
    assert found["short"] != "missed_neglected"


def test_working_hours_leave_out_nights_week_ends_and_holidays():
    friday = MONDAY + 4 * DAY
    late = {"created_at": friday + 7 * HOUR, "closed_on": date(2026, 2, 1)}
    book = Book()
    # An hour on Friday, eight on Monday, Tuesday and fifteen more by Wednesday at four.
    book.add("in time", "o", first=9 * DAY + 7 * HOUR, **late)
    book.add("late", "o", first=9 * DAY + 7 * HOUR + timedelta(seconds=1), **late)
    assert book.classes()["in time"] == "unclassified"
    assert book.classes()["late"] == "missed_late"
    holiday = LostOpportunitiesSettings(holidays=(date(2026, 1, 13),))
    assert book.classes(holiday)["late"] == "unclassified"
    every_day = LostOpportunitiesSettings(working_weekdays=tuple(range(1, 8)))
    assert book.classes(every_day)["in time"] == "missed_late"
    long_days = LostOpportunitiesSettings(working_hours=(0, 24))
    assert book.classes(long_days)["in time"] == "missed_late"


def test_days_are_those_of_the_zone_in_which_we_work():
    """A call late in the evening of Paris is of the next day in Auckland."""
    book = Book().add("quiet", "oi", lies=30)
    late = book.activities[-1]["occurred_at"].replace(hour=21)
    book.activities[-1]["occurred_at"] = late
    assert book.classes()["quiet"] == "missed_neglected"
    there = book.classes(calendar=Calendar("Pacific/Auckland"))
    assert there["quiet"] == "unclassified"


class TestWhatIsNotJudged:
    def test_without_activities_nobody_is_judged_and_it_says_why(self):
        result = lost_opportunities(ten().portfolio(without=("activity",)))
        assert set(ten().classes(without=("activity",)).values()) == {
            "data_insufficient"
        }
        told = {each.code: sentence(each) for each in result.warnings}
        assert "Pull activities" in told["lost_no_activities"]
        assert "table of activities" in result.explain("F0")
        (rule,) = result.summary["rules"]
        assert rule["rule"] == "no_activities"
        counted = result.summary["opportunities"]
        assert counted["count"] == 17
        unknown = ("missed", "addressable", "unclassified")
        assert {counted[f"{each}_count"] for each in unknown} == {None}
        assert counted["missed_amount"] is counted["unclassified_share"] is None
        [row] = [row for row in to_arrow(result.frame).to_pylist() if row["count"]]
        assert row["addressable_count"] is row["addressable_amount"] is None

    def test_where_nothing_was_won_nothing_tells_what_is_kept(self):
        book = ten()
        for row in book.opportunities:
            if row["status"] == "won":
                row["closed_on"] = date(2020, 1, 1)
        found = lost_opportunities(book.portfolio())
        assert {row["rule"] for row in found.summary["rules"]} == {"nothing_won"}
        assert "lost_nothing_won" in [each.code for each in found.warnings]

    @pytest.mark.parametrize(("logged", "judged"), [(1, False), (2, True)])
    def test_half_of_what_is_won_must_have_an_activity(self, logged, judged):
        book = ten()
        mute = {f"W{at}" for at in range(logged, 4)}
        book.activities = [
            each for each in book.activities if each["opportunity_id"] not in mute
        ]
        found = lost_opportunities(book.portfolio())
        rules = {row["rule"] for row in found.summary["rules"]}
        assert ("capture_low" not in rules) is judged
        assert found.summary["capture"]["captured_share"] == logged / 4

    def test_an_owner_who_logs_nothing_is_not_blamed_for_it(self):
        book = ten().add("mute", owner_id="M", lies=9)
        for at in range(5):
            won = {"status": "won", "stage": "Won", "account_id": "W"}
            book.add(f"M{at}", owner_id="M", **won).add(f"U{at}", "oioioi", **won)
        assert book.classes()["mute"] == "data_insufficient"
        assert book.classes()["missed_unseen"] == "missed_unseen"
        few = LostOpportunitiesSettings(min_won_count=6)
        assert book.classes(few)["mute"] == "missed_unseen"

    def test_meetings_are_of_both_sides_and_automatic_replies_of_none(self):
        book = Book().add("met", lies=50).add("robot", lies=50)
        book.log("met", MONDAY + HOUR, None, kind="meeting")
        book.log("robot", MONDAY + HOUR, "out", kind="automatic reply")
        book.log("robot", MONDAY + HOUR, "out", status="cancelled")
        assert book.classes() == {"met": "missed_neglected", "robot": "missed_unseen"}

    def test_what_nobody_says_the_way_of_is_ours(self):
        book = Book().add("noted", lies=50).log("noted", MONDAY + HOUR, None)
        assert book.classes() == {"noted": "unclassified"}


class TestAmounts:
    def test_a_missing_amount_is_the_median_of_its_stage_and_says_so(self):
        book = ten().add("unpriced", "oi", amount=None)
        result = lost_opportunities(book.portfolio())
        (row,) = result.records_arrow(ids=["unpriced"]).to_pylist()
        assert (row["minor"], row["is_imputed"]) == (4_000, True)
        assert "median of its stage" in result.explain("unpriced")
        told = {each["class"]: each for each in to_arrow(result.frame).to_pylist()}
        assert told["unclassified"]["imputed_count"] == 1
        assert told["unclassified"]["imputed_amount"] == 40.0
        assert "lost_amounts_imputed" in [each.code for each in result.warnings]
        assert result.coverage == pytest.approx(17 / 18)

    @pytest.mark.parametrize("one", [0.0, 7.0])
    def test_amounts_that_a_crm_empties_at_a_loss_are_told_to_be_unknown(self, one):
        book = ten()
        lost = [row for row in book.opportunities if row["status"] == "lost"]
        for row in lost:
            row["amount"] = 0.0
        lost[0]["amount"] = one
        codes = [each.code for each in lost_opportunities(book.portfolio()).warnings]
        assert ("lost_amounts_zero" in codes) == (one == 0.0)

    def test_where_no_amount_is_known_none_is_made_up(self):
        book = ten()
        for row in book.opportunities:
            row["amount"] = None
        result = lost_opportunities(book.portfolio())
        told = to_arrow(result.frame).to_pylist()
        assert {row["amount"] for row in told if row["count"]} == {None}
        assert result.records_arrow()["minor"].null_count == len(TEN) + 7
        assert result.summary["opportunities"]["amount"] is None


class TestOwnersAndEpisodes:
    def test_who_took_over_in_the_silence_is_not_asked_why(self):
        book = Book().add("left", "oi", lies=40, owner_id="NEW")
        book.changed("left", "owner_id", "OLD", "NEW", MONDAY + 20 * DAY)
        book.add("worked", "oi", lies=40, owner_id="NEW")
        book.changed("worked", "owner_id", "OLD", "NEW", MONDAY + 2 * DAY)
        found = lost_opportunities(book.portfolio()).records_arrow().to_pylist()
        assert {row["record_id"]: row["owner_id"] for row in found} == {
            "left": "OLD",
            "worked": "NEW",
        }

    def test_a_reopened_opportunity_is_judged_once_for_each_loss(self):
        book = Book().add("twice", "oi", lies=0, stage_was=None)
        book.opportunities[-1]["closed_on"] = date(2026, 5, 29)
        again = datetime(2026, 4, 1, 9, tzinfo=UTC)
        for moment, old, new in (
            (MONDAY + 60 * DAY, "Talk", "Lost"),
            (again, "Lost", "Talk"),
            (datetime(2026, 5, 29, 9, tzinfo=UTC), "Talk", "Lost"),
        ):
            book.changed("twice", "stage", old, new, moment)
        for at in range(8):
            book.log("twice", again + at * 7 * DAY, "in" if at % 2 else "out")
        result = lost_opportunities(book.portfolio())
        rows = result.records_arrow().to_pylist()
        assert [
            (r["record_id"], r["record"], r["class"], r["touches"]) for r in rows
        ] == [
            ("twice", "opportunity", "no_decision", 8),
            ("twice#1", "episode", "unclassified", 2),
        ]
        assert [row["minor"] for row in rows] == [4_000, None]
        assert rows[1]["closed_on"] == (MONDAY + 60 * DAY).date()
        assert result.summary["episodes"]["count"] == 1
        assert "planned next before this earlier loss" in result.explain("twice#1")

    def test_what_was_won_back_was_lost_before(self):
        book = Book().add("back", "oi", status="won", stage="Won")
        book.changed("back", "stage", "Talk", "Lost", MONDAY + 40 * DAY)
        book.changed("back", "stage", "Lost", "Won", MONDAY + 50 * DAY)
        book.opportunities[-1]["closed_on"] = (MONDAY + 50 * DAY).date()
        assert book.classes() == {"back#1": "unclassified"}


def test_a_probable_duplicate_is_set_apart_and_said():
    """Of the same account, entered within days, for about as much; the other one won."""
    book = Book().add("same", amount=104.9, account_id="W", lies=90)
    book.add("dearer", amount=120.0, account_id="W", lies=90)
    book.add(
        "later", amount=103.0, account_id="W", created_at=MONDAY + 8 * DAY, lies=90
    )
    book.add("elsewhere", amount=104.9, lies=90)
    result = lost_opportunities(book.portfolio())
    assert result.summary["duplicates"] == {"count": 1, "amount": 104.9}
    assert result.summary["opportunities"]["count"] == 3
    (row,) = result.records_arrow("probable_duplicate").to_pylist()
    assert row["record_id"] == "same"
    assert "lost_duplicates_apart" in [each.code for each in result.warnings]
    assert result.explain("same").startswith("Set apart")


def test_two_of_no_amount_are_not_the_same():
    book = Book().add("free", amount=0.0, account_id="W", lies=90)
    book.opportunities[0]["amount"] = 0.0
    result = lost_opportunities(book.portfolio())
    assert result.summary["duplicates"]["count"] == 0
    book.opportunities[0]["amount"] = book.opportunities[-1]["amount"] = 0.01
    result = lost_opportunities(book.portfolio())
    assert result.summary["duplicates"]["count"] == 1


@pytest.mark.parametrize(("days", "is_same"), [(7, True), (8, False)])
def test_entered_exactly_so_many_days_apart_is_the_same(days, is_same):
    created = MONDAY + days * DAY
    book = Book().add("again", amount=100.0, account_id="W", created_at=created)
    found = lost_opportunities(book.portfolio()).summary["duplicates"]["count"]
    assert found == int(is_same)


def test_days_between_two_entries_are_those_of_our_clocks():
    """In UTC a week lies between them, by the clocks of Auckland eight midnights."""
    created = datetime(2026, 1, 12, 12, tzinfo=UTC)
    book = Book().add("again", amount=100.0, account_id="W", created_at=created)
    for zone, count in (("UTC", 1), ("Pacific/Auckland", 0)):
        its = book.portfolio(calendar=Calendar(zone))
        assert lost_opportunities(its).summary["duplicates"]["count"] == count


@pytest.mark.parametrize(
    ("ways", "answered_at", "hours"),
    [
        ("o", MONDAY + 20 * DAY, 1),
        ("o", MONDAY + HOUR / 2, 0.5),
        ("i", MONDAY + 2 * DAY, 16),
        ("i", MONDAY + 60 * DAY, None),
        ("o", MONDAY + 60 * DAY, 1),
    ],
)
def test_the_first_answer_is_the_earlier_of_what_is_told_and_what_is_logged(
    ways, answered_at, hours
):
    """What is told counts only while the opportunity ran."""
    book = Book().add("told", ways, lies=30, first_response_at=answered_at)
    rows = lost_opportunities(book.portfolio()).records_arrow(ids=["told"]).to_pylist()
    assert [row["response_hours"] for row in rows] == [hours]
    assert (rows[0]["class"] == "missed_unseen") is (hours is None)


def test_what_was_answered_before_it_was_lost_first_answers_no_later_pursuit():
    book = Book().add("back", "o", stage_was=None, first_response_at=MONDAY + HOUR)
    book.opportunities[-1]["closed_on"] = (MONDAY + 90 * DAY).date()
    for days, old, new in ((40, "Talk", "Lost"), (50, "Lost", "Talk")):
        book.changed("back", "stage", old, new, MONDAY + days * DAY)
    book.changed("back", "stage", "Talk", "Lost", MONDAY + 90 * DAY)
    rows = lost_opportunities(book.portfolio()).records_arrow().to_pylist()
    rules = {row["record_id"]: row["rule"] for row in rows}
    assert rules["back"] == "never_answered"
    assert rules["back#1"] != "never_answered"


@pytest.mark.parametrize(
    ("back", "becomes"),
    [(None, "missed_late"), (timedelta(seconds=1), "missed_neglected")],
)
def test_a_late_meeting_is_the_late_answer_and_no_word_that_came_back(back, becomes):
    """Both sides are present at it; only what comes later is a word after it."""
    met = MONDAY + 20 * DAY
    book = Book().add("met", lies=60).log("met", met, None, kind="meeting")
    if back is not None:
        book.log("met", met + back, "in")
    assert book.classes() == {"met": becomes}


@pytest.mark.parametrize("step", ["call back", None])
def test_an_earlier_loss_of_which_no_step_is_known_is_nobodys_neglect(step):
    """Today's step neither excuses it nor, where it lacks, blames anybody for it."""
    planned = {"next_step": step, "stage_was": None}
    book = Book().add("twice", "oi", **planned)
    book.opportunities[-1]["closed_on"] = (MONDAY + 150 * DAY).date()
    for days, old, new in (
        (60, "Talk", "Lost"),
        (100, "Lost", "Talk"),
        (150, "Talk", "Lost"),
    ):
        book.changed("twice", "stage", old, new, MONDAY + days * DAY)
    for days, way in ((101, "out"), (102, "in")):
        book.log("twice", MONDAY + days * DAY, way)
    rows = lost_opportunities(book.portfolio()).records_arrow().to_pylist()
    told = {row["record_id"]: (row["has_next_step"], row["rule"]) for row in rows}
    assert told["twice#1"] == (None, "untaken")
    assert told["twice"][0] is (step is not None)
    assert (told["twice"][1] == "left_lying") is (step is None)


def test_an_amount_exactly_at_the_threshold_is_of_value():
    """The median of all that closed is 50, the amount of seven of them."""
    for amount, becomes in ((50.0, "missed_underinvested"), (49.99, "unclassified")):
        book = ten(missed_underinvested={"amount": amount})
        result = lost_opportunities(book.portfolio())
        assert result.summary["thresholds"]["amount"] == 50.0
        assert book.classes()["missed_underinvested"] == becomes


def test_won_ones_are_the_measure_of_the_stage_they_left():
    """Half of the won ones had two activities when they left the first stage."""
    book = Book()
    for at in range(5):
        name = f"S{at}"
        book.add(name, "oioioioioi", status="won", stage="Won", account_id="W")
        book.changed(name, "stage", "Talk", "Offer", MONDAY + HOUR / 2 + 6 * DAY)
    book.add("early", "oi").add("earlier", "o")
    found = book.classes()
    assert found["early"] == "no_decision"
    assert found["earlier"] != "no_decision"


def test_too_little_is_what_few_won_ones_had_by_the_same_stage():
    """A quarter of the won ones had under four activities when they left the first one."""
    book = Book()
    for at in range(5):
        name = f"S{at}"
        book.add(name, "oioioioioi", status="won", stage="Won", account_id="W")
        book.changed(name, "stage", "Talk", "Offer", MONDAY + HOUR / 2 + 10 * DAY)
    mine = {"amount": 10_000.0, "lies": 5, "competitor": "Rival"}
    book.add("three", "oio", **mine).add("four", "oioi", **mine)
    result = lost_opportunities(book.portfolio())
    assert result.summary["thresholds"]["few_touches"] > 4
    rows = result.records_arrow(ids=["three", "four"]).to_pylist()
    assert {row["few_touches"] for row in rows} == {4.0}
    assert "fewer than 4 by the stage" in result.explain("three")
    assert {row["record_id"]: row["rule"] for row in rows} == {
        "three": "hardly_tried",
        "four": "untaken",
    }
    overall = lost_opportunities(book.portfolio(without=("opportunity_change",)))
    rows = overall.records_arrow(ids=["three", "four"]).to_pylist()
    assert {row["rule"] for row in rows} == {"hardly_tried"}


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"loss_reason": "Duplicate"}, "entered_twice"),
        ({"loss_reason": "duplicate", "loss_reason_by": "client"}, "never_answered"),
        ({"loss_reason": "too dear"}, "never_answered"),
    ],
)
def test_what_we_closed_as_entered_twice_was_not_missed(said, rule):
    result = lost_opportunities(Book().add("again", lies=20, **said).portfolio())
    (row,) = result.records_arrow(ids=["again"]).to_pylist()
    assert row["rule"] == rule
    assert (row["class"] == "disqualified") is (rule == "entered_twice")
    settings = LostOpportunitiesSettings(duplicate_reasons=())
    told = lost_opportunities(
        Book().add("again", lies=20, **said).portfolio(), settings
    )
    assert told.records_arrow(ids=["again"])["rule"].to_pylist() == ["never_answered"]


def test_what_duckdb_keeps_for_a_result_goes_with_it():
    duckdb = pytest.importorskip("duckdb")

    def tables():
        gc.collect()
        rows = duckdb.sql("SELECT table_name FROM duckdb_tables()").fetchall()
        return {name for (name,) in rows if name.startswith("crm_portfolio_kept")}

    before = tables()
    result = lost_opportunities(ten().portfolio("duckdb"))
    assert tables() > before
    del result
    assert tables() == before


class TestEnquiries:
    def book(self) -> Book:
        book = ten().asked("came", opportunity_id="pursued_lost")
        book.enquiries[-1]["first_response_at"] = MONDAY + HOUR
        book.asked("unseen").asked("late", first_response_at=MONDAY + 4 * DAY)
        book.asked("in time", first_response_at=MONDAY + 3 * DAY - 16 * HOUR)
        book.asked("waiting", created_at=datetime(2026, 6, 30, 12, tzinfo=UTC))
        return book.asked("left", account_id="E", first_response_at=MONDAY + HOUR)

    def test_those_that_became_nothing_are_judged_by_the_missed_rules(self):
        book = self.book()
        book.accounts.add("E")
        for moment, way in ((MONDAY + HOUR, "out"), (MONDAY + DAY, "in")):
            book.log("left", moment, way, opportunity_id=None, account_id="E")
        result = lost_opportunities(book.portfolio())
        rows = result.records_arrow().to_pylist()
        found = {r["record_id"]: r["class"] for r in rows if r["record"] == "enquiry"}
        assert found == {
            "unseen": "missed_unseen",
            "late": "missed_late",
            "left": "missed_neglected",
        }
        assert result.summary["enquiries"] == {
            "count": 5,
            "missed_count": 3,
            "answered_count": 1,
            "waiting_count": 1,
            "not_judged_count": 0,
            "answers_kept_share": 1.0,
        }
        assert "never answered" in result.explain("unseen")
        told = {each["class"]: each for each in to_arrow(result.frame).to_pylist()}
        assert told["missed_unseen"]["enquiry_count"] == 1
        assert told["missed_unseen"]["opportunity_count"] == 1

    @pytest.mark.parametrize(
        ("status", "others", "becomes"),
        [
            ("Unqualified", (), None),
            ("CLOSED - Not Converted", (), None),
            ("Working", (), "missed_neglected"),
            (None, (), "missed_neglected"),
            ("Unqualified", ("parked",), "missed_neglected"),
            ("Parked", ("parked",), None),
        ],
    )
    def test_one_that_nobody_is_to_follow_up_is_not_left_lying(
        self, status, others, becomes
    ):
        book = self.book()
        book.accounts.add("E")
        for row in book.enquiries:
            row["status"] = status if row["enquiry_id"] in ("left", "unseen") else None
        for moment, way in ((MONDAY + HOUR, "out"), (MONDAY + DAY, "in")):
            book.log("left", moment, way, opportunity_id=None, account_id="E")
        settings = LostOpportunitiesSettings()
        if others:
            settings = LostOpportunitiesSettings(closed_enquiry_statuses=others)
        result = lost_opportunities(book.portfolio(), settings)
        rows = result.records_arrow().to_pylist()
        found = {row["record_id"]: row["class"] for row in rows}
        assert found.get("left") == becomes
        assert found["unseen"] == "missed_unseen"

    def test_where_answers_are_not_kept_nobody_is_blamed(self):
        book = self.book()
        book.enquiries[0]["first_response_at"] = None
        result = lost_opportunities(book.portfolio())
        rows = result.records_arrow().to_pylist()
        found = {r["class"] for r in rows if r["record"] == "enquiry"}
        assert found == {"data_insufficient"}
        assert "lost_answers_not_kept" in [each.code for each in result.warnings]


class TestPeople:
    def test_both_labels_are_kept_and_held_against_each_other(self):
        given = [
            ("unclassified", "no_decision", date(2026, 3, 1)),
            ("unclassified", "pursued_lost", date(2026, 4, 1)),
            ("no_decision", "no_decision", date(2026, 3, 1)),
            ("nobody", "no_decision", date(2026, 3, 1)),
        ]
        names = ("opportunity_id", "class", "decided_on")
        overrides = pa.table(dict(zip(names, map(list, zip(*given)), strict=True)))
        result = lost_opportunities(ten().portfolio(), overrides=overrides)
        people = result.summary["people"]
        assert people["confusion"] == [
            {"by_rule": "no_decision", "by_person": "no_decision", "count": 1},
            {"by_rule": "unclassified", "by_person": "pursued_lost", "count": 1},
        ]
        assert (people["agreed_count"], people["elsewhere_count"]) == (1, 1)
        (row,) = result.records_arrow(ids=["unclassified"]).to_pylist()
        assert (row["class"], row["class_by_person"]) == (
            "unclassified",
            "pursued_lost",
        )
        assert "lost_overrides_elsewhere" in [each.code for each in result.warnings]

    def test_a_class_that_nobody_knows_is_refused(self):
        overrides = pa.table({"opportunity_id": ["x"], "class": ["missed_unsen"]})
        with pytest.raises(SettingsError, match="missed_unseen"):
            lost_opportunities(ten().portfolio(), overrides=overrides)
        with pytest.raises(SettingsError, match="column class"):
            lost_opportunities(
                ten().portfolio(), overrides=overrides.select(["opportunity_id"])
            )


def everything(portfolio) -> str:
    result = lost_opportunities(portfolio)
    rows = result.records_arrow()
    said = [result.explain(name) for name in ("no_decision", "unseen")]
    return json.dumps([result.to_dict(), rows.to_pylist(), said], default=str)


def full() -> Book:
    book = TestEnquiries().book()
    book.accounts.add("E")
    book.add("same", amount=104.9, account_id="W", lies=90)
    book.add("back", "oi", status="won", stage="Won")
    book.changed("back", "stage", "Talk", "Lost", MONDAY + 40 * DAY)
    book.changed("back", "stage", "Lost", "Won", MONDAY + 50 * DAY)
    book.opportunities[-1]["closed_on"] = (MONDAY + 50 * DAY).date()
    book.changed("missed_neglected", "owner_id", "OLD", "U", MONDAY + 20 * DAY)
    return book.add("unpriced", "oi", amount=None)


@pytest.mark.parametrize("backend", [each for each in BACKENDS if each != "pyarrow"])
def test_every_engine_gives_the_same_bytes(backend):
    assert everything(full().portfolio(backend)) == everything(full().portfolio())


def test_a_lazy_frame_gives_the_same_bytes():
    lazy = full().portfolio("polars", kind=lambda table: pl.from_arrow(table).lazy())
    assert everything(lazy) == everything(full().portfolio())


@pytest.mark.parametrize("backend", ["polars", "duckdb"])
def test_no_long_table_leaves_its_engine(backend, monkeypatch):
    """Whatever comes through the doors is a count, and not a row for each of many."""
    book = samples.lost_book(opportunities=8_000)
    truths = book.truths
    portfolio = Portfolio.from_frames(
        as_of=truths["as_of"],
        currency="EUR",
        calendar=Calendar(truths["time_zone"]),
        backend=backend,
        **book.tables,
    )
    sizes = []
    for door in ("_through_narwhals", "_from_duckdb"):

        def counted(frame, real=getattr(_frames, door)):
            table = real(frame)
            sizes.append(table.num_rows)
            return table

        monkeypatch.setattr(_frames, door, counted)
    result = lost_opportunities(
        portfolio, LostOpportunitiesSettings(period=Period.all())
    )
    lost = result.summary["opportunities"]["count"]
    assert lost > 3_500
    assert sizes
    assert max(sizes) < lost / 2
    one = result.records_arrow("missed_late")["record_id"][0].as_py()
    sizes.clear()
    result.explain(one)
    assert max(sizes) <= 1_000


def test_classes_and_amounts_move_when_the_rules_do():
    portfolio = ten().portfolio()
    before = lost_opportunities(portfolio)
    patient = lost_opportunities(portfolio, LostOpportunitiesSettings(silence_days=31))
    moved = patient.compared_with(before)
    rows = {row["class"]: row for row in to_arrow(moved.frame).to_pylist()}
    assert (rows["missed_neglected"]["before"], rows["missed_neglected"]["after"]) == (
        1,
        0,
    )
    assert (rows["unclassified"]["before"], rows["unclassified"]["after"]) == (1, 2)
    assert rows["unclassified"]["amount_before"] == 40.0
    assert rows["unclassified"]["amount"] == 80.0
    assert moved.changed["settings.silence_days"] == (30, 31)


def test_all_that_is_told_is_told_in_every_language(tmp_path):
    result = lost_opportunities(full().portfolio())
    ids = [*result.records_arrow()["record_id"].to_pylist(), *CLASSES]
    for lang in LANGS:
        for each in ids:
            said = result.explain(each, lang=lang)
            assert "None" not in said
        for warning in result.warnings:
            assert sentence(warning, lang)
        result.save(tmp_path / f"lost-{lang}.html", lang=lang)
        result.save(tmp_path / f"lost-{lang}.xlsx", lang=lang)


def test_the_parameters_say_every_threshold():
    result = lost_opportunities(ten().portfolio())
    assert result.params["settings"]["silence_days"] == 30
    assert result.summary["thresholds"] == {
        "response_hours": 24.0,
        "silent_days": 30,
        "few_touches": 5.5,
        "enough_touches": 7.0,
        "amount": 50.0,
    }


def test_without_opportunities_there_is_nothing_to_sort():
    portfolio = ten().portfolio(
        without=("opportunity", "activity", "opportunity_change")
    )
    with pytest.raises(MissingTableError):
        lost_opportunities(portfolio)


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_capture_share": 1.5},
        {"silence_days": 0},
        {"working_hours": (17.0, 9.0)},
        {"working_weekdays": (0, 1)},
        {"response_hours": -1.0},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(SettingsError):
        LostOpportunitiesSettings(**wrong)
