"""What does HubSpot fill in by itself when a record is made or moved?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from crm_portfolio.simulator.hubspot._text import exact_text
from crm_portfolio.simulator.hubspot._time import iso

if TYPE_CHECKING:
    from crm_portfolio.simulator.hubspot._portal import Portal

__all__ = ["implied"]

Values = Mapping[str, str | None]

# recorded: of records made by an app; the app's number is another.
_MADE: Final = {
    "hs_object_source": "INTEGRATION",
    "hs_object_source_id": "18221010",
    "hs_object_source_label": "INTEGRATION",
}
_BORN_WITH: Final[Mapping[str, Mapping[str, str]]] = {
    "companies": {
        "lifecyclestage": "lead",
        "hs_pipeline": "companies-lifecycle-pipeline",
    },
    "contacts": {
        "hs_is_contact": "true",
        "hs_is_unworked": "true",
        "hs_pipeline": "contacts-lifecycle-pipeline",
    },
    "tickets": {"hs_pipeline": "0", "hs_pipeline_stage": "1"},
}


def implied(
    portal: Portal, kind: str, values: Values, before: Values | None = None
) -> dict[str, str | None]:
    """The values of a write, and what follows from them.

    Args:
        before: The record as it stands; None: it is about to be made.
    """
    made = {} if before is not None else _of_birth(portal, kind, values)
    after = {**(before or {}), **made, **values}
    moved = _of_move(portal, kind, after, before, values)
    known = set(portal.stored(kind))
    more = {name: value for name, value in {**made, **moved}.items() if name in known}
    return {**more, **values}


def _of_birth(portal: Portal, kind: str, values: Values) -> dict[str, str | None]:
    known = portal.definitions.of(kind)
    made: dict[str, str | None] = {
        **_MADE,
        **{name: "0" for name, prop in known.items() if prop.is_count},
        **_BORN_WITH.get(kind, {}),
    }
    if kind == "companies":
        made["website"] = values.get("domain")  # recorded
        made["hs_annual_revenue_currency_code"] = portal.currency
    if kind == "contacts" and values.get("email"):
        made["hs_email_domain"] = str(values["email"]).rpartition("@")[2]
    return made


def _of_move(
    portal: Portal, kind: str, after: Values, before: Values | None, values: Values
) -> dict[str, str | None]:
    """What a new stage brings along."""
    name = {"deals": "dealstage", "companies": "lifecyclestage"}.get(
        kind, "hs_pipeline_stage"
    )
    stage = after.get(name)
    if before is not None and (name not in values or before.get(name) == stage):
        return {}
    now = iso(portal.clock.stored)
    moved: dict[str, str | None] = {}
    if stage is not None:
        moved["hs_v2_date_entered_current_stage"] = now
        moved["hs_v2_time_in_current_stage"] = now
        moved[f"hs_v2_date_entered_{stage}"] = now
    line, told = _stage(portal, kind, after, stage)
    is_closed = told.get("isClosed") == "true"
    if kind == "deals":
        moved["pipeline"] = line
        moved["hs_deal_stage_probability"] = (
            exact_text(float(told["probability"])) if told else None
        )
        was_closed = (before or {}).get("hs_is_closed") == "true"
        if is_closed and not was_closed and "closedate" not in values:
            moved["closedate"] = now  # vendor docs: set on moving to a closed stage
    if kind == "tickets":
        moved["hs_is_closed"] = "true" if is_closed else "false"
        moved["closed_date"] = now if is_closed else None
    return moved


def _stage(
    portal: Portal, kind: str, after: Values, stage: str | None
) -> tuple[str | None, Mapping[str, str]]:
    """The pipeline a record is in, and what its stage means there."""
    said = after.get("pipeline" if kind == "deals" else "hs_pipeline")
    for line in portal.pipelines.get(kind, []):
        for each in line["stages"]:
            if each["id"] == stage and said in (None, line["id"]):
                return line["id"], each["metadata"]
    return said, {}
