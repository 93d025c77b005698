"""Sheet 5.1 to 5.3: gross to net, the bridge, price and mix, and what stands beside."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_portfolio import samples
from crm_portfolio._analyse import analyse
from crm_portfolio._frames import BACKENDS, from_arrow, to_arrow
from crm_portfolio._wording import LANGS, sentence
from crm_portfolio.analysis import ReviewSettings, review
from crm_portfolio.errors import MissingTableError, SettingsError
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.settings import Settings

AS_OF = date(2026, 6, 30)
NOW, LAST, OLD = date(2026, 3, 10), date(2025, 3, 10), date(2023, 3, 10)
BETWEEN = date(2025, 10, 10)
TEXT, NUMBER, DAY = pa.string(), pa.float64(), pa.date32()
KINDS = {"booked_on": DAY, "from_on": DAY} | dict.fromkeys(
    ("amount", "original_amount", "quantity", "list_price", "cost", "rate"), NUMBER
)


def table(rows: list[dict]) -> pa.Table:
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table(
        {
            name: pa.array([row.get(name) for row in rows], KINDS.get(name, TEXT))
            for name in names
        }
    )


def line(account: str, on: date, amount: float | None, **more) -> dict:
    return {"account_id": account, "booked_on": on, "amount": amount, **more}


def book(lines: list[dict], *, accounts=None, backend="pyarrow", **tables) -> Portfolio:
    """A portfolio of these lines, numbered unless they say their id."""
    rows = [{"line_id": f"L{at:03}", **each} for at, each in enumerate(lines)]
    if accounts is None:
        accounts = [
            {"account_id": each} for each in sorted({r["account_id"] for r in rows})
        ]
    frames = {"account": table(accounts), "revenue_line": table(rows)}
    frames |= {name: table(each) for name, each in tables.items()}
    return Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        **{name: from_arrow(each, backend) for name, each in frames.items()},
    )


def codes(result) -> list[str]:
    return [warning.code for warning in result.warnings]


def warned(result, code: str) -> dict:
    return next(dict(each.values) for each in result.warnings if each.code == code)


def rows_of(frame, key: str = "account_id") -> dict[str, dict]:
    return {row[key]: row for row in to_arrow(frame).to_pylist()}


def moved(result) -> dict[str, str]:
    return {key: row["movement"] for key, row in rows_of(result.frame).items()}


def bars(result, name: str = "bridge") -> dict[str, float]:
    """The bars that are something."""
    told = (
        result.summary["bridge"]["bars"] if name == "bridge" else result.summary[name]
    )
    return {bar: amount for bar, amount in told.items() if amount}


def steps(result, when: str = "now") -> dict[str, float]:
    told = result.summary["gross_to_net"][when]
    return {name: amount for name, amount in told.items() if amount}


class TestFromGrossToNet:
    """Sheet 5.1."""

    def test_the_steps_of_the_sheet(self):
        """Sheet 5.1 [H]: 1000 - 50 - 30 - 15 - 5 = 900, rate 10 %."""
        found = review(
            book(
                [
                    line("A", NOW, 950.0, quantity=10.0, list_price=100.0, line_id="S"),
                    line("A", NOW, -30.0, kind="credit_note", origin_line_id="S"),
                    line("A", NOW, -15.0, kind="rebate", origin_line_id="S"),
                    line("A", NOW, -5.0, kind="goodwill", origin_line_id="S"),
                    line("A", LAST, 10.0),
                ]
            )
        )
        assert steps(found) == {
            "gross": 1000.0,
            "discount": -50.0,
            "invoiced": 950.0,
            "credit_note": -30.0,
            "rebate": -15.0,
            "goodwill": -5.0,
            "net": 900.0,
            "conceded": 100.0,
            "conceded_share": 0.1,
        }
        row = rows_of(found.frame)["A"]
        assert (row["gross"], row["net"], row["concession_share"]) == (1000, 900, 0.1)

    def test_without_list_prices_it_starts_at_what_was_invoiced_and_says_so(self):
        found = review(
            book(
                [
                    line("A", NOW, 90.0, quantity=1.0, list_price=100.0),
                    line("A", NOW, 60.0, quantity=1.0),
                ]
            )
        )
        assert steps(found)["gross"] == 160.0
        assert warned(found, "review_gross_unknown") == {"share": 0.5}

    def test_a_discount_line_stands_for_the_gap_of_the_line_it_names(self):
        """Amendment 18."""
        found = review(
            book(
                [
                    line("A", NOW, 950.0, quantity=10.0, list_price=100.0, line_id="S"),
                    line("A", NOW, -50.0, kind="discount", origin_line_id="S"),
                ]
            )
        )
        told = steps(found)
        assert (told["gross"], told["discount"], told["net"]) == (950, -50, 900)
        assert warned(found, "review_discount_named") == {"n": 1}

    @pytest.mark.parametrize(
        ("refund", "kept", "repeated"),
        [(30.0, 0.0, 30.0), (45.0, 15.0, 30.0), (10.0, 0.0, 10.0)],
    )
    @pytest.mark.parametrize("origin", ["S", "C"])
    def test_a_refund_of_what_was_credited_counts_for_what_goes_beyond_it(
        self, origin, refund, kept, repeated
    ):
        """Amendment 18, whether the refund names the sale or the credit note it pays."""
        found = review(
            book(
                [
                    line("A", NOW, 100.0, kind="invoice", line_id="S"),
                    line(
                        "A",
                        NOW,
                        -30.0,
                        kind="credit_note",
                        line_id="C",
                        origin_line_id="S",
                    ),
                    line("A", NOW, -refund, kind="refund", origin_line_id=origin),
                ]
            )
        )
        told = steps(found)
        assert told["credit_note"] == -30.0
        assert told.get("refund", 0.0) == -kept
        assert told["net"] == 70.0 - kept
        rows = rows_of(found.gross_to_net, "step")
        assert rows["repeated"]["amount"] == -repeated
        assert rows["booked"]["amount"] == told["net"] - repeated
        assert rows["booked"]["amount"] == found.summary["bridge"]["revenue"]
        assert warned(found, "review_counted_once")["amount"] == repeated

    def test_of_several_refunds_the_oldest_repeat_the_credit_note(self):
        found = review(
            book(
                [
                    line("A", OLD, 100.0, kind="invoice", line_id="S"),
                    line("A", NOW, -30.0, kind="credit_note", origin_line_id="S"),
                    line("A", LAST, -20.0, kind="refund", origin_line_id="S"),
                    line(
                        "A", NOW, -20.0, kind="refund", origin_line_id="S", line_id="R"
                    ),
                ]
            )
        )
        assert "refund" not in steps(found, "before")
        assert steps(found)["refund"] == -10.0

    def test_a_concession_can_stand_in_the_period_of_what_it_corrects(self):
        lines = [
            line("A", LAST, 100.0, line_id="S"),
            line("A", NOW, -20.0, kind="credit_note", origin_line_id="S"),
            line("A", NOW, 100.0),
        ]
        issued = review(book(lines))
        origin = review(book(lines), ReviewSettings(dating="as_origin"))
        assert (steps(issued)["net"], steps(issued, "before")["net"]) == (80, 100)
        assert (steps(origin)["net"], steps(origin, "before")["net"]) == (100, 80)
        rows = rows_of(issued.gross_to_net, "step")["credit_note"]
        assert (rows["amount"], rows["amount_before_as_origin"]) == (-20, -20)

    def test_what_names_no_sale_stays_on_its_day_and_is_counted(self):
        lines = [
            line("A", NOW, 100.0),
            line("A", NOW, -20.0, kind="goodwill"),
            line("A", NOW, -5.0, kind="goodwill", origin_line_id="nowhere"),
        ]
        found = review(book(lines), ReviewSettings(dating="as_origin"))
        assert steps(found)["goodwill"] == -25.0
        assert warned(found, "unmatched_concession")["n"] == 2
        assert warned(found, "unmatched_concession")["amount"] == 25.0

    def test_a_refund_as_large_as_a_credit_note_that_names_no_sale_either_is_doubtful(
        self,
    ):
        lines = [
            line("A", NOW, 100.0),
            line("A", NOW, -20.0, kind="refund"),
            line("A", NOW, -20.0, kind="credit_note"),
        ]
        found = review(book(lines))
        assert steps(found)["net"] == 60.0
        assert warned(found, "possible_double_count")["amount"] == 20.0

    def test_by_kind_reason_and_person_the_unknown_first(self):
        given = [("late", "U1", 10.0), ("late", "U2", 20.0), (None, "U1", 5.0)]
        lines = [
            line("A", NOW, 380.0, quantity=4.0, list_price=100.0),
            *(
                line("A", NOW, -amount, kind="goodwill", reason=why, granted_by=who)
                for why, who, amount in given
            ),
        ]
        rows = to_arrow(review(book(lines)).concessions).to_pylist()
        told = {
            (row["by"], row["value"]): (row["amount"], row["share"]) for row in rows
        }
        assert told == {
            ("kind", "goodwill"): (-35.0, 0.0875),
            ("kind", "discount"): (-20.0, 0.05),
            ("reason", None): (-5.0, 0.0125),
            ("reason", "late"): (-30.0, 0.075),
            ("reason", "list_price"): (-20.0, 0.05),
            ("owner", "U1"): (-15.0, 0.0375),
            ("owner", "U2"): (-20.0, 0.05),
            ("owner", "list_price"): (-20.0, 0.05),
        }

    def test_a_negative_line_that_does_not_say_what_it_is_is_no_gesture(self):
        found = review(book([line("A", NOW, 100.0), line("A", NOW, -40.0)]))
        assert (steps(found)["gross"], steps(found).get("conceded")) == (60, None)
        assert warned(found, "review_kind_unknown") == {"n": 1}

    def test_who_was_conceded_something_is_held_against_the_others_a_year_on(self):
        lines = []
        for at in range(10):
            lines.append(line(f"A{at}", LAST, 100.0))
            if at < 4:
                lines.append(line(f"A{at}", LAST, -10.0, kind="goodwill"))
            if at in {0, 1, 2, 4}:
                lines.append(line(f"A{at}", NOW, 100.0))
        found = review(book(lines))
        kept = found.summary["retention"]
        assert (kept["conceded"]["account_count"], kept["conceded"]["kept_share"]) == (
            4,
            0.75,
        )
        assert (kept["others"]["account_count"], kept["others"]["kept_count"]) == (6, 1)
        assert kept["conceded"]["low"] < 0.75 < kept["conceded"]["high"]
        assert "review_observed" in codes(found)
        assert "observed" in found.in_words()

    def test_a_discount_is_no_gesture(self):
        lines = [
            line("A", LAST, 90.0, quantity=1.0, list_price=100.0),
            line("A", LAST, -5.0, kind="discount"),
            line("A", NOW, 90.0),
        ]
        kept = review(book(lines)).summary["retention"]
        assert kept["conceded"]["account_count"] == 0
        assert kept["others"]["kept_share"] == 1.0

    def test_whether_they_stay_is_unknown_until_a_year_is_over(self):
        lines = [
            line("A", BETWEEN, 100.0),
            line("A", BETWEEN, -10.0, kind="goodwill"),
            line("A", NOW, 100.0),
        ]
        found = review(book(lines), ReviewSettings(against="period_before"))
        assert found.summary["retention"]["conceded"]["kept_share"] is None
        assert "review_too_early" in codes(found)


SHEET = [
    *(
        line(each, LAST, amount)
        for each, amount in zip("ABCD", (100.0, 80.0, 60.0, 40.0), strict=True)
    ),
    *(
        line(each, NOW, amount)
        for each, amount in zip("ABCE", (130.0, 50.0, 60.0, 25.0), strict=True)
    ),
]


def plain(lines: list[dict]) -> list[tuple]:
    """As the fixtures of bookings take them."""
    return [(each["account_id"], each["booked_on"], each["amount"]) for each in lines]


class TestBridge:
    """Sheet 5.2."""

    def test_the_bars_of_the_sheet(self):
        """Sheet 5.2 [H]: 280 + 25 - 40 + 30 - 30 = 265; like-for-like 0 %; NRR, GRR."""
        found = review(book(SHEET))
        assert bars(found) == {
            "new": 25,
            "lost": -40,
            "expansion": 30,
            "contraction": -30,
        }
        told = found.summary["bridge"]
        assert (told["revenue_before"], told["revenue"], told["change"]) == (
            280,
            265,
            -15,
        )
        assert told["like_for_like_share"] == 0.0
        assert round(told["net_retention_share"], 6) == 0.857143
        assert told["gross_retention_share"] == 0.75
        rows = to_arrow(found.bridge).to_pylist()
        assert rows[0] == {"bar": "revenue_before", "amount": 280.0, "count": 4}
        counted = {row["bar"]: row["count"] for row in rows}
        assert (counted["expansion"], counted["revenue"], counted["unknown_lines"]) == (
            1,
            4,
            0,
        )

    def test_new_is_who_has_no_line_before_and_returned_who_has_an_older_one(self):
        found = review(
            book(
                [
                    *SHEET,
                    line("F", OLD, 1.0),
                    line("F", NOW, 10.0),
                    line("G", BETWEEN, 1.0),
                    line("G", NOW, 5.0),
                ]
            )
        )
        assert moved(found)["F"] == "returned"
        # Its first line came after the period before: it is new against that.
        assert moved(found)["G"] == "new"
        assert (bars(found)["returned"], bars(found)["new"]) == (10, 30)

    def test_an_account_whose_lines_add_up_to_nothing_was_there(self):
        """Amendment 19, and the sheet's edge: active with any line, bars are signed."""
        lines = [
            *SHEET,
            line("F", LAST, 10.0),
            line("F", LAST, -10.0),
            line("F", NOW, 7.0),
            line("G", LAST, -30.0),
        ]
        found = review(book(lines))
        assert (moved(found)["F"], moved(found)["G"]) == ("expanded", "lost")
        assert bars(found)["lost"] == -40 + 30

    def test_rates_are_a_bar_at_those_of_the_period_before(self):
        """Sheet 0.2.3 [H]: 1000 USD at 0.90, then 1100 at 0.95: activity +90, FX +55."""
        rates = [
            {"currency": "USD", "base": "EUR", "from_on": on, "rate": rate}
            for on, rate in ((date(2025, 1, 1), 0.90), (date(2026, 1, 1), 0.95))
        ]
        lines = [
            line("A", LAST, 1000.0, currency="USD"),
            line("A", NOW, 1100.0, currency="USD"),
        ]
        found = review(book(lines, exchange_rate=rates))
        told = found.summary["bridge"]
        assert (told["revenue_before"], told["revenue"]) == (900, 1045)
        assert bars(found) == {"expansion": 90, "fx": 55}
        assert told["like_for_like_share"] == 0.1
        assert found.summary["rates"] == [
            {"currency": "USD", "rate_before": 0.9, "from": "lines"}
        ]
        row = rows_of(found.frame)["A"]
        assert (row["change"], row["activity_change"], row["fx_change"]) == (
            145,
            90,
            55,
        )
        assert "exchange rates" in found.explain("A")

    def test_a_currency_that_sold_nothing_before_takes_the_rates_of_those_days(self):
        rates = [
            {"currency": "USD", "base": "EUR", "from_on": on, "rate": rate}
            for on, rate in ((date(2024, 1, 1), 0.80), (date(2025, 7, 1), 1.0))
        ]
        lines = [line("B", LAST, 1.0), line("A", NOW, 100.0, currency="USD")]
        found = review(book(lines, exchange_rate=rates))
        assert bars(found) == {"new": 80, "lost": -1, "fx": 20}
        assert found.summary["rates"][0]["from"] == "exchange_rate"

    def test_a_currency_without_a_rate_before_is_warned_of(self):
        rates = [{"currency": "USD", "base": "EUR", "from_on": NOW, "rate": 0.9}]
        lines = [line("B", LAST, 1.0), line("A", NOW, 100.0, currency="USD")]
        found = review(book(lines, exchange_rate=rates))
        assert bars(found) == {"new": 90, "lost": -1}
        assert warned(found, "review_rate_unknown") == {
            "code": "USD",
            "amount": 90.0,
            "currency": "EUR",
        }

    def test_a_line_without_a_rate_of_its_day_is_left_out_and_told(self):
        rates = [{"currency": "USD", "base": "EUR", "from_on": NOW, "rate": 0.9}]
        lines = [*SHEET, line("A", LAST, 100.0, currency="USD")]
        found = review(book(lines, exchange_rate=rates))
        assert found.summary["bridge"]["revenue_before"] == 280
        assert "left_out_without_rate" in codes(found)

    @pytest.mark.parametrize(
        "how",
        [
            ReviewSettings(perimeter_accounts=("A", "E")),
            ReviewSettings(perimeter_segments=("bought",)),
            ReviewSettings(),
        ],
    )
    def test_a_business_bought_or_sold_is_a_bar_of_its_own(self, how):
        accounts = [
            {"account_id": each, "segment": "bought" if each in "AE" else "own"}
            for each in "ABCDE"
        ]
        tables = {}
        if how == ReviewSettings():
            tables["event"] = [
                {
                    "event_id": each,
                    "from_on": BETWEEN,
                    "label": "X",
                    "kind": "acquisition",
                    "account_id": each,
                }
                for each in "AE"
            ]
        found = review(book(SHEET, accounts=accounts, **tables), how)
        assert bars(found) == {"perimeter": 55, "lost": -40, "contraction": -30}
        assert moved(found)["A"] == moved(found)["E"] == "perimeter"
        # At the same perimeter: B 80 → 50 and C 60 → 60.
        assert found.summary["bridge"]["like_for_like_share"] == round(-30 / 140, 12)

    def test_a_group_moves_as_one(self):
        accounts = [
            {"account_id": each, "parent_id": "B" if each in "AE" else None}
            for each in "ABCDE"
        ]
        found = review(book(SHEET, accounts=accounts), ReviewSettings(level="group"))
        assert bars(found) == {"expansion": 25, "lost": -40}
        assert moved(found) == {
            **dict.fromkeys("ABE", "expanded"),
            "C": "unchanged",
            "D": "lost",
        }
        assert "Its group B grew" in found.explain("E")

    def test_what_nobody_knows_is_a_bar_of_its_own_and_never_nothing(self, booked):
        more = [("B", NOW, None), ("F", NOW, None), ("C", BETWEEN, None)]
        found = review(booked([*"ABCDEF"], [*plain(SHEET), *more]))
        assert moved(found)["B"] == moved(found)["F"] == "unknown"
        assert bars(found) == {"new": 25, "lost": -40, "expansion": 30, "unknown": -30}
        rows = rows_of(found.frame)
        assert rows["B"]["change"] is None
        assert rows["F"]["revenue"] is None
        last = to_arrow(found.bridge).to_pylist()[-1]
        assert last == {"bar": "unknown_lines", "amount": None, "count": 2}
        assert "amounts_unknown" in codes(found)
        assert "so what it did is too" in found.explain("B")

    def test_unknown_amounts_before_are_those_of_the_year_before(self, booked):
        more = [("B", LAST, None), ("C", BETWEEN, None)]
        found = review(booked([*"ABCDE"], [*plain(SHEET), *more]))
        told = warned(found, "review_amounts_unknown_before")
        assert told == {"lines": 1, "accounts": 1}
        assert "amounts_unknown_before" not in codes(found)

    def test_where_no_amount_of_the_year_before_is_known_nothing_is_held_against_it(
        self, booked
    ):
        found = review(booked(["A"], [("A", LAST, None), ("A", NOW, 5.0)]))
        told = found.summary["bridge"]
        assert (told["revenue"], told["revenue_before"]) == (5.0, None)
        assert (told["change"], {*told["bars"].values()}) == (None, {None})

    def test_a_sale_without_a_day_may_belong_to_either_period(self, booked):
        found = review(booked([*"ABCDE"], [*plain(SHEET), ("C", None, 5.0)]))
        assert moved(found)["C"] == "unknown"

    def test_a_book_that_says_nothing_of_the_period_before_has_no_bars(self):
        found = review(book([line("A", NOW, 10.0)]))
        told = found.summary["bridge"]
        assert (told["revenue"], told["revenue_before"], told["change"]) == (
            10,
            None,
            None,
        )
        assert set(told["bars"].values()) == {None}
        row = rows_of(found.frame)["A"]
        told = row["movement"], row["revenue"], row["revenue_before"], row["change"]
        assert told == (None, 10.0, None, None)
        assert "review_no_period_before" in codes(found)
        assert "says nothing of the period before" in found.explain("A")
        after = line("A", date(2025, 7, 1), 1.0)  # the day after that period
        again = review(book([line("A", NOW, 10.0), after]))
        assert "review_no_period_before" in codes(again)

    def test_a_book_that_begins_within_the_period_before_is_warned_of(self):
        found = review(book(SHEET))
        assert warned(found, "review_partly_before") == {"begins_on": LAST}
        older = review(book([*SHEET, line("A", OLD, 1.0)]))
        assert "review_partly_before" not in codes(older)

    @pytest.mark.parametrize(
        ("begins", "is_warned"), [(date(2025, 1, 31), False), (date(2025, 2, 1), True)]
    )
    def test_a_book_that_lacks_a_whole_month_of_it_is_one(self, begins, is_warned):
        """A firm may bill on the last day of each month alone."""
        found = review(book([*SHEET, line("A", begins, 1.0)]))
        assert ("review_partly_before" in codes(found)) == is_warned

    def test_everything_up_to_now_has_nothing_before(self):
        found = review(book(SHEET), ReviewSettings(period=Period.all()))
        assert found.params["before"] is None
        assert found.summary["bridge"]["revenue"] == 545


