"""How much may one plan touch before a person must look at it?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import attrs

from crm_portfolio._managed import FIELDS, STAMP
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.protocols import Change

__all__ = ["Limits", "Policy", "Refusal", "refusals"]

# When the books close, every account's share of the total moves a little, and one large
# order can shift every rank: only decisions are held to `max_share` by default.
_MEASURES: Final[Mapping[str, float]] = {"portfolio_rank": 1.0, "revenue_share": 1.0}


def _is_share(_: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not 0 <= value <= 1:
        raise SettingsError(
            f"limits.{attribute.name} is a share from 0 to 1, not {value}"
        )


def _is_count(_: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not 0 <= value < math.inf:
        raise SettingsError(
            f"limits.{attribute.name} is a number from 0 on, not {value}"
        )


def _are_shares(
    limits: object, attribute: attrs.Attribute[Any], value: Mapping[str, float]
) -> None:
    for column, share in value.items():
        if column not in FIELDS:
            raise SettingsError(
                f"limits.{attribute.name} names {column!r}, which is no managed field"
                + did_you_mean(column, FIELDS)
            )
        _is_share(limits, attribute, share)


@attrs.frozen
class Limits:
    """What a plan may touch, per field; first fills are not counted.

    Attributes:
        max_share: Share of the accounts on which one field may change.
        max_share_by_field: The same for single fields. Rank and revenue share, which move
            everywhere when the books close, are free unless they are named here.
        min_changes: So many changes of a field are always allowed, however small the
            portfolio is.
        max_emptied: Accounts on which one field may lose its value.
        max_missing_share: Share of the accounts in the results that the CRM may not have.
        max_age_hours: A plan older than this is not applied.
    """

    max_share: float = attrs.field(default=0.2, validator=_is_share)
    max_share_by_field: Mapping[str, float] = attrs.field(
        factory=dict, converter=dict, validator=_are_shares, hash=False
    )
    min_changes: int = attrs.field(default=10, validator=_is_count)
    max_emptied: int = attrs.field(default=5, validator=_is_count)
    max_missing_share: float = attrs.field(default=0.2, validator=_is_share)
    max_age_hours: float = attrs.field(default=24.0, validator=_is_count)

    def share_of(self, column: str) -> float:
        """The share of accounts on which this field may change."""
        usual = _MEASURES.get(column, self.max_share)
        return self.max_share_by_field.get(column, usual)


@attrs.frozen
class Policy:
    """What happens to an account that a person edited: its stamp no longer fits.

    ``keep`` plans no change for it and reports it; ``overwrite`` plans and reports.
    """

    edited: Literal["keep", "overwrite"] = attrs.field(default="keep")

    @edited.validator
    def _is_known(self, _: attrs.Attribute[str], value: str) -> None:
        if value not in {"keep", "overwrite"}:
            raise SettingsError(
                f"policy.edited is 'keep' or 'overwrite', not {value!r}"
            )


@attrs.frozen
class Refusal:
    """One limit that a plan exceeds; as text, a sentence that says so."""

    rule: Literal["changed", "emptied", "missing"]
    column: str
    count: int
    limit: int
    population: int

    def __str__(self) -> str:
        match self.rule:
            case "changed":
                what = f"{self.column} would change on {self.count:,} accounts"
            case "emptied":
                what = f"{self.column} would be emptied on {self.count:,} accounts"
            case _:
                what = f"{self.count:,} accounts of the results are not in the CRM"
        return f"{what}; the limit is {self.limit:,} of {self.population:,}."


def refusals(
    changes: Iterable[Change],
    *,
    missing_count: int,
    population: int,
    limits: Limits,
    accepted: Mapping[str, int],
) -> tuple[Refusal, ...]:
    """Every limit that these changes, first fills left out, exceed.

    ``accepted`` says per field how many changes are allowed whatever the limits say.
    """
    changed: Counter[str] = Counter()
    emptied: Counter[str] = Counter()
    for change in changes:
        if change.column != STAMP:  # a stamp only follows another change
            changed[change.column] += 1
            emptied[change.column] += change.after is None
    found = []
    for column, count in sorted(changed.items()):
        free = accepted.get(column, 0)
        by_share = int(limits.share_of(column) * population + 1e-9)
        allowed = max(by_share, limits.min_changes, free)
        if count > allowed:
            found.append(Refusal("changed", column, count, allowed, population))
        allowed = max(limits.max_emptied, free)
        if emptied[column] > allowed:
            found.append(
                Refusal("emptied", column, emptied[column], allowed, population)
            )
    expected = population + missing_count
    allowed = max(int(limits.max_missing_share * expected + 1e-9), limits.min_changes)
    if missing_count > allowed:
        found.append(Refusal("missing", "", missing_count, allowed, expected))
    return tuple(found)
