"""Which stages does the org have, and what does a stage make of an opportunity?

vendor docs: closed, won and the forecast category are not an opportunity's own: they
follow from its stage, whose master list is OpportunityStage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.errors import DataError
from crm_portfolio.simulator.salesforce._ids import LOADED, new_ids
from crm_portfolio.simulator.salesforce._model import Given

__all__ = ["Stages"]

# As in a new org: label, status, default probability.
_STANDARD: Final = (
    ("Prospecting", "open", 10.0),
    ("Qualification", "open", 10.0),
    ("Needs Analysis", "open", 20.0),
    ("Value Proposition", "open", 50.0),
    ("Id. Decision Makers", "open", 60.0),
    ("Perception Analysis", "open", 70.0),
    ("Proposal/Price Quote", "open", 75.0),
    ("Negotiation/Review", "open", 90.0),
    ("Closed Won", "won", 100.0),
    ("Closed Lost", "lost", 0.0),
)
_FORMER_ODDS: Final = 10.0
_FORECAST: Final = {"open": "Pipeline", "won": "Closed", "lost": "Omitted"}
_STATUSES: Final = tuple(_FORECAST)


@attrs.frozen
class _Stage:
    name: str
    position: int
    status: str
    probability: float | None
    is_active: bool = True


class Stages:
    """The org's stages: those of the table, else of the opportunities, else standard."""

    def __init__(
        self, table: pa.Table | None, opportunity: Given, changes: Given
    ) -> None:
        self._opportunity = opportunity
        if table is not None and table.num_rows:
            self._stages = _from_table(Given("stage", table))
        elif "stage" in opportunity and "status" in opportunity:
            self._stages = _from_opportunities(opportunity)
        else:
            self._stages = ()
        if not self._stages:
            self._stages = tuple(
                _Stage(name, place, status, probability)
                for place, (name, status, probability) in enumerate(_STANDARD, start=1)
            )
        self.names = tuple(stage.name for stage in self._stages)
        self._listed = (*self._stages, *self._former(changes))

    def _former(self, changes: Given) -> Iterator[_Stage]:
        """Stages that only the past knows: renamed since, or no longer offered."""
        is_stage = pc.equal(changes.get("field"), "stage")
        told = [changes.get(side).filter(is_stage) for side in ("old", "new")]
        for name in sorted(pc.unique(pa.concat_arrays(told)).drop_null().to_pylist()):
            if name not in self.names:
                place = len(self._stages) + 1
                yield _Stage(name, place, "open", _FORMER_ODDS, is_active=False)

    @property
    def former(self) -> frozenset[str]:
        return frozenset(stage.name for stage in self._listed if not stage.is_active)

    def odds(self) -> pa.Table:
        """stage, its default odds and its forecast."""
        derived = _derived(pa.array([s.status for s in self._listed], pa.string()))
        return pa.table(
            {
                "stage": pa.array([s.name for s in self._listed], pa.string()),
                "odds": pa.array([s.probability for s in self._listed], pa.float64()),
                "forecast": derived["ForecastCategory"],
            }
        )

    @property
    def count(self) -> int:
        return len(self._listed)

    def records(self, marks: Mapping[str, pa.Array]) -> pa.Table:
        """The rows of OpportunityStage."""
        count, names = len(self._listed), [stage.name for stage in self._listed]
        statuses = [stage.status for stage in self._listed]
        return pa.table(
            {
                "Id": new_ids("01J", LOADED, first=1, count=count),
                "MasterLabel": names,
                "ApiName": names,
                "IsActive": [stage.is_active for stage in self._listed],
                "SortOrder": [stage.position for stage in self._listed],
                **_derived(pa.array(statuses, pa.string())),
                "DefaultProbability": pa.array(
                    [stage.probability for stage in self._listed], pa.float64()
                ),
                "CreatedDate": marks["SystemModstamp"],
                **marks,
            }
        )

    def of_opportunities(self) -> dict[str, pa.Array]:
        """Stage, and what follows from it, for each loaded opportunity."""
        given = self._opportunity
        names, statuses = pa.array(self.names), [stage.status for stage in self._stages]
        said, status = given.get("stage"), given.get("status")
        place = pc.index_in(said, value_set=names)
        of_stage = pa.array(statuses, pa.string()).take(place)
        status = pc.coalesce(status, of_stage)
        self._check(said, status, of_stage)
        firsts = [_first(self._stages, wanted) for wanted in _STATUSES]
        fallback = pa.array(firsts).take(
            pc.index_in(status, value_set=pa.array(_STATUSES))
        )
        stage = pc.coalesce(said, fallback)
        place = pc.index_in(stage, value_set=names)
        defaults = pa.array([s.probability for s in self._stages], pa.float64())
        return {
            "StageName": stage,
            **_derived(status),
            "Probability": _percent(given.get("probability"))
            if "probability" in given
            else defaults.take(place),
            "LastStageChangeDate": pa.nulls(given.count, pa.timestamp("us")),
        }

    def _check(self, said: pa.Array, status: pa.Array, of_stage: pa.Array) -> None:
        given = self._opportunity
        unknown = pc.invert(pc.is_in(status, value_set=pa.array(_STATUSES)))
        wrong = pc.fill_null(pc.not_equal(status, of_stage), fill_value=False)
        for rows, problem in (
            (unknown, "has no status: it is open, won or lost"),
            (wrong, "has a status that its stage contradicts"),
        ):
            if pc.any(rows).as_py():
                example = given.keys().filter(rows)[0].as_py()
                count = pc.sum(rows).as_py()
                raise DataError(
                    f"{count} opportunities: {example!r}, for one, {problem}"
                )
        homeless = pc.and_(pc.is_null(said), pc.is_valid(status))
        for wanted in pc.unique(status.filter(homeless)).to_pylist():
            if _first(self._stages, wanted) is None:
                raise DataError(
                    f"no stage is {wanted}, but opportunities without one are"
                )