class TestPeriods:
    def test_it_is_the_same_half_of_the_year_before_unless_asked(self):
        """Sheet 5.2: never H1 against H2 if seasonal."""
        found = review(book([*SHEET, line("A", BETWEEN, 1000.0)]))
        assert found.params["period"]["start"] == "2026-01-01"
        assert found.params["before"] == {
            "start": "2025-01-01",
            "end": "2025-07-01",
            "last_day": "2025-06-30",
        }
        assert "seasonal_window" not in codes(found)
        assert "1 January 2025 to 30 June 2025" in found.explain("A")

    def test_the_half_just_before_can_be_asked_for_and_is_warned_of(self):
        asked = ReviewSettings(against="period_before")
        found = review(book([*SHEET, line("A", BETWEEN, 1000.0)]), asked)
        assert found.summary["bridge"]["revenue_before"] == 1000
        assert "seasonal_window" in codes(found)

    def test_days_of_ones_own_win(self):
        asked = ReviewSettings(
            before=Period.between(date(2025, 3, 1), date(2025, 4, 1))
        )
        found = review(book(SHEET), asked)
        assert found.summary["bridge"]["revenue_before"] == 280
        assert {"seasonal_window", "review_lengths_differ"} <= set(codes(found))

    def test_two_years_before_is_the_same_season(self):
        asked = ReviewSettings(
            before=Period.between(date(2024, 1, 1), date(2024, 7, 1))
        )
        found = review(book([*SHEET, line("A", OLD, 1.0)]), asked)
        assert "seasonal_window" not in codes(found)

    def test_periods_that_overlap_are_refused(self):
        asked = ReviewSettings(
            before=Period.between(date(2025, 9, 1), date(2026, 3, 1))
        )
        with pytest.raises(SettingsError, match=r"review\.before ends on 2026-02-28"):
            review(book(SHEET), asked)


