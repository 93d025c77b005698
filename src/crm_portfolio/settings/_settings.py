"""How does one file become the settings of all layers?"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from string import ascii_uppercase
from types import UnionType
from typing import Any, Final, Literal, Self, TypeAlias, Union, get_args, get_origin

import attrs
import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, override

from crm_portfolio._pull import PullSettings
from crm_portfolio._wording import Lang
from crm_portfolio.analysis import (
    Abc,
    AllocationSettings,
    Bands,
    ConcentrationSettings,
    FocusSettings,
    FreedCapacitySettings,
    LifetimeValueSettings,
    LossScenarioSettings,
    LostOpportunitiesSettings,
    NaturalBreaks,
    PipelineSettings,
    ProfitabilitySettings,
    Quantiles,
    ReceivablesSettings,
    RevenueAtRiskSettings,
    ReviewSettings,
    RiskSettings,
    Slices,
    SuccessionSettings,
    TiersSettings,
    WinBackSettings,
)
from crm_portfolio.connectors.files import FilesSettings
from crm_portfolio.connectors.hubspot import HubSpotSettings
from crm_portfolio.connectors.salesforce import SalesforceSettings
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.portfolio import Calendar, Period
from crm_portfolio.settings._lists import texts_for_lists
from crm_portfolio.settings._orgs import SyncSettings, of_org, orgs_of
from crm_portfolio.settings._secrets import place, secrets_in
from crm_portfolio.writeback import Limits, Policy

__all__ = ["Settings"]

_METHODS: Final[Mapping[str, type[Any]]] = {
    "abc": Abc,
    "bands": Bands,
    "natural_breaks": NaturalBreaks,
    "quantiles": Quantiles,
    "slices": Slices,
}
_CONNECTORS: Final = ("salesforce", "hubspot", "files")
_TABLES: Final = (
    *("concentration", "tiers", "allocation", "succession", "loss_scenario"),
    *("freed_capacity", "revenue_at_risk", "risk", "focus", "review"),
    *("pipeline", "lost_opportunities", "win_back", "limits", "policy", "pull", "sync"),
    *("lifetime_value", "profitability", "receivables"),
    *_CONNECTORS,
)
_KINDS: Final[Mapping[type[Any], str]] = {
    bool: "true or false",
    date: "a day such as 2026-06-30",
    float: "a number",
    int: "a whole number",
    list: "a list",
    str: "a text in quotes",
}
_WITH_PERIOD: Final = (
    *("concentration", "tiers", "allocation", "succession"),
    *("loss_scenario", "freed_capacity", "revenue_at_risk", "risk", "focus", "review"),
    *("lost_opportunities", "win_back", "lifetime_value", "receivables"),
    "profitability",
)
ConnectorSettings: TypeAlias = SalesforceSettings | HubSpotSettings | FilesSettings
_CALENDAR: Final = tuple(field.name for field in attrs.fields(Calendar))
_LAST_MONTHS = re.compile(r"last (\d{1,3}) months?")


@attrs.frozen
class Settings:
    """What a person chose; every default is that of the class it belongs to.

    Attributes:
        currency: ISO code of the portfolio; None: the org's own.
        calendar: None: the org's time zone, and years that start in January.
        language: Of the sentences made for people.
        period: Fills the periods of all analyses; None: each one's own. `load` has
            handed it on already.
    """

    currency: str | None = None
    calendar: Calendar | None = None
    language: Lang = "en"
    period: Period | None = None
    concentration: ConcentrationSettings = attrs.field(factory=ConcentrationSettings)
    tiers: TiersSettings = attrs.field(factory=TiersSettings)
    allocation: AllocationSettings = attrs.field(factory=AllocationSettings)
    succession: SuccessionSettings = attrs.field(factory=SuccessionSettings)
    loss_scenario: LossScenarioSettings = attrs.field(factory=LossScenarioSettings)
    freed_capacity: FreedCapacitySettings = attrs.field(factory=FreedCapacitySettings)
    revenue_at_risk: RevenueAtRiskSettings = attrs.field(factory=RevenueAtRiskSettings)
    profitability: ProfitabilitySettings = attrs.field(factory=ProfitabilitySettings)
    receivables: ReceivablesSettings = attrs.field(factory=ReceivablesSettings)
    risk: RiskSettings = attrs.field(factory=RiskSettings)
    lifetime_value: LifetimeValueSettings = attrs.field(factory=LifetimeValueSettings)
    lost_opportunities: LostOpportunitiesSettings = attrs.field(
        factory=LostOpportunitiesSettings
    )
    win_back: WinBackSettings = attrs.field(factory=WinBackSettings)
    focus: FocusSettings = attrs.field(factory=FocusSettings)
    review: ReviewSettings = attrs.field(factory=ReviewSettings)
    pipeline: PipelineSettings = attrs.field(factory=PipelineSettings)
    limits: Limits = attrs.field(factory=Limits)
    policy: Policy = attrs.field(factory=Policy)
    pull: PullSettings = attrs.field(factory=PullSettings)
    sync: SyncSettings = attrs.field(factory=SyncSettings)
    salesforce: SalesforceSettings = attrs.field(factory=SalesforceSettings)
    hubspot: HubSpotSettings = attrs.field(factory=HubSpotSettings)
    files: FilesSettings = attrs.field(factory=FilesSettings)

    @classmethod
    def load(cls, path: Path | str, *, org: str | None = None) -> Self:
        """The settings of a file.

        Args:
            org: The settings of one of its ``[orgs]``: what stands there, over the rest.

        Raises:
            SettingsError: The file cannot be read, holds what may be a secret, has no
                such org, or has unknown keys or values that do not fit; all of them are
                named.
        """
        file = Path(path)
        written = _read(file)
        problems = [*secrets_in(written)]
        try:
            if not problems:
                chosen = of_org(written, org, file.name)
                texts = [*texts_for_lists(chosen, cls)]
                settings = _converter.structure(_by_layer(chosen), cls)
                sync = settings.sync.beside(file)
                # The analyses hold the period now.
                if not texts:
                    return attrs.evolve(settings, period=None, sync=sync)
                problems = texts
        except BaseValidationError as error:
            problems = [*dict.fromkeys(_told(error, ()))]
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise SettingsError(f"{file.name} has {len(problems)} fault(s):\n{lines}")

    @staticmethod
    def orgs(path: Path | str) -> tuple[str, ...]:
        """The names of the orgs in a file, in its order."""
        return tuple(orgs_of(_read(Path(path))))

    @property
    def tier_names(self) -> tuple[str, ...]:
        """The tiers that the chosen method can give, best first."""
        return tuple(ascii_uppercase[: self.tiers.method.tier_count])

    def of_connector(self, name: str) -> ConnectorSettings | None:
        """The part that steers one connector; None for one that is not ours."""
        found: ConnectorSettings | None = (
            getattr(self, name) if name in _CONNECTORS else None
        )
        return found


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file.name} is not TOML: {error}") from error


def _by_layer(written: Mapping[str, Any]) -> dict[str, Any]:
    """The file's shape turned into that of the classes: calendar and period spread out."""
    layers = {key: value for key, value in written.items() if key not in _CALENDAR}
    calendar = {key: written[key] for key in _CALENDAR if key in written}
    if calendar:
        layers["calendar"] = calendar
    if _is_period(written.get("period")):
        for name in _WITH_PERIOD:
            table = layers.get(name, {})
            if isinstance(table, Mapping):
                layers[name] = {"period": written["period"], **table}
    return layers


