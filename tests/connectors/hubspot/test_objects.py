"""Are pages followed by their own word only, and strange ones refused?"""

from __future__ import annotations

import pickle

import pyarrow as pa
import pytest

from crm_portfolio.connectors._retry import TimedError
from crm_portfolio.connectors.hubspot import HubSpotSettings
from crm_portfolio.connectors.hubspot import _paths as paths
from crm_portfolio.connectors.hubspot._columns import Layout, layout, record_sources
from crm_portfolio.connectors.hubspot._objects import batch_read, listed
from crm_portfolio.errors import ConnectorError, SettingsError, TransientError

PROPERTIES = {
    "name": "string",
    "annualrevenue": "number",
    "createdate": "datetime",
    "portfolio_tier_since": "date",
    "hs_parent_company_id": "number",
}


def companies() -> Layout:
    (source,) = record_sources(HubSpotSettings())["account"]
    return layout("account", source, PROPERTIES, stages=lambda _: pa.table({}))


def record(number: int, **properties: object) -> dict[str, object]:
    return {"id": str(number), "properties": properties, "archived": False}


def table(*records: dict[str, object]) -> list[dict[str, object]]:
    return companies().plan("Europe/Paris").of_records(records).to_pylist()


def test_a_next_link_to_another_host_is_not_followed(strange) -> None:
    following = {"after": "7", "link": "https://evil.example/crm/v3/objects/companies"}
    strange.says(
        {"results": [record(1)], "paging": {"next": following}},
        {"results": [record(7)]},
    )
    pages = list(listed(strange.client(), companies()))
    assert [page.records[0]["id"] for page in pages] == ["1", "7"]
    assert "after=7" in strange.paths[1]
    assert len(strange.paths) == 2


def test_null_bytes_are_left_out_of_texts_and_nothing_else_is(strange) -> None:
    r"""As an export leaves them out; a text may speak of \\u0000, though."""
    name = rb"\u0000a\u0000\u0000b \\u0000 \\\u0000c"
    body = b'{"results":[{"id":"1","properties":{"name":"%s"}}]}' % name
    strange.says(body)
    (page,) = listed(strange.client(), companies())
    assert page.records[0]["properties"]["name"] == "ab \\u0000 \\c"


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"results": {}},
        {"results": [], "paging": {"next": {"link": "https://evil.example"}}},
        {"results": [], "paging": {"next": {"after": ""}}},
    ],
)
def test_a_page_that_is_none_is_unreadable(strange, body) -> None:
    strange.says(body)
    with pytest.raises(TransientError, match="cannot be read"):
        list(listed(strange.client(), companies()))


def test_who_answers_under_another_id_is_absent(strange) -> None:
    strange.says({"results": [record(1), record(9)], "errors": [{"context": {}}]})
    found = batch_read(strange.client(), "companies", ["1", "2"], ["name"])
    assert list(found) == ["1"]


def test_values_of_text_become_what_they_are() -> None:
    found = table(
        record(1, annualrevenue="1250.50", createdate="2026-01-31T23:30:00.000Z"),
        record(2, annualrevenue="", createdate="1769902200000", name="NA"),
        record(3, annualrevenue=None, hs_parent_company_id="12345678901", name=""),
    )
    assert [row["account_turnover"] for row in found] == [1250.5, None, None]
    assert [str(row["created_on"]) for row in found] == [
        "2026-02-01",
        "2026-02-01",
        "None",
    ]
    assert [row["name"] for row in found] == [None, "NA", None]
    assert found[2]["parent_id"] == "12345678901"


@pytest.mark.parametrize(
    "said", ["2026-03-01", "2026-03-01T00:00:00.000Z", "1772323200000"]
)
def test_a_date_is_the_same_day_however_it_is_said(said: str) -> None:
    (row,) = table(record(1, portfolio_tier_since=said))
    assert str(row["tier_since_on"]) == "2026-03-01"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("annualrevenue", "1,250"),
        ("createdate", "yesterday"),
        ("portfolio_tier_since", "2026-13-01"),
    ],
)
def test_a_value_that_is_not_of_its_property_s_type_is_named_and_not_shown(
    name: str, said: str
) -> None:
    """Or a column would be a number in one batch and text in the next."""
    with pytest.raises(SettingsError, match=name) as caught:
        table(record(1, **{name: said}), record(2))
    assert said not in str(caught.value)


def test_columns_are_typed_where_nobody_said_anything() -> None:
    for records in ([record(1)], [record(1, annualrevenue="7")], []):
        rows = companies().plan("UTC").of_records(records)
        assert rows.schema.field("account_turnover").type == pa.float64()
        assert rows.schema.field("created_on").type == pa.date32()


def test_a_value_that_is_not_text_is_a_clear_error() -> None:
    with pytest.raises(ConnectorError, match="not of its property's type"):
        table(record(1, name={"a": 1}))


@pytest.mark.parametrize("name", ["../owners", "a/b", "", "a?b", "a b", "é"])
def test_a_name_that_would_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="no HubSpot name"):
        paths.listing(name)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tables": "account"},
        {"tables": ("acount",)},
        {"paths": "v5"},
        {"exports": "sometimes"},
        {"objects": {"account": "p1/../contacts"}},
        {"objects": {"nothing": "p1_thing"}},
        {"loss_reason": "a b"},
        {"timeout": (0, 1)},
        {"at_once": 0},
        {"search_calls": 0},
    ],
)
def test_settings_that_are_none_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        HubSpotSettings(**wrong)


@pytest.mark.parametrize(
    "fields",
    [
        {"nothing": {"name": "name"}},
        {"account": {"nme": "name"}},
        {"account": {"tier": "own_tier"}},
        {"account": {"segment": {"field": "industry", "as": "colour"}}},
        {"account": "industry"},
    ],
)
def test_a_mapping_that_is_none_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        record_sources(HubSpotSettings(fields=fields))


def test_an_error_that_names_a_wait_crosses_processes() -> None:
    error = pickle.loads(pickle.dumps(TimedError("hubspot", "wait", "HTTP 423", 2.0)))
    assert (str(error), error.seconds) == ("hubspot: wait (HTTP 423)", 2.0)