def sold(on: date, product: str, price: float, quantity: float, account="A") -> dict:
    return line(account, on, price * quantity, product_id=product, quantity=quantity)


MIX = [
    *(sold(LAST, *each) for each in (("A", 10, 1000), ("B", 15, 800), ("C", 20, 500))),
    *(sold(NOW, *each) for each in (("A", 11, 1000), ("B", 15, 700), ("C", 23, 800))),
]
PRODUCTS = [{"product_id": each} for each in "ABCXY"]


class TestPriceVolumeMix:
    """Sheet 5.3."""

    def test_our_convention(self):
        """Sheet 5.3 [H]: price 3400, volume 2782.61, mix 1717.39, total 7900."""
        found = review(book(MIX, product=PRODUCTS))
        assert bars(found, "price_mix") == {
            "price": 3400,
            "volume": 2782.61,
            "mix": 1717.39,
        }
        assert found.summary["bridge"]["change"] == 7900
        rows = rows_of(found.products, "product_id")
        assert (rows["A"]["price_before"], rows["A"]["price"]) == (10, 11)
        assert (rows["B"]["price_effect"], rows["C"]["price_effect"]) == (0, 2400)

    def test_the_other_convention(self):
        """Sheet 5.3 [P]: price at old volume 2500, quantity at old price 4500, joint 900."""
        found = review(
            book(MIX, product=PRODUCTS), ReviewSettings(price_effect="joint")
        )
        assert bars(found, "price_mix") == {
            "price": 2500,
            "quantity": 4500,
            "joint": 900,
        }

    def test_units_that_do_not_compare_have_no_volume_and_no_mix(self):
        found = review(book(MIX, product=PRODUCTS), ReviewSettings(units="different"))
        assert bars(found, "price_mix") == {"price": 3400, "quantity": 4500}

    def test_new_and_dropped_products_and_what_says_no_quantity_stand_apart(self):
        lines = [
            *MIX,
            sold(NOW, "X", 5, 10),
            sold(LAST, "Y", 7, 10),
            line("A", NOW, -33.0, kind="credit_note"),
            line("A", LAST, -3.0, kind="goodwill", product_id="A"),
            line("A", NOW, 12.0),
        ]
        found = review(book(lines, product=PRODUCTS))
        assert bars(found, "price_mix") == {
            "price": 3400,
            "volume": 2782.61,
            "mix": 1717.39,
            "new_products": 50,
            "dropped_products": -70,
            "concessions": -30,
            "unmeasured": 12,
        }
        assert sum(bars(found, "price_mix").values()) == pytest.approx(
            found.summary["bridge"]["change"], abs=1e-9
        )
        assert "qty_missing" in codes(found)
        kinds = {
            key: row["sold_in"]
            for key, row in rows_of(found.products, "product_id").items()
        }
        assert kinds == dict.fromkeys("ABC", "both") | {"X": "new", "Y": "dropped"}

    def test_more_came_back_than_was_sold_is_no_price(self):
        lines = [
            *MIX,
            sold(LAST, "X", 5, 10),
            sold(NOW, "X", 5, 2),
            sold(NOW, "X", 5, -4),
        ]
        found = review(book(lines, product=PRODUCTS))
        assert bars(found, "price_mix")["unmeasured"] == -60
        assert rows_of(found.products, "product_id")["X"]["price"] is None

    def test_it_can_be_told_of_each_product_of_each_account(self):
        lines = [sold(LAST, "A", 10, 5), sold(LAST, "A", 20, 5, "B")]
        lines += [sold(NOW, "A", 10, 2), sold(NOW, "A", 20, 8, "B")]
        by_product = review(book(lines, product=PRODUCTS))
        assert bars(by_product, "price_mix") == {"price": 30}
        both = review(
            book(lines, product=PRODUCTS), ReviewSettings(mix_by="product_and_account")
        )
        assert bars(both, "price_mix") == {"mix": 30}

    def test_exchange_rates_are_no_price(self):
        rates = [
            {"currency": "USD", "base": "EUR", "from_on": on, "rate": rate}
            for on, rate in ((date(2025, 1, 1), 0.5), (date(2026, 1, 1), 0.75))
        ]
        lines = [
            {**each, "currency": "USD"}
            for each in (sold(LAST, "A", 4, 10), sold(NOW, "A", 4, 10))
        ]
        found = review(book(lines, product=PRODUCTS, exchange_rate=rates))
        assert bars(found, "price_mix") == {"fx": 10}

    def test_without_any_quantity_price_and_mix_are_unknown_not_nothing(self):
        found = review(book(SHEET))
        told = found.summary["price_mix"]
        assert (told["price"], told["volume"], told["mix"]) == (None, None, None)
        assert told["unmeasured"] == -15
        assert warned(found, "qty_missing") == {"share": 1.0}


