"""What does the model's history of opportunities look like as property history?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.simulator._given import Given
from crm_portfolio.simulator.hubspot._keys import Keys
from crm_portfolio.simulator.hubspot._stages import DealStages
from crm_portfolio.simulator.hubspot._text import moments_text

__all__ = ["Changes"]

_MOMENT: Final = pa.timestamp("us")
_PROPERTIES: Final = {
    "amount": "amount",
    "stage": "dealstage",
    "pipeline": "pipeline",
    "expected_close_on": "closedate",
    "probability": "hs_deal_stage_probability",
    "name": "dealname",
    "owner_id": "hubspot_owner_id",
    "next_step": "hs_next_step",
    "loss_reason": "closed_lost_reason",
}


class Changes:
    """What the deals' properties said before, and when they changed."""

    def __init__(
        self,
        changes: Given,
        opportunity: Given,
        keys: Mapping[str, Keys],
        stages: DealStages,
    ) -> None:
        self._changes, self._opportunity = changes, opportunity
        self._keys, self._stages = keys, stages

    def history(self) -> pa.Table:
        """Each new value at its moment, and before them the first old one at birth."""
        return pa.concat_tables([_entries(), *self._told()])

    def _told(self) -> Iterator[pa.Table]:
        given, deals = self._changes, self._keys["opportunity"]
        whose = deals.numbers_of(given.get("opportunity_id"))
        at = given.get("changed_at").cast(_MOMENT)
        for field, name in _PROPERTIES.items():
            rows = pc.and_(pc.equal(given.get("field"), field), pc.is_valid(whose))
            if not pc.any(rows).as_py():
                continue
            who, when = whose.filter(rows), at.filter(rows)
            old = self._text(field, given.get("old"), rows)
            new = self._text(field, given.get("new"), rows)
            yield _entries(who, name, new, when)
            first = _first_of_each(who, when)
            born = self._born().take(pc.index_in(who, value_set=deals.numbers))
            earlier = pc.min_element_wise(born, when)
            yield _entries(who.take(first), name, old.take(first), earlier.take(first))

    def _text(self, field: str, said: pa.Array, rows: pa.Array) -> pa.Array:
        if field == "stage":
            return self._stages.ids_of(self._lines().filter(rows), said.filter(rows))
        if field == "pipeline":
            return self._stages.line_ids_of(said.filter(rows))
        if field == "owner_id":
            return self._keys["owner"].of(said.filter(rows))
        if field == "expected_close_on":
            days = said.filter(rows)
            return pc.binary_join_element_wise(days, "T00:00:00Z", "")
        return said.filter(rows)

    def _lines(self) -> pa.Array:
        place = pc.index_in(
            self._changes.get("opportunity_id"), value_set=self._opportunity.keys()
        )
        return self._opportunity.get("pipeline").take(place)

    def _born(self) -> pa.Array:
        said = self._opportunity.get("created_at").cast(_MOMENT)
        return pc.coalesce(said, pa.scalar(946_728_000_000_000).cast(_MOMENT))

    def entered(
        self, stage: pa.Array, closes: pa.Array, born: pa.Array
    ) -> dict[str, pa.Array]:
        """Vendor docs: when each deal entered each stage, as far as history tells."""
        deals = self._keys["opportunity"]
        latest = {
            name: pa.nulls(len(stage), pa.string()) for name in self._stages.all_ids()
        }
        for entries in self._told():
            if len(entries) and entries["property"][0].as_py() == "dealstage":
                for name, known in list(latest.items()):
                    rows = pc.equal(entries["value"], name)
                    place = pc.index_in(
                        deals.numbers, value_set=entries["id"].filter(rows)
                    )
                    when = moments_text(entries["at"].filter(rows).combine_chunks())
                    latest[name] = pc.coalesce(known, when.take(place))
        closed = pc.is_in(stage, pa.array(self._closed(), pa.string()))
        otherwise = pc.if_else(closed, closes, moments_text(born))
        return {
            f"hs_v2_date_entered_{name}": pc.coalesce(
                known,
                pc.if_else(
                    pc.equal(stage, name), otherwise, pa.scalar(None, pa.string())
                ),
            )
            for name, known in latest.items()
        }

    def current(self, stage: pa.Array, entered: Mapping[str, pa.Array]) -> pa.Array:
        """When each deal entered the stage it is in."""
        found = pa.nulls(len(stage), pa.string())
        for name in self._stages.all_ids():
            since = entered[f"hs_v2_date_entered_{name}"]
            found = pc.if_else(pc.equal(stage, name), since, found)
        return found

    def _closed(self) -> list[str]:
        return [
            stage["id"]
            for line in self._stages.pipelines()
            for stage in line["stages"]
            if stage["metadata"]["isClosed"] == "true"
        ]


def _entries(
    who: pa.Array | None = None,
    name: str = "",
    value: pa.Array | None = None,
    at: pa.Array | None = None,
) -> pa.Table:
    count = 0 if who is None else len(who)
    return pa.table(
        {
            "object": pa.repeat("deals", count),
            "id": pa.array([], pa.int64()) if who is None else who,
            "property": pa.repeat(name, count),
            "value": pa.array([], pa.string()) if value is None else value,
            "at": pa.array([], _MOMENT) if at is None else at,
            "source_type": pa.repeat("CRM_UI", count),
        }
    )


def _first_of_each(who: pa.Array, when: pa.Array) -> pa.Array:
    """Where the earliest row of each stands."""
    rows = pa.table({"who": who, "when": when, "at": pa.array(range(len(who)))})
    ordered = rows.sort_by([("who", "ascending"), ("when", "ascending")])
    ids = ordered["who"].combine_chunks()
    is_first = (
        pc.not_equal(ids[1:], ids[:-1]) if len(ids) > 1 else pa.array([], pa.bool_())
    )
    kept = pa.concat_arrays([pa.array([True] if len(ids) else []), is_first])
    return ordered["at"].combine_chunks().filter(kept)
