"""How much may one plan touch before a person must look at it?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import attrs

from crm_portfolio import schema
from crm_portfolio._managed import FIELDS, VALUES
from crm_portfolio._takes import is_share
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.protocols import Change, Value
from crm_portfolio.writeback._counted import OFTEN_UNKNOWN, Counted

__all__ = [
    "Ground",
    "Limits",
    "Policy",
    "Refusal",
    "Treatment",
    "ladder",
    "refused_changes",
    "refused_counts",
    "refused_input",
]

# When the books close, every account's share of the total moves a little, and one large
# order can shift every rank: only decisions are held to `max_share` by default.
_MEASURES: Final[Mapping[str, float]] = {
    "portfolio_rank": 1.0,
    "revenue_share": 1.0,
    "win_back_rank": 1.0,
}
# An opportunity is opened again, or is not worth another try any more: a few lose their
# value every night, however many there are.
_LAPSING: Final = frozenset(VALUES["opportunity"])
_JUMPS_SHARE: Final = 0.02
# Shares are decimal fractions: 0.29 of 100 accounts are 29, not 28.999….
_ROUNDING: Final = 1e-9


def _is_count(_: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not 0 <= value < math.inf:
        raise SettingsError(
            f"limits.{attribute.name} is a number from 0 on, not {value}"
        )


def _are_shares(
    limits: object, attribute: attrs.Attribute[Any], value: Mapping[str, float]
) -> None:
    for column, share in value.items():
        _is_named(f"limits.{attribute.name}", column, FIELDS, "managed field")
        is_share(limits, attribute, share)


def _are_columns(
    _: object, attribute: attrs.Attribute[Any], value: Iterable[str]
) -> None:
    # Of ours none is to be expected: the canary is there to find what moves in them.
    names = (name for table in VALUES for name in schema.TABLES[table].names)
    known = [name for name in names if name not in FIELDS]
    for column in value:
        _is_named(
            f"limits.{attribute.name}",
            column,
            known,
            "column besides ours of a record that we write",
        )


def _is_named(setting: str, name: str, known: Iterable[str], what: str) -> None:
    if name not in known:
        raise SettingsError(
            f"{setting} names {name!r}, which is no {what}" + did_you_mean(name, known)
        )


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


@attrs.frozen
class Limits:
    """What a plan may touch, per field; first fills are not counted.

    Each has a floor, so that a small portfolio is not refused for a handful of accounts.

    Attributes:
        max_share: Share of the accounts on which one field may change.
        max_share_by_field: The same for single fields. Rank and revenue share, which move
            everywhere when the books close, are free unless they are named here.
        max_changes: Accounts on which one field may change, however many the shares allow;
            None: as many as they do.
        min_changes: So many are always allowed, however small the portfolio is: accounts
            on which a field changes or is unknown; that the CRM lacks or that have gone,
            of these only up to half of all.
        max_two_tier_jumps: Accounts whose tier may move by two tiers or more at once;
            None: one in fifty, and at least ``min_changes``.
        max_emptied: Accounts on which one field may lose its value; of the risk level and
            of who rises, ``unknown`` is none. Of the opportunities that hold one, up to
            ``max_share`` may: they are opened again, or are past another try.
        max_unknown_share: Share of the accounts for which the results may not know the
            value of a field; the risk level, and who rises, are free.
        max_shrunk_share: By how much fewer accounts there may be than last night.
        max_missing_share: Share of the accounts in the results that the CRM may not have.
        max_age_hours: A plan older than this is not applied.
        canary_share: Share of the accounts to change that are written first and looked at
            before the rest is.
        canary_count: So many are in that first slice at least.
        settle_seconds: What the CRM's own automation is given before they are looked at.
        expected_changes: Columns which that automation may change when we write.
    """

    max_share: float = attrs.field(default=0.2, validator=is_share)
    max_share_by_field: Mapping[str, float] = attrs.field(
        factory=dict, converter=dict, validator=_are_shares, hash=False
    )
    max_changes: int | None = attrs.field(default=None, validator=_is_count)
    min_changes: int = attrs.field(default=10, validator=_is_count)
    max_two_tier_jumps: int | None = attrs.field(default=None, validator=_is_count)
    max_emptied: int = attrs.field(default=5, validator=_is_count)
    max_unknown_share: float = attrs.field(default=0.5, validator=is_share)
    max_shrunk_share: float = attrs.field(default=0.1, validator=is_share)
    max_missing_share: float = attrs.field(default=0.2, validator=is_share)
    max_age_hours: float = attrs.field(default=24.0, validator=_is_count)
    canary_share: float = attrs.field(default=0.01, validator=is_share)
    canary_count: int = attrs.field(default=10, validator=_is_count)
    settle_seconds: float = attrs.field(default=1.0, validator=_is_count)
    expected_changes: tuple[str, ...] = attrs.field(
        default=(), converter=_texts, validator=_are_columns
    )

    def share_of(self, column: str) -> float:
        """The share of accounts on which this field may change."""
        usual = _MEASURES.get(column, self.max_share)
        return self.max_share_by_field.get(column, usual)

    def changes_of(self, column: str, population: int) -> int:
        """The accounts, of so many, on which this field may change."""
        allowed = self.at_least(self.share_of(column), population)
        return allowed if self.max_changes is None else min(allowed, self.max_changes)

    def emptied_of(self, column: str, population: int) -> int:
        """The records, of so many that hold one, on which this field may lose its value."""
        if column not in _LAPSING:
            return self.max_emptied
        share = self.max_share_by_field.get(column, self.max_share)
        return self.at_least(share, population)

    def jumps_of(self, population: int) -> int:
        """The accounts, of so many, that may move by two tiers at once."""
        if self.max_two_tier_jumps is None:
            return self.at_least(_JUMPS_SHARE, population)
        return self.max_two_tier_jumps

    def at_least(self, share: float, population: int) -> int:
        """The share of so many accounts, or the number that is always allowed."""
        return max(int(share * population + _ROUNDING), self.min_changes)

    def input_of(self, share: float, population: int) -> int:
        """The same for accounts that lack: more than half never goes unseen."""
        floor = min(self.min_changes, (population + 1) // 2)
        return max(int(share * population + _ROUNDING), floor)


Treatment = Literal["keep", "report", "overwrite"]
_TREATMENTS: Final[tuple[Treatment, ...]] = ("keep", "report", "overwrite")


def _is_treatment(setting: str, value: object) -> None:
    if value not in _TREATMENTS:
        raise SettingsError(
            f"{setting} is 'keep', 'report' or 'overwrite', not {value!r}"
        )


@attrs.frozen
class Policy:
    """What happens to an account that a person edited: its stamp no longer fits.

    It is reported in any case. While one of its edits stays, of the fields that the
    results want otherwise,

    * ``keep`` changes none, whichever field was edited;
    * ``report`` changes those that were not edited themselves; without the archive nobody
      can tell which that are, and none is changed;
    * ``overwrite`` changes all, edited or not.

    An edit stays unless its own field is to be overwritten. One that stays remains
    visible: no stamp is made to cover it. Once none is left, the account is ours again.

    Attributes:
        edited: For all fields.
        by_field: For single fields, before ``edited``.
    """

    edited: Treatment = attrs.field(default="keep")
    by_field: Mapping[str, Treatment] = attrs.field(
        factory=dict, converter=dict, hash=False
    )

    @edited.validator
    def _is_known(self, _: attrs.Attribute[Any], value: str) -> None:
        _is_treatment("policy.edited", value)

    @by_field.validator
    def _are_known(self, _: attrs.Attribute[Any], value: Mapping[str, str]) -> None:
        for column, treatment in value.items():
            ours = [name for columns in VALUES.values() for name in columns]
            _is_named("policy.by_field", column, ours, "field we write")
            _is_treatment(f"policy.by_field.{column}", treatment)

    def of(self, column: str) -> Treatment:
        """What holds for this field."""
        return self.by_field.get(column, self.edited)


@attrs.frozen
class Refusal:
    """One limit that a plan exceeds; as text, a sentence that says so."""

    rule: Literal[
        "empty",
        "older",
        "canary",
        "shrunk",
        "missing",
        "unknown",
        "changed",
        "jumped",
        "emptied",
    ]
    column: str
    count: int
    limit: int
    population: int

    @property
    def _records(self) -> str:
        is_of_account = not self.column or FIELDS[self.column].table == "account"
        return "accounts" if is_of_account else "opportunities"

    def __str__(self) -> str:
        match self.rule:
            case "empty":
                return "no account of the results is in the CRM: the input is empty."
            case "older":
                return (
                    f"the results are {self.count:,} day(s) older than those of the last "
                    "run: they would replace what is newer."
                )
            case "canary":
                return (
                    "the last run stopped at its first slice, where something moved that "
                    "nobody planned: mend that, or take the run back, before the next."
                )
            case "shrunk":
                what = f"{self.count:,} {self._records} fewer than at the last run"
                what += f" to compare for {self.column}" if self.column else ""
            case "missing":
                what = f"{self.count:,} records of the results are not in the CRM"
            case "unknown":
                what = f"{self.column} is unknown on {self.count:,} accounts"
            case "changed":
                what = f"{self.column} would change on {self.count:,} {self._records}"
            case "jumped":
                what = f"{self.column} would jump two tiers on {self.count:,} accounts"
            case "emptied":
                what = (
                    f"{self.column} would be emptied on {self.count:,} {self._records}"
                )
        return f"{what}; the limit is {self.limit:,} of {self.population:,}."


@attrs.frozen
class Ground:
    """What the results of a plan stand on.

    Attributes:
        population: Accounts of the results that the CRM has.
        missing_count: Accounts of the results that it lacks.
        previous: The population of the run before; None where that is not known.
        unknown: Accounts for which the results do not know the value, per field.
        others: Of other tables: records of the results that the CRM has, and that it
            lacks.
        shrunk: Of other tables, per field: records compared now, and by the run before.
        older_by: Days by which the results know less than those of the run before.
        has_moved: Whether the newest run ended because its first slice moved.
    """

    population: int
    missing_count: int = 0
    previous: int | None = None
    unknown: Mapping[str, int] = attrs.field(factory=dict)
    others: Mapping[str, tuple[int, int]] = attrs.field(factory=dict)
    shrunk: Mapping[str, tuple[int, int]] = attrs.field(factory=dict)
    older_by: int = 0
    has_moved: bool = False


def refused_input(ground: Ground, limits: Limits) -> Iterator[Refusal]:
    """The limits that what went into a plan exceeds, whatever the plan changes."""
    population = ground.population
    if not population and not any(count for count, _ in ground.others.values()):
        yield Refusal("empty", "", 0, 0, 0)
    if ground.older_by > 0:
        yield Refusal("older", "", ground.older_by, 0, population)
    if ground.has_moved:
        yield Refusal("canary", "", 0, 0, population)
    before = {} if ground.previous is None else {"": (population, ground.previous)}
    for column, (now, previous) in (before | dict(ground.shrunk)).items():
        allowed = limits.input_of(limits.max_shrunk_share, previous)
        if previous - now > allowed:
            yield Refusal("shrunk", column, previous - now, allowed, previous)
    accounts = population, ground.missing_count
    for count, missing in (accounts, *ground.others.values()):
        expected = count + missing
        allowed = limits.input_of(limits.max_missing_share, expected)
        if missing > allowed:
            yield Refusal("missing", "", missing, allowed, expected)
    allowed = limits.at_least(limits.max_unknown_share, population)
    for column, count in sorted(ground.unknown.items()):
        if count > allowed and column not in OFTEN_UNKNOWN:
            yield Refusal("unknown", column, count, allowed, population)


def refused_changes(
    changes: Iterable[Change],
    *,
    population: Callable[[str], int],
    tiers: Sequence[str],
    limits: Limits,
    accepted: Mapping[str, int],
    filled: Mapping[str, int] | None = None,
) -> Iterator[Refusal]:
    """The limits, per field, that these changes exceed; first fills are left out.

    Args:
        population: The records of the table of a field that were compared.
        accepted: Per field how many changes are allowed whatever the limits say.
        filled: How many of these hold a value in a field that may lapse.
    """
    found = Counted()
    for change in changes:
        found.take(change)
    return refused_counts(
        found,
        population=population,
        tiers=tiers,
        limits=limits,
        accepted=accepted,
        filled=filled,
    )


def refused_counts(
    found: Counted,
    *,
    population: Callable[[str], int],
    tiers: Sequence[str],
    limits: Limits,
    accepted: Mapping[str, int],
    filled: Mapping[str, int] | None = None,
) -> Iterator[Refusal]:
    """The same of changes that have been counted."""
    emptied, jumped = found.emptied, found.jumps(tiers)
    for column, count in sorted(found.changed.items()):
        of = population(column)
        had = (filled or {}).get(column, of)
        counted: tuple[tuple[Any, int, int, int], ...] = (
            ("changed", count, limits.changes_of(column, of), of),
            ("jumped", jumped * (column == "tier"), limits.jumps_of(of), of),
            ("emptied", emptied[column], limits.emptied_of(column, had), had),
        )
        for rule, told, limit, compared in counted:
            allowed = max(limit, accepted.get(column, 0))
            if told > allowed:
                yield Refusal(rule, column, told, allowed, compared)


def ladder(tiers: Iterable[Value]) -> tuple[str, ...]:
    """The tiers that occur, best first, and below them ``none``.

    ``new`` stands on no rung, and neither does what is no tier of ours.
    """
    letters = {t for t in tiers if isinstance(t, str) and len(t) == 1 and t.isupper()}
    return (*sorted(letters), "none")