class TestBesideTheBusiness:
    """Sheet 5.1: exceptional items under operating profit, never inside client revenue."""

    COSTS = (
        {"cost_id": "0", "booked_on": OLD, "amount": 3.0, "kind": "overhead"},
        {"cost_id": "1", "booked_on": NOW, "amount": 100.0, "kind": "overhead"},
        {
            "cost_id": "2",
            "booked_on": NOW,
            "amount": 70.0,
            "kind": "exceptional",
            "label": "shares bought back",
            "account_id": "A",
        },
    )
    EVENTS = (
        {
            "event_id": "E1",
            "from_on": NOW,
            "amount": -70.0,
            "label": "buy-back agreed",
            "account_id": "A",
        },
        {"event_id": "E2", "from_on": NOW, "amount": 12.0, "label": "insurance paid"},
        {"event_id": "E3", "from_on": NOW, "amount": None, "label": "founder leaves"},
    )

    def found(self):
        return review(book(SHEET, cost=[*self.COSTS], event=[*self.EVENTS]))

    def test_they_stand_under_the_operating_profit(self):
        assert self.found().summary["operating"]["now"] == {
            "net_revenue": 265.0,
            "costs": 100.0,
            "operating_profit": 165.0,
            "exceptional": -58.0,
            "result": 107.0,
        }

    def test_they_are_in_no_account(self):
        """Article 1's buy-back of shares, though the books name an account."""
        plain = review(book(SHEET))
        assert to_arrow(self.found().frame).equals(to_arrow(plain.frame))
        assert self.found().summary["bridge"] == plain.summary["bridge"]

    def test_an_event_that_is_a_cost_is_counted_once(self):
        found = self.found()
        rows = rows_of(found.exceptional, "record_id")
        assert {key: row["is_counted"] for key, row in rows.items()} == {
            "2": True,
            "E1": False,
            "E2": True,
            "E3": False,
        }
        assert warned(found, "review_event_told_twice")["n"] == 1
        assert "−58\N{NO-BREAK SPACE}EUR" in found.in_words()

    def test_costs_of_lines_are_costs_and_half_of_them_are_none(self):
        lines = [line("A", LAST, 10.0), line("A", NOW, 100.0, cost=40.0)]
        told = review(book(lines, cost=[*self.COSTS])).summary["operating"]["now"]
        assert (told["costs"], told["operating_profit"]) == (140, -40)
        some = review(book([*lines, line("A", NOW, 1.0)], cost=[*self.COSTS]))
        assert some.summary["operating"]["now"]["operating_profit"] is None

    def test_without_costs_the_profit_is_unknown_and_the_items_are_not(self):
        told = review(book(SHEET, event=[*self.EVENTS])).summary["operating"]["now"]
        assert (told["costs"], told["operating_profit"], told["result"]) == (None,) * 3
        assert told["exceptional"] == -58.0