def _is_period(value: object) -> bool:
    """Whether it may be handed on; a wrong one is told once, where it stands."""
    try:
        _period(value, Period)
    except (ValueError, SettingsError):
        return False
    return True


def _told(error: BaseValidationError, at: tuple[str, ...]) -> Iterator[str]:
    """Every mistake below an error of cattrs, as a sentence that says where it stands."""
    for inner in error.exceptions:
        here = (*at, *_step(inner))
        if isinstance(inner, BaseValidationError):
            yield from _told(inner, here)
        elif isinstance(inner, ForbiddenExtraKeysError):
            for key in sorted(inner.extra_fields):
                yield f"{place(here, key)} is no setting{_hint(key, inner.cl)}"
        elif isinstance(inner, SettingsError):  # a class's own words
            yield str(inner)
        else:
            yield f"{place(here[:-1], *here[-1:])}: {_in_words(inner)}"


def _in_words(error: Exception) -> str:
    """What a converter's own error means to the author of a file."""
    if isinstance(error, KeyError):
        return "this is missing"
    said = str(error)
    if not isinstance(error, AttributeError | TypeError) or "must" in said:
        return said
    return f"this must be a {'list' if 'has no len' in said else 'table'}"


def _step(error: Exception) -> Iterator[str]:
    """The key under which cattrs met an error, if it stands in its notes."""
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            yield note.name
        elif isinstance(note, IterableValidationNote):
            yield str(note.index)


def _keys(layer: type[Any]) -> set[str]:
    """What may stand in the table of the file that fills this class."""
    keys = {field.name for field in attrs.fields(layer)}
    if layer is SuccessionSettings:
        keys -= {"method"}  # there is one rule for tiers, in [tiers]
    return (keys | set(_CALENDAR)) - {"calendar"} if layer is Settings else keys


