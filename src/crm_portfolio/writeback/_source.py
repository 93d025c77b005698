"""Are the figures those of the org that is to be written?"""

from __future__ import annotations

from typing import Final

from crm_portfolio.errors import SettingsError, WrongOrgError
from crm_portfolio.protocols import CopiedOrg, Org

__all__ = ["same_source"]

_UNSAID: Final = (
    "nobody said which org this replica is a copy of, and ids of two orgs may be the same: "
    "nothing was planned. If the loader reads {given}, and only then, write\n"
    "  [warehouse]\n"
    '  org = "{org_id}"\n'
    'into portfolio.toml, or give WarehouseSettings(org="{org_id}"), and pull again.'
)


def same_source(told: str, given: Org) -> None:
    """Refuse what was not computed from that org's records, or nobody knows of which.

    Args:
        told: As a portfolio says it; empty for frames and files, which are of none.

    Raises:
        WrongOrgError: It is of another org: the ids of two may be the same.
        SettingsError: It is of a replica, and nobody said of which org that is a copy.
    """
    copied = CopiedOrg.read(told)
    is_of_it = told in ("", str(given)) if copied is None else copied.may_be(given)
    if not is_of_it:
        raise WrongOrgError(told, str(given))
    if copied is not None and not copied.org_id:
        raise SettingsError(_UNSAID.format(given=given, org_id=given.org_id))