class TestRecordsThatDisagree:
    def test_who_has_left_by_an_event_and_still_buys_is_told(self):
        left = [
            {
                "event_id": each,
                "from_on": on,
                "label": "X",
                "kind": "churn",
                "account_id": each,
            }
            for each, on in (("A", BETWEEN), ("D", BETWEEN), ("B", NOW))
        ]
        found = review(book(SHEET, event=left))
        assert warned(found, "review_left_contradicted") == {"n": 1, "of": 2}
        assert rows_of(found.frame)["A"]["left_on"] == BETWEEN
        assert "10 October 2025 says that it left" in found.explain("A")
        assert "says that it left" not in found.explain("D")
        other = review(book(SHEET, event=left), ReviewSettings(left_events=()))
        assert "review_left_contradicted" not in codes(other)

    def test_payments_beyond_what_was_won_are_told_and_never_added(self, booked):
        paid = [
            ("A", 100.0, None),
            ("A", 140.0, NOW),
            ("C", 60.0, LAST),
            ("E", 26.0, NOW),
            ("F", 7.0, NOW),
        ]
        invoices = {
            "invoice_id": [f"I{at}" for at in range(5)],
            "account_id": [account for account, _, _ in paid],
            "issued_on": pa.array([LAST] * 5, DAY),
            "paid_on": pa.array([on for _, _, on in paid], DAY),
            "amount": [amount for _, amount, _ in paid],
        }
        plainly = booked([*"ABCDEF"], plain(SHEET))
        found = review(plainly.with_tables(invoice=pa.table(invoices)))
        assert found.summary == review(plainly).summary
        told = warned(found, "review_paid_above")
        assert told == {"n": 2, "amount": 8.0, "currency": "EUR"}

    def test_a_period_that_is_not_over_is_told(self):
        year = Period.between(date(2026, 1, 1), date(2027, 1, 1))
        found = review(book(SHEET), ReviewSettings(period=year))
        assert warned(found, "review_not_over") == {
            "n": 184,
            "last_day": date(2026, 12, 31),
        }