def _from_table(given: Given) -> tuple[_Stage, ...]:
    columns: dict[str, list[Any]] = {
        name: given.get(name).to_pylist() for name in ("stage", "position", "status")
    }
    odds = _percent(given.get("default_probability")).to_pylist()
    rows = zip(
        columns["stage"], columns["position"], columns["status"], odds, strict=True
    )
    found: dict[str, _Stage] = {}
    for name, position, status, probability in rows:
        if name is None or status not in _STATUSES:
            raise DataError(
                f"stage {name!r} needs a name and a status open, won or lost"
            )
        known = found.setdefault(name, _Stage(name, position, status, probability))
        if known.status != status:
            # One StageName picklist serves all pipelines.
            raise DataError(
                f"stage {name!r} is {known.status} in one pipeline, {status} in another"
            )
    return tuple(
        sorted(found.values(), key=lambda stage: (stage.position or 0, stage.name))
    )


def _from_opportunities(given: Given) -> tuple[_Stage, ...]:
    pairs = pa.table({"stage": given.get("stage"), "status": given.get("status")})
    seen = pairs.group_by(["stage", "status"]).aggregate([]).to_pylist()
    known = [row for row in seen if row["stage"] and row["status"] in _STATUSES]
    known.sort(key=lambda row: (_STATUSES.index(row["status"]), row["stage"]))
    names = [row["stage"] for row in known]
    doubted = sorted({name for name in names if names.count(name) > 1})
    if doubted:
        raise DataError(f"stage {doubted[0]!r} has opportunities of different status")
    odds = {"open": 50.0, "won": 100.0, "lost": 0.0}
    return tuple(
        _Stage(row["stage"], place, row["status"], odds[row["status"]])
        for place, row in enumerate(known, start=1)
    )


def _first(stages: tuple[_Stage, ...], status: str) -> str | None:
    return next((stage.name for stage in stages if stage.status == status), None)


def _derived(status: pa.Array) -> dict[str, pa.Array]:
    forecast = pa.array(list(_FORECAST.values())).take(
        pc.index_in(status, value_set=pa.array(_STATUSES))
    )
    return {
        "IsClosed": pc.not_equal(status, "open"),
        "IsWon": pc.equal(status, "won"),
        "ForecastCategory": forecast,
        "ForecastCategoryName": forecast,
    }


def _percent(share: pa.Array) -> pa.Array:
    """Shares as percents; rounded, so that dividing by 100 gives the share back."""
    return pc.round(pc.multiply(share, 100.0), ndigits=10)
