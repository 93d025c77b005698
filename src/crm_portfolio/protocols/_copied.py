"""Which org is a copy of a CRM a copy of, and may a plan for an org be made of it?

It travels as text, in the header of a portfolio and in the parameters of every result,
where a portfolio pulled from the CRM itself has the text of its `Org`.
"""

from __future__ import annotations

import re
from typing import Final, Self

import attrs

from crm_portfolio.protocols._exchanged import Org

__all__ = ["CopiedOrg"]

_UNKNOWN: Final = "unknown"
_KINDS: Final = {None: "", True: "sandbox, ", False: "production, "}
_TEXT: Final = re.compile(r"(\S+) org (\S+) \((|sandbox, |production, )replica\)")


@attrs.frozen
class CopiedOrg:
    """The org whose records a replica holds.

    Attributes:
        org_id: As the CRM's connector tells it; empty: nobody said.
        is_sandbox: None: nobody said.
    """

    vendor: str
    org_id: str = ""
    is_sandbox: bool | None = None

    def __str__(self) -> str:
        kind = _KINDS[self.is_sandbox]
        return f"{self.vendor} org {self.org_id or _UNKNOWN} ({kind}replica)"

    @classmethod
    def read(cls, text: str | None) -> Self | None:
        """What a portfolio or a result says it is of; None: it is not of a replica."""
        found = _TEXT.fullmatch(text or "")
        if found is None:
            return None
        vendor, org_id, kind = found.groups()
        is_sandbox = {said: known for known, said in _KINDS.items()}[kind]
        return cls(vendor, "" if org_id == _UNKNOWN else org_id, is_sandbox)

    def may_be(self, org: Org) -> bool:
        """Whether nothing that is known of the replica speaks against that org."""
        return (
            self.vendor == org.vendor
            and self.org_id in ("", org.org_id)
            and self.is_sandbox in (None, org.is_sandbox)
        )