class TestResult:
    def test_bookings_have_a_bridge_and_no_concessions(self, booked):
        found = review(booked([*"ABCDE"], plain(SHEET)))
        assert bars(found) == {
            "new": 25,
            "lost": -40,
            "expansion": 30,
            "contraction": -30,
        }
        assert found.summary["gross_to_net"] is found.summary["price_mix"] is None
        assert "review_without_lines" in codes(found)
        assert to_arrow(found.products).num_rows == 0

    def test_it_names_the_table_it_lacks(self):
        bare = Portfolio.from_frames(
            as_of=AS_OF, currency="EUR", account=pa.table({"account_id": ["A"]})
        )
        with pytest.raises(MissingTableError, match="'revenue_line' or 'opportunity'"):
            review(bare)
        booked = ReviewSettings(measure="booked")
        with pytest.raises(MissingTableError, match="the table 'opportunity', which"):
            review(bare, booked)

    def test_the_largest_change_comes_first(self):
        ids = to_arrow(review(book(SHEET)).frame)["account_id"].to_pylist()
        assert ids == ["D", "A", "B", "E", "C"]

    def test_who_moved_when_the_rules_change_is_told(self):
        one = review(book(SHEET))
        two = review(book(SHEET), ReviewSettings(perimeter_accounts=("A",)))
        compared = two.compared_with(one)
        assert compared.moves == {("expanded", "perimeter"): 1}
        assert compared.changed["settings.perimeter_accounts.1"] == (None, "A")

    def test_every_setting_is_echoed(self):
        chosen = ReviewSettings(
            against="period_before",
            level="group",
            dating="as_origin",
            mix_by="product_and_account",
            price_effect="joint",
            units="different",
            perimeter_accounts=("A",),
            perimeter_segments=("S",),
            perimeter_events=("x",),
            left_events=("y",),
        )
        told = review(book(SHEET), chosen).params["settings"]
        expected = {
            "against": "period_before",
            "before": None,
            "level": "group",
            "dating": "as_origin",
            "mix_by": "product_and_account",
            "price_effect": "joint",
            "units": "different",
            "perimeter_accounts": ["A"],
            "perimeter_segments": ["S"],
            "perimeter_events": ["x"],
            "left_events": ["y"],
        }
        assert {name: told[name] for name in expected} == expected

    def test_it_is_kept_as_a_workbook_and_a_page(self, tmp_path):
        found = review(book([*SHEET, *MIX], product=PRODUCTS))
        for name in ("review.xlsx", "review.html", "review.csv", "review.parquet"):
            found.save(tmp_path / name, lang="fr")
            assert (tmp_path / name).stat().st_size > 1000 or name.endswith("csv")
        page = (tmp_path / "review.html").read_text()
        assert "Deux périodes côte à côte" in page
        import openpyxl

        sheets = openpyxl.load_workbook(tmp_path / "review.xlsx").sheetnames
        assert {"bridge", "price_mix", "products", "gross_to_net", "concessions"} <= {
            *sheets
        }

    def test_reasons_name_no_names_and_say_both_languages(self):
        found = review(samples.firm(backend="pyarrow"))
        for row in to_arrow(found.frame).to_pylist():
            for reason in found.reasons(row["account_id"]):
                assert row["name"] not in map(str, reason.values.values())
                assert all(sentence(reason, lang) for lang in LANGS)

    def test_the_settings_file_steers_it(self, tmp_path):
        file = tmp_path / "portfolio.toml"
        file.write_text(
            '[review]\nperiod = "last 12 months"\nagainst = "period_before"\n'
            'before = {start = 2024-01-01, end = 2024-07-01}\nlevel = "group"\n'
            'perimeter_segments = ["bought"]\n'
        )
        chosen = Settings.load(file).review
        assert chosen == ReviewSettings(
            period=Period.last_months(12),
            against="period_before",
            before=Period.between(date(2024, 1, 1), date(2024, 7, 1)),
            level="group",
            perimeter_segments=("bought",),
        )

    def test_the_common_period_is_taken(self):
        year = Settings(period=Period.last_months(12))
        found = analyse(book(SHEET), year, only=["review"])["review"]
        assert found.params["period"]["start"] == "2025-07-01"


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_engine_says_the_same(backend):
    lines = [
        *MIX,
        line(
            "B", NOW, 95.0, kind="invoice", quantity=1.0, list_price=99.995, line_id="S"
        ),
        line("B", NOW, -30.0, kind="credit_note", origin_line_id="S"),
        line("B", NOW, -45.0, kind="refund", origin_line_id="S", reason="late"),
        line("B", LAST, 3.0, currency="USD"),
        line("B", NOW, 5.0, currency="USD"),
    ]
    rates = [{"currency": "USD", "base": "EUR", "from_on": OLD, "rate": 0.7}]
    tables = {"product": PRODUCTS, "exchange_rate": rates}
    mine = review(book(lines, backend=backend, **tables))
    other = review(book(lines[::-1], **tables))
    assert json.dumps(mine.to_dict()["summary"]) == json.dumps(
        other.to_dict()["summary"]
    )
    assert to_arrow(mine.bridge).equals(to_arrow(other.bridge))
    assert to_arrow(mine.concessions).equals(to_arrow(other.concessions))


days = st.sampled_from([OLD, LAST, LAST + timedelta(days=3), BETWEEN, NOW])
kinds = st.sampled_from(
    [None, "invoice", "recurring", "discount", "credit_note", "refund", "goodwill"]
)
some_lines = st.lists(
    st.tuples(
        st.sampled_from("ABCD"),
        days,
        st.integers(-100_000, 100_000),
        kinds,
        st.sampled_from(["EUR", "USD", "JPY", None]),
        st.sampled_from([None, "P", "Q"]),
        st.one_of(st.none(), st.integers(-50, 500)),
        st.one_of(st.none(), st.integers(0, 999)),
        st.one_of(st.none(), st.integers(0, 14)),
    ),
    min_size=1,
    max_size=14,
)
RATES = [
    {"currency": code, "base": "EUR", "from_on": on, "rate": rate}
    for code, on, rate in (
        ("USD", date(2020, 1, 1), 0.9),
        ("USD", date(2025, 9, 1), 0.83),
        ("JPY", date(2025, 1, 1), 0.0061),
    )
]


@given(some_lines, st.sampled_from(["account", "group"]), st.booleans())
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_the_book_the_bars_close_to_the_cent(rows, level, is_joint):
    """Sheet 11.5: negative, returned, unknown amounts, several currencies, any concession."""
    lines = [
        line(
            *(account, on, cents / 100),
            kind=kind,
            currency=currency,
            product_id=product,
            quantity=None if quantity is None else quantity / 10,
            list_price=price,
            origin_line_id=None if origin is None else f"L{origin:03}",
        )
        for account, on, cents, kind, currency, product, quantity, price, origin in rows
    ]
    accounts = [
        {"account_id": each, "parent_id": "A" if each == "B" else None}
        for each in "ABCD"
    ]
    portfolio = book(
        lines,
        accounts=accounts,
        product=[{"product_id": "P"}, {"product_id": "Q"}],
        exchange_rate=RATES,
    )
    chosen = ReviewSettings(
        level=level,
        price_effect="joint" if is_joint else "new_quantity",
        perimeter_accounts=("C",),
    )
    found = review(portfolio, chosen)
    ends = rows_of(found.gross_to_net, "step")
    for when in ("amount", "amount_before"):
        net, repeated, booked = (
            ends[each][when] for each in ("net", "repeated", "booked")
        )
        if booked is not None:
            assert round(100 * (net + repeated - booked)) == 0
    told = found.summary["bridge"]
    if told["change"] is None:
        return
    change = round(100 * told["change"])
    assert change == round(100 * told["revenue"]) - round(100 * told["revenue_before"])
    for each in (told["bars"], found.summary["price_mix"]):
        assert sum(round(100 * (amount or 0)) for amount in each.values()) == change


