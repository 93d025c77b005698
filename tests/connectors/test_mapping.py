"""A source's own words become model columns, by data."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio.connectors._mapping import (
    CONVERTERS,
    Field,
    extended,
    in_canonical_form,
    mapped,
    moments,
)
from crm_portfolio.errors import SettingsError
from crm_portfolio.schema import ColumnType

MAPPING = {
    "opportunity": (Field("opportunity_id", ("Id",), "id"), Field("name", ("Name",)))
}


def converted(name: str, values: list, zone: str = "UTC") -> list:
    return CONVERTERS[name]((pa.array(values),), zone).to_pylist()


@given(
    st.datetimes(
        min_value=datetime(1900, 1, 1),
        max_value=datetime(2200, 1, 1),
        timezones=st.just(UTC),
    ).map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))
)
def test_the_three_spellings_of_a_moment_are_one_moment(moment: datetime) -> None:
    clock = moment.strftime("%Y-%m-%dT%H:%M:%S") + f".{moment.microsecond // 1000:03d}"
    counted = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    spelt = [clock + "+0000", clock + "Z"]
    if abs(counted) >= 10**8:
        spelt.append(str(counted))
    assert moments(pa.array(spelt)).to_pylist() == [moment] * len(spelt)


def test_a_moment_that_is_not_said_is_null() -> None:
    assert moments(
        pa.array([None, "", "2026-01-01T01:00:00.000+0100"])
    ).to_pylist() == [
        None,
        None,
        datetime(2026, 1, 1, tzinfo=UTC),
    ]


def test_the_day_of_a_moment_is_the_day_in_the_zone_of_the_org() -> None:
    late = [datetime(2026, 1, 1, 3, tzinfo=UTC), None]
    stored = pa.array(late, pa.timestamp("us", "UTC"))
    there = CONVERTERS["day"]((stored,), "America/Los_Angeles")
    here = CONVERTERS["day"]((stored,), "Europe/Paris")
    assert there.to_pylist() == [date(2025, 12, 31), None]
    assert here.to_pylist() == [date(2026, 1, 1), None]


def test_a_day_becomes_the_moment_it_begins_in_the_zone_of_the_org() -> None:
    begins = CONVERTERS["moment"]((pa.array([date(2026, 7, 1)]),), "Europe/Paris")
    assert begins.to_pylist() == [datetime(2026, 6, 30, 22, tzinfo=UTC)]


def test_a_percent_becomes_a_share_and_null_stays_null() -> None:
    assert converted("percent", [75.0, None, 0.0]) == [0.75, None, 0.0]
    assert converted("percent", [" 12.5 ", ""]) == [0.125, None]


@pytest.mark.parametrize(
    ("website", "host"),
    [
        ("https://www.Acme.com/path?x=1", "acme.com"),
        ("acme.co.uk", "acme.co.uk"),
        ("HTTP://user@acme.com:8080/#top", "acme.com"),
        ("www.acme.com.", "acme.com"),
        (" acme.com ", "acme.com"),
        ("n/a", None),
        ("http://", None),
        ("see our page", None),
        ("", None),
        (None, None),
    ],
)
def test_a_website_becomes_its_host(website: str | None, host: str | None) -> None:
    assert CONVERTERS["host"](
        (pa.array([website], pa.string()),), "UTC"
    ).to_pylist() == [host]


def test_text_is_kept_as_it_came_and_only_empty_text_is_null() -> None:
    kept = [" Acme ", "NA", "null", "é\n\u202e", ""]
    assert converted("text", kept) == [*kept[:-1], None]
    assert converted("text", [True, None]) == ["true", None]


def test_text_in_a_number_column_is_left_for_the_normaliser_to_judge() -> None:
    assert converted("money", ["12.50", "n/a", ""]) == ["12.50", "n/a", None]


@pytest.mark.parametrize("kind", ColumnType.__args__)
def test_every_type_of_column_has_a_converter(kind: str) -> None:
    nothing = pa.nulls(2, pa.string())
    assert CONVERTERS[kind]((nothing,), "UTC").to_pylist() == [None, None]


def test_a_column_whose_source_is_absent_is_absent() -> None:
    raw = pa.table({"Id": ["1", "2"], "IsWon": [True, False]})
    fields = (
        Field("opportunity_id", ("Id",), "id"),
        Field("name", ("Name",)),
        Field("status", ("IsClosed", "IsWon")),
        Field("pipeline", constant="default"),
    )
    rows = mapped(raw, fields)
    assert rows.to_pydict() == {
        "opportunity_id": ["1", "2"],
        "pipeline": ["default", "default"],
    }


def test_values_that_do_not_fit_a_column_are_not_shown_in_the_error() -> None:
    raw = pa.table({"Stuff": [3.75]})
    with pytest.raises(
        SettingsError, match="contact_count: what Stuff holds"
    ) as caught:
        mapped(raw, (Field("contact_count", ("Stuff",), "integer"),))
    assert "3.75" not in str(caught.value)


def test_a_person_adds_a_field_and_it_is_read_as_its_column_is_typed() -> None:
    said = {
        "opportunity": {
            "loss_reason": "Loss_Reason__c",
            "discount_share": {"field": "Discount__c", "as": "percent"},
            "name": "Title__c",
        }
    }
    fields = {field.column: field for field in extended(MAPPING, said)["opportunity"]}
    assert fields["loss_reason"] == Field(
        "loss_reason", ("Loss_Reason__c",), "code", is_required=True
    )
    assert fields["discount_share"].convert == "percent"
    assert fields["name"].sources == ("Title__c",)
    assert fields["opportunity_id"].sources == ("Id",)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"oportunity": {"name": "X"}}, "did you mean 'opportunity'"),
        ({"opportunity": {"los_reason": "X"}}, "did you mean 'loss_reason'"),
        ({"opportunity": {"loss_reason": 3}}, 'write "Field_Name"'),
        ({"opportunity": {"loss_reason": {"field": "X", "az": "day"}}}, "Field_Name"),
        ({"opportunity": {"loss_reason": {"field": "X", "as": "dya"}}}, "'as' one of"),
        (
            {"opportunity": {"loss_reason": {"field": "X", "as": ["day"]}}},
            "'as' one of",
        ),
        ({"opportunity": "Loss_Reason__c"}, r"fields.opportunity: write \{column"),
        ({"opportunity": {"opportunity_id": "X"}}, "not yours to map"),
        ({"account": {"tier": "X"}}, "no table 'account'"),
    ],
)
def test_a_field_that_is_mapped_wrongly_is_named(said: dict, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        extended(MAPPING, said)


def test_our_own_fields_cannot_be_pointed_at_a_persons_field() -> None:
    mapping = {"account": (Field("account_id", ("Id",), "id"),)}
    for column in ("tier", "portfolio_stamp", "tier_pinned_by", "account_id"):
        with pytest.raises(SettingsError, match="not yours to map"):
            extended(mapping, {"account": {column: "Somebodys__c"}})


def test_what_we_write_is_read_in_the_form_in_which_it_compares() -> None:
    raw = pa.table(
        {
            "account_id": ["1 ", "2"],
            "tier": ["A  ", ""],
            "revenue_share": [0.12345678, None],
        }
    )
    said = in_canonical_form(raw, ["account_id", "tier", "revenue_share"])
    assert said.to_pydict() == {
        "account_id": ["1 ", "2"],
        "tier": ["A", None],
        "revenue_share": [0.123457, None],
    }
    assert in_canonical_form(raw.slice(0, 0), ["tier"])["tier"].type == pa.string()
