"""How does Airflow run this library?

A provider: connections to both CRMs, hooks that give a connector, and three operators.
Whatever else a DAG needs is a ``@task`` that calls the library. Needs the extra
``airflow``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from crm_portfolio.airflow._provider import get_provider_info
from crm_portfolio.errors import MissingExtraError

if TYPE_CHECKING:
    from crm_portfolio.airflow.hooks import CrmHook, HubSpotHook, SalesforceHook
    from crm_portfolio.airflow.operators import (
        ApplyOperator,
        PlanOperator,
        SyncOperator,
    )

__all__ = [
    "ApplyOperator",
    "CrmHook",
    "HubSpotHook",
    "PlanOperator",
    "SalesforceHook",
    "SyncOperator",
    "get_provider_info",
]

_HOMES = {
    "ApplyOperator": "operators",
    "CrmHook": "hooks",
    "HubSpotHook": "hooks",
    "PlanOperator": "operators",
    "SalesforceHook": "hooks",
    "SyncOperator": "operators",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{home}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "airflow":
            raise
        raise MissingExtraError("apache-airflow", "airflow") from error
    value: object = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