class TestPictures:
    def drawn(self, result, method="plot", lang="en"):
        ax = pytest.importorskip("matplotlib.figure").Figure().subplots()
        assert getattr(result, method)(ax=ax, lang=lang) is ax
        return ax

    def test_the_bridge_steps_from_one_revenue_to_the_other(self):
        ax = self.drawn(review(book(SHEET)))
        heights = [round(bar.get_height(), 2) for bar in ax.patches]
        assert heights == [280, 265, 25, 30, -30, -40]
        names = [text.get_text() for text in ax.get_xticklabels()]
        assert names == ["Before", "New", "Expansion", "Contraction", "Lost", "Now"]
        assert ax.get_ylabel() == "Revenue (EUR)"
        low, high = ax.get_ylim()
        assert low == 0
        assert high > 280 + 25 + 30

    def test_what_was_conceded_is_drawn_step_by_step(self):
        lines = [line("A", NOW, 100.0), line("A", NOW, -30.0, kind="refund")]
        ax = self.drawn(review(book(lines)), "plot_gross_to_net", "fr")
        names = [text.get_text() for text in ax.get_xticklabels()]
        assert (names[0], names[-1]) == ("Brut", "Net")
        assert "Remboursements" in names

    def test_price_volume_and_mix_are_a_way_too(self):
        ax = self.drawn(review(book(MIX, product=PRODUCTS)), "plot_price_mix")
        names = [text.get_text() for text in ax.get_xticklabels()]
        assert names == ["Before", "Price", "Volume", "Mix", "Now"]

    def test_where_nothing_is_known_the_picture_says_so(self, booked):
        for found in (review(book([line("A", NOW, 1.0)])), review(booked([], []))):
            ax = self.drawn(found)
            assert not ax.patches
            assert ax.texts
        bookings = review(booked(["A"], [("A", NOW, 1.0)]))
        assert not self.drawn(bookings, "plot_gross_to_net").patches


