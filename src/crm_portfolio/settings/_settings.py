"""How does one file become the settings of all layers?"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Final, Self, TypeAlias, get_args, get_type_hints

import attrs

from crm_portfolio import analysis, writeback
from crm_portfolio._normalise import checked_currency
from crm_portfolio._pull import PullSettings
from crm_portfolio._wording import Lang
from crm_portfolio.connectors.files import FilesSettings
from crm_portfolio.connectors.hubspot import HubSpotSettings
from crm_portfolio.connectors.salesforce import SalesforceSettings
from crm_portfolio.connectors.warehouse import WarehouseSettings
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Calendar, Period
from crm_portfolio.settings._faults import Fault, read_all
from crm_portfolio.settings._lines import line_of, lines_of
from crm_portfolio.settings._orgs import SyncSettings, of_org, orgs_of
from crm_portfolio.settings._origins import DEFAULT, Origin, origins_of
from crm_portfolio.settings._secrets import secrets_in, without_secrets
from crm_portfolio.settings._structure import by_layer, converter, without

__all__ = ["LAYERS", "Settings", "read_file"]

ConnectorSettings: TypeAlias = (
    SalesforceSettings | HubSpotSettings | FilesSettings | WarehouseSettings
)


def _is_a_currency(_: object, __: object, value: str | None) -> None:
    if value is not None:
        checked_currency(value)


@attrs.frozen
class Settings:
    """What a person chose; every default is that of the class it belongs to.

    After `load` the analyses hold the common period, and ``period`` is None.

    Attributes:
        currency: ISO code of the portfolio; None: the org's own.
        calendar: None: the org's time zone, and years that start in January.
        language: Of the sentences made for people.
        period: Of all analyses, unless one has its own, up to the last full month before
            the as-of day; None: each one's own.
    """

    currency: str | None = attrs.field(default=None, validator=_is_a_currency)
    calendar: Calendar | None = None
    language: Lang = "en"
    period: Period | None = None
    concentration: analysis.ConcentrationSettings = attrs.Factory(
        analysis.ConcentrationSettings
    )
    tiers: analysis.TiersSettings = attrs.Factory(analysis.TiersSettings)
    allocation: analysis.AllocationSettings = attrs.Factory(analysis.AllocationSettings)
    succession: analysis.SuccessionSettings = attrs.Factory(analysis.SuccessionSettings)
    loss_scenario: analysis.LossScenarioSettings = attrs.Factory(
        analysis.LossScenarioSettings
    )
    freed_capacity: analysis.FreedCapacitySettings = attrs.Factory(
        analysis.FreedCapacitySettings
    )
    revenue_at_risk: analysis.RevenueAtRiskSettings = attrs.Factory(
        analysis.RevenueAtRiskSettings
    )
    profitability: analysis.ProfitabilitySettings = attrs.Factory(
        analysis.ProfitabilitySettings
    )
    receivables: analysis.ReceivablesSettings = attrs.Factory(
        analysis.ReceivablesSettings
    )
    risk: analysis.RiskSettings = attrs.Factory(analysis.RiskSettings)
    exit_review: analysis.ExitReviewSettings = attrs.Factory(
        analysis.ExitReviewSettings
    )
    lifetime_value: analysis.LifetimeValueSettings = attrs.Factory(
        analysis.LifetimeValueSettings
    )
    lost_opportunities: analysis.LostOpportunitiesSettings = attrs.Factory(
        analysis.LostOpportunitiesSettings
    )
    win_back: analysis.WinBackSettings = attrs.Factory(analysis.WinBackSettings)
    focus: analysis.FocusSettings = attrs.Factory(analysis.FocusSettings)
    review: analysis.ReviewSettings = attrs.Factory(analysis.ReviewSettings)
    pipeline: analysis.PipelineSettings = attrs.Factory(analysis.PipelineSettings)
    limits: writeback.Limits = attrs.Factory(writeback.Limits)
    policy: writeback.Policy = attrs.Factory(writeback.Policy)
    write: writeback.WriteSettings = attrs.Factory(writeback.WriteSettings)
    pull: PullSettings = attrs.Factory(PullSettings)
    sync: SyncSettings = attrs.Factory(SyncSettings)
    salesforce: SalesforceSettings = attrs.Factory(SalesforceSettings)
    hubspot: HubSpotSettings = attrs.Factory(HubSpotSettings)
    files: FilesSettings = attrs.Factory(FilesSettings)
    warehouse: WarehouseSettings = attrs.Factory(WarehouseSettings)
    _origins: Mapping[str, Origin] = attrs.field(factory=dict, eq=False, repr=False)

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
        text, written = read_file(file)
        lines = lines_of(text)
        settings, faults = cls.read(written, org=org, file=file.name, lines=lines)
        if settings is None:
            told = [_with_line(each, lines, org) for each in faults]
            listed = "\n".join(f"  {line}" for line in told)
            raise SettingsError(f"{file.name} has {len(told)} fault(s):\n{listed}")
        # The analyses hold the period now.
        return attrs.evolve(settings, period=None, sync=settings.sync.beside(file))

    @classmethod
    def read(
        cls,
        written: Mapping[str, Any],
        *,
        org: str | None = None,
        file: str = "it",
        lines: Mapping[tuple[str, ...], int] | None = None,
    ) -> tuple[Self | None, list[Fault]]:
        """What a file says, or all that is wrong with it.

        Args:
            lines: Where each key stands, for whoever asks later.

        Raises:
            SettingsError: There is no such org.
        """
        secrets = [Fault(path, said) for path, said in secrets_in(written)]
        chosen = of_org(without_secrets(written), org, file)
        found, faults = read_all(
            chosen,
            lambda left: converter.structure(by_layer(left, _WITH_PERIOD), cls),
            cls,
        )
        if found is None or secrets:
            return None, [*secrets, *faults]
        origins = origins_of(written, org, lines or {}, _WITH_PERIOD)
        return attrs.evolve(found, origins=origins), faults

    @staticmethod
    def orgs(path: Path | str) -> tuple[str, ...]:
        """The names of the orgs in a file, in its order."""
        return tuple(orgs_of(read_file(Path(path))[1]))

    @property
    def tier_names(self) -> tuple[str, ...]:
        """The tiers that the chosen method can give, best first."""
        return tuple(ascii_uppercase[: self.tiers.method.tier_count])

    def of_connector(self, name: str) -> ConnectorSettings | None:
        """The part that steers one connector; None for one that is not ours."""
        is_ours = LAYERS.get(name) in get_args(ConnectorSettings)
        found: ConnectorSettings | None = getattr(self, name) if is_ours else None
        return found

    def origin(self, key: str) -> Origin:
        """Where the value of a key such as ``limits.max_share`` comes from."""
        return self._origins.get(key, DEFAULT)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The keys that are not left at their default, as the file has them."""
        return tuple(self._origins)


