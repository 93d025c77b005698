"""What have the portal's admins demanded of its records?

vendor docs: since 2026-09 required and conditional properties bind writes by the API, with
400 VALIDATION_ERROR; in the older paths they bind people only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from crm_portfolio.simulator.hubspot._values import InvalidValue

__all__ = ["Rule", "Rules"]


@attrs.frozen
class Rule:
    """``needed`` must have a value; ``when``: only where that property says ``says``."""

    kind: str
    needed: str
    when: str = ""
    says: str = ""

    def holds(self, after: Mapping[str, str | None]) -> bool:
        is_meant = not self.when or after.get(self.when) == self.says
        return not is_meant or after.get(self.needed) is not None

    def touches(self, found: Mapping[str, str | None]) -> bool:
        return self.needed in found or self.when in found


class Rules:
    """The demands of one portal."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def add(self, rule: Rule) -> None:
        self._rules.append(rule)

    def clear(self) -> None:
        self._rules.clear()

    def broken(
        self,
        kind: str,
        after: Mapping[str, str | None],
        found: Mapping[str, str | None],
        before: Mapping[str, str | None] | None,
    ) -> Iterable[InvalidValue]:
        """Why the record may not become so. What a write leaves alone is not judged."""
        for rule in self._rules:
            is_asked = before is None or rule.touches(found)
            if rule.kind == kind and is_asked and not rule.holds(after):
                # unverified: the code and the words
                message = f'Property "{rule.needed}" is required.'
                yield InvalidValue(rule.needed, "REQUIRED_PROPERTY", message)