class TestWhatMustNotBeBelieved:
    """What a ledger leaves out, repeats or enters with the other sign."""

    RATES = ({"currency": "USD", "base": "EUR", "from_on": NOW, "rate": 0.9},)
    OLDER = ({"cost_id": "0", "booked_on": OLD, "amount": 3.0, "kind": "overhead"},)

    def test_who_lost_lines_for_want_of_a_rate_is_unknown_and_not_lost_or_new(self):
        usd = [line("A", LAST, 100.0, currency="USD", line_id="U")]
        lines = [*usd, line("A", NOW, 90.0), line("B", LAST, 10.0), line("B", NOW, 5.0)]
        found = review(book(lines, exchange_rate=[*self.RATES]))
        assert moved(found) == {"A": "unknown", "B": "contracted"}
        assert bars(found) == {"contraction": -5, "unknown": 90}
        (row,) = to_arrow(found.rejected).to_pylist()
        assert (row["record_id"], row["account_id"], row["day"]) == ("U", "A", LAST)
        assert (row["amount"], row["fault"]) == (None, "without_rate")
        kept = found.summary["retention"]
        assert kept["others"]["account_count"] == 1

    def test_a_line_of_this_period_without_a_rate_lowers_the_coverage(self):
        late = [{**each, "from_on": AS_OF} for each in self.RATES]
        lines = [line("A", LAST, 90.0), line("A", NOW, 100.0, currency="USD")]
        lines += [line("B", LAST, 1.0), line("B", NOW, 1.0)]
        found = review(book(lines, exchange_rate=late))
        assert moved(found)["A"] == "unknown"
        assert found.coverage == 0.5
        assert to_arrow(found.rejected)["record_id"].to_pylist() == ["L001"]

    def test_a_won_opportunity_without_a_rate_is_unknown_too(self, booked):
        plainly = booked([*"AB"], [("A", LAST, 9.0), ("B", LAST, 9.0), ("B", NOW, 9.0)])
        rows = plainly.arrow("opportunity").to_pylist()
        more = {**rows[0], "opportunity_id": "X", "closed_on": NOW, "currency": "USD"}
        schema = plainly.arrow("opportunity").schema
        if "currency" not in schema.names:
            schema = schema.append(pa.field("currency", TEXT))
        late = [{**each, "from_on": AS_OF} for each in self.RATES]
        held = Portfolio.from_frames(
            as_of=AS_OF,
            currency="EUR",
            account=plainly.arrow("account"),
            opportunity=pa.Table.from_pylist([*rows, more], schema=schema),
            exchange_rate=table(late),
        )
        assert moved(review(held)) == {"A": "unknown", "B": "unchanged"}
        # One that does not say its day either may have been won in both periods.
        both = pa.Table.from_pylist([*rows, {**more, "closed_on": None}], schema=schema)
        later = table([{**each, "from_on": date(2026, 7, 1)} for each in self.RATES])
        held = held.with_tables(opportunity=both, exchange_rate=later)
        assert moved(review(held)) == {"A": "unknown", "B": "unchanged"}
        assert to_arrow(review(held).rejected)["record_id"].to_pylist() == ["X"]

    @pytest.mark.parametrize(
        "costs",
        [
            [{"cost_id": "1", "booked_on": NOW, "amount": 4.0, "kind": "overhead"}],
            [{"cost_id": "1", "booked_on": NOW, "amount": 4.0, "kind": "exceptional"}],
            [*OLDER],
        ],
        ids=["too late", "exceptional alone", "long ago"],
    )
    def test_a_period_whose_costs_nobody_says_did_not_cost_nothing(self, costs):
        found = review(book(SHEET, cost=costs))
        for when in ("now", "before"):
            assert found.summary["operating"][when]["operating_profit"] is None
        is_late = costs[0]["kind"] == "overhead" and costs[0]["booked_on"] == NOW
        assert ("review_costs_begin" in codes(found)) == is_late

    def test_costs_booked_at_the_end_of_the_first_month_are_those_of_the_period(self):
        first = {"cost_id": "1", "booked_on": date(2026, 2, 1), "kind": "overhead"}
        found = review(book(SHEET, cost=[{**first, "amount": 4.0}]))
        assert found.summary["operating"]["now"]["costs"] == 4.0
        later = {**first, "booked_on": date(2026, 2, 2), "amount": 4.0}
        found = review(book(SHEET, cost=[later]))
        assert found.summary["operating"]["now"]["costs"] is None

    def test_goods_that_came_back_cost_less_and_those_given_away_as_much(self):
        lines = [
            line("A", LAST, 1.0),
            line("A", NOW, 100.0, cost=60.0),
            line("A", NOW, -50.0, kind="credit_note", cost=-30.0),
            line("A", NOW, 0.0, cost=7.0),
        ]
        told = review(book(lines, cost=[*self.OLDER, *_overhead()]))
        assert told.summary["operating"]["now"]["costs"] == 37.0 + 1.0

    def test_costs_of_delivery_beside_those_of_the_lines_are_pointed_out(self):
        lines = [line("A", LAST, 1.0), line("A", NOW, 100.0, cost=60.0)]
        delivery = {"cost_id": "9", "booked_on": NOW, "amount": 50.0}
        cost = [*self.OLDER, {**delivery, "kind": "delivery"}]
        found = review(book(lines, cost=cost))
        assert warned(found, "review_costs_twice")["amount"] == 50.0
        assert "review_costs_twice" not in codes(review(book(SHEET, cost=cost)))

    @pytest.mark.parametrize("kind", ["discount", "goodwill", "rebate"])
    def test_a_gesture_that_repeats_a_quantity_sells_no_more(self, kind):
        sold = {"product_id": "P", "quantity": 10.0}
        lines = [line("A", LAST, 1000.0, **sold), line("A", NOW, 1000.0, **sold)]
        lines.append(line("A", NOW, -100.0, kind=kind, **sold))
        found = review(book(lines, product=[{"product_id": "P"}]))
        assert bars(found, "price_mix") == {"concessions": -100}

    @pytest.mark.parametrize("quantity", [5.0, -5.0])
    @pytest.mark.parametrize("kind", ["credit_note", "refund", "invoice"])
    def test_what_comes_back_has_the_sign_of_its_amount(self, kind, quantity):
        sold = {"product_id": "P", "quantity": 10.0}
        lines = [line("A", LAST, 1000.0, **sold), line("A", NOW, 1000.0, **sold)]
        back = {"product_id": "P", "quantity": quantity, "kind": kind}
        lines.append(line("A", NOW, -500.0, **back))
        found = review(book(lines, product=[{"product_id": "P"}]))
        assert bars(found, "price_mix") == {"volume": -500}

    @pytest.mark.parametrize("quantity", [1.0, -1.0])
    def test_a_cancelled_invoice_leaves_no_gross(self, quantity):
        priced = {"list_price": 100.0, "kind": "invoice"}
        lines = [
            line("A", LAST, 1.0),
            line("A", NOW, 90.0, quantity=1.0, **priced),
            line("A", NOW, -90.0, quantity=quantity, **priced),
        ]
        assert steps(review(book(lines))) == {}

    def test_one_event_is_told_by_one_cost_whatever_sign_it_has(self):
        cost = {"cost_id": "1", "booked_on": NOW, "amount": 50.0, "kind": "exceptional"}
        each = {"from_on": NOW, "label": "X"}
        events = [
            {**each, "event_id": "a", "amount": 50.0},
            {**each, "event_id": "b", "amount": -50.0},
        ]
        found = review(book(SHEET, cost=[cost], event=events))
        rows = rows_of(found.exceptional, "record_id")
        assert [rows[key]["is_counted"] for key in ("1", "a", "b")] == [
            True,
            False,
            True,
        ]
        assert found.summary["operating"]["now"]["exceptional"] == -100.0

    def test_an_event_of_the_day_after_the_period_before_is_between(self):
        event = {"event_id": "a", "from_on": date(2025, 7, 1), "label": "X"}
        found = review(book(SHEET, event=[{**event, "amount": 1.0}]))
        assert rows_of(found.exceptional, "record_id")["a"]["period"] == "between"

    def test_groups_are_counted_and_kept_as_groups(self):
        accounts = [
            {"account_id": each, "parent_id": "B" if each == "A" else None}
            for each in "ABC"
        ]
        lines = [line("A", LAST, 100.0), line("B", LAST, 10.0), line("B", NOW, 120.0)]
        held = book([*lines, line("C", NOW, 5.0)], accounts=accounts)
        told = review(held, ReviewSettings(level="group")).summary["bridge"]
        assert told["logo_retention_share"] == 1.0
        assert told["gross_retention_share"] == 1.0
        assert told["account_counts"]["expansion"] == 1
        assert told["account_counts"]["revenue_before"] == 1
        alone = review(held).summary["bridge"]
        assert alone["logo_retention_share"] == 0.5

    def test_who_is_new_in_a_group_that_was_bought_came_with_it(self):
        accounts = [
            {"account_id": each, "parent_id": "A" if each == "B" else None}
            for each in "AB"
        ]
        bought = {"event_id": "e", "from_on": BETWEEN, "label": "X", "account_id": "A"}
        lines = [line("A", LAST, 10.0), line("A", NOW, 10.0), line("B", NOW, 7.0)]
        tables = {"event": [{**bought, "kind": "acquisition"}]}
        held = book(lines, accounts=accounts, **tables)
        found = review(held, ReviewSettings(level="group"))
        assert bars(found) == {"perimeter": 7}

    def test_a_concession_of_more_than_nothing_is_told(self):
        lines = [line("A", LAST, 1.0), line("A", NOW, 100.0)]
        lines += [
            line("A", NOW, 50.0, kind="goodwill"),
            line("A", NOW, 30.0, kind="refund"),
        ]
        told = warned(review(book(lines)), "concession_positive")
        assert told == {
            "n": 2,
            "amount": 80.0,
            "kinds": "goodwill, refund",
            "currency": "EUR",
        }

    def test_an_event_of_long_ago_still_says_who_has_left(self):
        left = {"event_id": "e", "from_on": OLD, "label": "X", "kind": "churn"}
        found = review(book(SHEET, event=[{**left, "account_id": "A"}]))
        assert rows_of(found.frame)["A"]["left_on"] == OLD

    @pytest.mark.parametrize(
        "wrong",
        [
            {"level": "parent"},
            {"dating": "origin"},
            {"measure": "net"},
            {"perimeter_accounts": "ABC"},
        ],
    )
    def test_a_setting_that_is_none_is_refused(self, wrong, tmp_path):
        (name,) = wrong
        with pytest.raises(SettingsError, match=name):
            ReviewSettings(**wrong)
        file = tmp_path / "s.toml"
        file.write_text(f"[review]\n{name} = {json.dumps(wrong[name])}\n")
        with pytest.raises(SettingsError, match=name):
            Settings.load(file)

    def test_a_perimeter_of_nobody_is_told(self):
        found = review(book(SHEET), ReviewSettings(perimeter_accounts=("A", "Z")))
        assert warned(found, "review_perimeter_unknown") == {"accounts": "Z"}

    def test_rates_of_another_base_are_no_rates_of_ours(self):
        rates = [
            {"currency": "USD", "base": base, "from_on": on, "rate": rate}
            for base, on, rate in (
                ("EUR", date(2024, 1, 1), 0.8),
                ("CHF", date(2024, 6, 1), 3.0),
            )
        ]
        lines = [line("B", LAST, 1.0), line("A", NOW, 100.0, currency="USD")]
        found = review(book(lines, exchange_rate=rates))
        assert found.summary["rates"][0]["rate_before"] == 0.8

    def test_a_rate_holds_from_its_own_day_on(self):
        rates = [
            {"currency": "USD", "base": "EUR", "from_on": on, "rate": rate}
            for on, rate in ((date(2025, 1, 1), 0.5), (date(2025, 6, 30), 182.5))
        ]
        lines = [line("B", LAST, 1.0), line("A", NOW, 100.0, currency="USD")]
        found = review(book(lines, exchange_rate=rates))
        mean = (180 * 0.5 + 182.5) / 181
        assert found.summary["rates"][0]["rate_before"] == pytest.approx(mean)

    def test_who_brought_less_than_nothing_cannot_be_kept(self):
        lines = [line("A", LAST, -10.0), line("A", NOW, 10.0), line("B", LAST, 1.0)]
        kept = review(book(lines)).summary["retention"]["others"]
        assert (kept["account_count"], kept["kept_count"]) == (1, 0)


def _overhead() -> list[dict]:
    return [{"cost_id": "8", "booked_on": NOW, "amount": 1.0, "kind": "overhead"}]