def read_file(file: Path) -> tuple[str, dict[str, Any]]:
    """The file as it stands, and what it says."""
    must_be_there(file)
    try:
        text = file.read_text(encoding="utf-8-sig")
        return text, tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file.name} is not TOML: {error}; {_USUAL}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file.name} is not TOML: save it as UTF-8") from error


def must_be_there(file: Path) -> None:
    """Nothing, unless there is no such file; then with the command to type next."""
    if file.is_dir():
        raise SettingsError(
            f"{file} is a folder, not a settings file; what a settings file names is "
            f"looked for in it by: crm-portfolio settings check FILE --folder {file}"
        )
    if not file.exists():
        raise SettingsError(
            f"there is no settings file {file}; to begin one: "
            f"crm-portfolio settings init {file}"
        )


def _with_line(
    fault: Fault, lines: Mapping[tuple[str, ...], int], org: str | None
) -> str:
    own = None if org is None else line_of(("orgs", org, *fault.path), lines)
    line = line_of(fault.path, lines) or own
    return fault.said if line is None else f"line {line}: {fault.said}"


_USUAL: Final = "texts stand in quotes, a fraction has a point (0.2), each table and key stands once"
LAYERS: Final[Mapping[str, type[Any]]] = {
    name: kind for name, kind in get_type_hints(Settings).items() if attrs.has(kind)
}
"""Each table of the file, and the class that it fills."""
_WITH_PERIOD: Final = frozenset(
    name
    for name, layer in LAYERS.items()
    if any(field.name == "period" for field in attrs.fields(layer))
)
converter.register_structure_hook(Settings, without(Settings, "_origins"))