def _hint(key: str, layer: type[Any]) -> str:
    """How to spell an unknown key, or where it has its place."""
    if near := did_you_mean(key, _keys(layer)):
        return near
    for name in _TABLES:
        if key in _keys(type(getattr(Settings(), name))):
            return f"; it stands in [{name}]"
    for name, method in _METHODS.items():
        if near := did_you_mean(key, _keys(method)):
            return (
                f"; it is of [tiers] with method = {name!r}"
                if key in _keys(method)
                else near
            )
    methods = _METHODS.values() if layer is TiersSettings else ()
    return f"; there are {', '.join(sorted(_keys(layer).union(*map(_keys, methods))))}."


def _exactly(*kinds: type[Any]) -> Callable[[Any, Any], Any]:
    """Take a value as the file wrote it: no number from a text, no text from a number."""

    def take(value: Any, _: Any) -> Any:
        if type(value) is kinds[0]:
            return value
        if type(value) in kinds:
            return kinds[0](value)
        raise TypeError(
            f"this must be {_KINDS[kinds[0]]}, not {_KINDS.get(type(value), 'a table')}"
        )

    return take


def _is_choice(kind: Any) -> bool:
    """Whether this is a Literal."""
    return bool(get_origin(kind) == Literal)


def _choice(value: Any, kind: Any) -> Any:
    choices = get_args(kind)
    if value in choices:
        return value
    spelled = " or ".join(repr(choice) for choice in choices)
    raise ValueError(f"this must be {spelled}, not {value!r}")


def _is_list_or_choice(kind: Any) -> bool:
    """Whether this is a list or a word in its stead, such as "all"."""
    parts = get_args(kind) if get_origin(kind) in (Union, UnionType) else ()
    lists = [part for part in parts if get_origin(part) in (tuple, Sequence)]
    return len(parts) == 2 and len(lists) == 1 and any(map(_is_choice, parts))


def _list_or_choice(value: Any, kind: Any) -> Any:
    (choice,) = filter(_is_choice, get_args(kind))
    (whole,) = (part for part in get_args(kind) if part is not choice)
    if isinstance(value, str):
        return _choice(value, choice)
    if not isinstance(value, list):
        spelled = " or ".join(repr(word) for word in get_args(choice))
        raise TypeError(f"this must be a list, or {spelled}")
    return _converter.structure(value, whole)


def _period(value: Any, _: Any) -> Period:
    """A period as people write it: "last 12 months", "all", or its two edges."""
    if isinstance(value, Mapping) and set(value) == {"start", "end"}:
        start, end = value["start"], value["end"]
        if type(start) is date and type(end) is date:
            return Period.between(start, end)
    elif isinstance(value, str):
        if value == "all":
            return Period.all()
        if months := _LAST_MONTHS.fullmatch(value):
            return Period.last_months(int(months[1]))
    raise ValueError(
        'this must be "last 12 months", "all", or {start = 2025-07-01, end = 2026-07-01} '
        "(the end is the day after the last)"
    )


def _tiers(value: Any, _: Any) -> TiersSettings:
    """The method is named in the table and its own settings stand beside the name."""
    if not isinstance(value, Mapping):
        raise TypeError("this must be a table")
    name = value.get("method", "slices")
    if not isinstance(name, str) or name not in _METHODS:
        known = ", ".join(sorted(_METHODS))
        raise SettingsError(f"[tiers] method must be one of {known}, not {name!r}")
    method = _METHODS[name]
    own = {key: part for key, part in value.items() if key in _keys(method)}
    rest = {k: v for k, v in value.items() if k not in own and k != "method"}
    errors, chosen = [], []
    for take, part, kind in (
        (_converter.structure, own, method),
        (_rest_of_tiers, rest, TiersSettings),
    ):
        try:
            chosen.append(take(part, kind))
        except BaseValidationError as error:
            errors.append(error)
    if errors:
        raise ClassValidationError("tiers", errors, TiersSettings)
    return attrs.evolve(chosen[1], method=chosen[0])


def _strict() -> cattrs.Converter:
    """A converter that guesses nothing: TOML has types, and the classes say theirs."""
    strict = cattrs.Converter(forbid_extra_keys=True)
    for kind, also in ((str, ()), (bool, ()), (int, ()), (float, (int,)), (date, ())):
        strict.register_structure_hook(kind, _exactly(kind, *also))
    strict.register_structure_hook_func(_is_choice, _choice)
    strict.register_structure_hook_func(_is_list_or_choice, _list_or_choice)
    strict.register_structure_hook(Period, _period)
    strict.register_structure_hook(TiersSettings, _tiers)
    return strict


_converter = _strict()
_rest_of_tiers = make_dict_structure_fn(
    TiersSettings,
    _converter,
    _cattrs_forbid_extra_keys=True,
    method=override(omit=True),
)
_converter.register_structure_hook(
    SuccessionSettings,
    make_dict_structure_fn(
        SuccessionSettings,
        _converter,
        _cattrs_forbid_extra_keys=True,
        method=override(omit=True),
    ),
)
