"""Which pipelines and stages are shown?"""

from __future__ import annotations

import pytest


@pytest.fixture(params=["/crm/v3/pipelines", "/crm/pipelines/2026-09"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_stages_stand_in_their_pipeline_with_metadata_of_text(raw, path):
    (line,) = raw("GET", f"{path}/deals").json()["results"]
    assert (line["id"], line["label"]) == ("default", "Sales")
    told = {stage["label"]: stage["metadata"] for stage in line["stages"]}
    assert told == {
        "Offer": {"isClosed": "false", "probability": "0.5"},
        "Won": {"isClosed": "true", "probability": "1.0"},
        "Lost": {"isClosed": "true", "probability": "0.0"},
    }
    assert raw("GET", f"{path}/deals/default").json() == line
    stages = raw("GET", f"{path}/deals/default/stages").json()["results"]
    assert stages == line["stages"]


def test_tickets_have_a_pipeline_and_companies_have_none(raw, path):
    (line,) = raw("GET", f"{path}/tickets").json()["results"]
    assert [stage["metadata"]["isClosed"] for stage in line["stages"]][-1] == "true"
    assert raw("GET", f"{path}/companies").json() == {"results": []}


def test_an_unknown_pipeline_is_not_found(raw, path):
    assert raw("GET", f"{path}/deals/nothing").status_code == 404
    assert raw("GET", f"{path}/whizbangs").status_code == 404


def test_pipelines_need_the_right_to_their_records(raw, portal, path):
    portal.revoke_scope("crm.objects.deals.read")
    assert raw("GET", f"{path}/deals").status_code == 403
