"""Do the models say of the CDNOW buyers what was published, and what of others' books?

Published: Fader, Hardie and Lee (2005), Fader and Hardie (2013); more digits are those of
the data's README.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from loaders import maven_tables, ravenstack_tables

from crm_portfolio._frames import to_arrow
from crm_portfolio._methods._bg_nbd import (
    Streams,
    expected_purchases,
    fitted,
    log_likelihood,
)
from crm_portfolio.analysis import (
    LifetimeValueResult,
    LifetimeValueSettings,
    lifetime_value,
)
from crm_portfolio.portfolio import Period, Portfolio

CALIBRATION = Period.between(date(1997, 1, 1), date(1997, 10, 1))
WEEKS_39 = 39 * 7 / 365.25
HELD_OUT = 1882


@pytest.fixture(scope="module")
def sample(shared_data: Path) -> list[tuple[str, date, float]]:
    """Customer of the sample, day, dollars."""
    lines = (shared_data / "cdnow" / "CDNOW_sample.txt").read_text().splitlines()
    cells = [line.split() for line in lines]
    return [
        (who, date(int(day[:4]), int(day[4:6]), int(day[6:])), float(dollars))
        for _, who, day, _, dollars in cells
    ]


@pytest.fixture(scope="module")
def found(sample: list[tuple[str, date, float]]) -> LifetimeValueResult:
    """A first order of nothing (8 of them) is booked as a cent: it is a purchase there."""
    book = Portfolio.from_frames(
        as_of=date(1998, 6, 30),
        currency="USD",
        account=pa.table({"account_id": sorted({who for who, _, _ in sample})}),
        revenue_line=pa.table(
            {
                "line_id": [f"{at:05}" for at in range(len(sample))],
                "account_id": [who for who, _, _ in sample],
                "booked_on": pa.array([day for _, day, _ in sample], pa.date32()),
                "amount": [dollars or 0.01 for _, _, dollars in sample],
            }
        ),
    )
    return lifetime_value(
        book,
        LifetimeValueSettings(
            period=CALIBRATION, horizon_years=WEEKS_39, discount_share=0.0
        ),
    )


@pytest.fixture(scope="module")
def streams(shared_data: Path) -> Streams:
    table = pd.read_csv(shared_data / "cdnow" / "cdnow_customers_summary.csv")
    return Streams.of(table["frequency"], table["recency"], table["T"])


class TestTheSummary:
    def test_the_published_parameters(self, streams: Streams) -> None:
        """r .24259, alpha 4.4135, a .79289, b 2.42575, log-likelihood −9582.43."""
        model = fitted(streams)
        assert model is not None
        assert (round(model.r, 5), round(model.alpha, 4)) == (0.24259, 4.4135)
        assert (round(model.a, 5), round(model.b, 5)) == (0.79289, 2.42575)
        assert round(log_likelihood(model, streams), 2) == -9582.43

    def test_the_next_39_weeks(self, streams: Streams) -> None:
        """1,653.4 purchases are expected; there were 1,882."""
        model = fitted(streams)
        assert model is not None
        each = expected_purchases(model, streams.x, streams.tx, streams.T, 39.0)
        assert round(float((each * streams.weight).sum()), 1) == 1653.4


class TestTheSample:
    def test_it_has_the_repeats_of_the_readme(
        self, sample: list[tuple[str, date, float]], found: LifetimeValueResult
    ) -> None:
        """2,457 repeat purchases; 1,882 in the weeks held out, one a day."""
        repeats = to_arrow(found.frame)["repeat_purchases"].to_numpy()
        assert (repeats.size, int(repeats.sum())) == (2357, 2457)
        later = {(who, day) for who, day, _ in sample if day >= date(1997, 10, 1)}
        assert len(later) == HELD_OUT

    def test_the_parameters_of_the_rebuilt_summary(
        self, found: LifetimeValueResult
    ) -> None:
        """README: r .24260, alpha 4.4136, a .7929, b 2.4259, weeks being days / 7.

        It is .2425945: the README's fifth digit of r is one above.
        """
        model = found.summary["model"]
        assert model["r"] == pytest.approx(0.24260, abs=1e-5)
        assert round(model["alpha"], 4) == 4.4136
        assert (round(model["a"], 4), round(model["b"], 4)) == (0.7929, 2.4259)
        assert round(model["log_likelihood"], 2) == -9582.43
        assert round(model["expected_purchases"], 1) == 1653.4

    def test_what_a_purchase_is_worth(self, found: LifetimeValueResult) -> None:
        """946 customers; p 6.2496, q 3.7442, v 15.4435."""
        model = found.summary["model"]
        assert model["valued_count"] == 946
        assert round(model["p"], 4) == 6.2496
        assert round(model["q"], 4) == 3.7442
        assert round(model["v"], 4) == 15.4435
        assert abs(model["correlation"]) < 0.3

    def test_the_first_ten_customers(self, found: LifetimeValueResult) -> None:
        """Sheet 7.8 [P], to ±0.1."""
        told = [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17]
        frame = to_arrow(found.frame).sort_by("account_id").slice(0, 10)
        assert frame["account_id"].to_pylist() == [f"{at:04}" for at in range(1, 11)]
        assert frame["purchase_value"].to_pylist() == pytest.approx(told, abs=0.1)

    def test_the_score_is_that_of_pandas(
        self, sample: list[tuple[str, date, float]], found: LifetimeValueResult
    ) -> None:
        """Fifths by average rank, counted again."""
        orders = pd.DataFrame(sample, columns=["who", "day", "dollars"])
        orders = orders[orders["day"] < date(1997, 10, 1)]
        by = orders.groupby("who").agg(
            last=("day", "max"), days=("day", "nunique"), money=("dollars", "sum")
        )
        by["last"] = pd.to_datetime(by["last"])
        by["money"] = by["money"].round(2).clip(lower=0.01)
        ranks = by.rank(method="average")
        fifths = np.ceil((5 * ranks / len(by)).round(9)).astype(int)
        expected = fifths.astype(str).agg("-".join, axis=1).to_dict()
        frame = to_arrow(found.frame)
        codes = dict(
            zip(frame["account_id"].to_pylist(), frame["rfm"].to_pylist(), strict=True)
        )
        assert codes == expected


def test_a_year_ahead_of_maven_nobody_has_left_and_nobody_pretends(
    shared_data: Path,
) -> None:
    """85 accounts are too few for a model, and one year shows no tier that loses any."""
    book = Portfolio.from_frames(
        as_of=date(2017, 12, 31),
        currency="USD",
        **maven_tables(shared_data / "maven_crm"),
    )
    result = lifetime_value(book)
    codes = [warning.code for warning in result.warnings]
    assert codes[0] == "few_repeat_clients"
    assert "ltv_retentions_unknown" in codes
    assert result.summary["value"] is None
    assert result.summary["rfm"]["scored_count"] == 85
    stays = lifetime_value(book, LifetimeValueSettings(retention=0.8))
    assert stays.summary["value"] is not None


def test_the_contracts_of_ravenstack_run_and_are_valued_as_such(
    shared_data: Path,
) -> None:
    """README: 4,514 run on over all 500 accounts; what ends on the last day runs on it."""
    day = date(2024, 12, 31)
    tables = ravenstack_tables(shared_data / "ravenstack_saas", day)
    book = Portfolio.from_frames(as_of=day, currency="USD", **tables)
    result = lifetime_value(book)
    assert result.summary["methods"]["contract"]["account_count"] == 500
    ends = tables["contract"]["ends_on"].to_pylist()
    assert ends.count(None) == 4514
    running = sum(to_arrow(result.frame)["contracts_running"].to_pylist())
    assert running == 4514 + ends.count(day)
    kept = result.summary["retention"]
    assert kept["kept_count"] == kept["contract_count"] > 500
    assert "ltv_nothing_ended" in [warning.code for warning in result.warnings]
