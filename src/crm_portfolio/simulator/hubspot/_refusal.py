"""How does HubSpot say no?

vendor docs: an error is ``{"status", "message", "correlationId", "category", …}``, every
key optional. Entries of a partly failed batch have the same form without the id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from crm_portfolio.simulator._server import Reply

__all__ = ["JSON_TYPE", "Refusal", "as_json", "json_reply", "not_found", "not_imitated"]

JSON_TYPE = "application/json;charset=utf-8"


class Refusal(Exception):  # noqa: N818 - an answer, not an error of ours
    """The service's no: for a whole request, or for an entry of a batch."""

    def __init__(
        self,
        message: str,
        *,
        category: str | None = "VALIDATION_ERROR",
        status: int = 400,
        errors: Sequence[Mapping[str, Any]] = (),
        context: Mapping[str, Sequence[str]] | None = None,
        sub_category: str | None = None,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, category)
        self.message, self.category, self.status = message, category, status
        self.errors, self.context = tuple(errors), dict(context or {})
        self.sub_category, self.more = sub_category, dict(more or {})
        self.headers = dict(headers or {})

    def reply(self, correlation_id: str) -> Reply:
        body = {**self.entry(), "correlationId": correlation_id, **self.more}
        return json_reply(body, status=self.status, headers=self.headers)

    def entry(self) -> dict[str, Any]:
        """As it stands among the errors of a batch."""
        known = {
            "category": self.category,
            "subCategory": self.sub_category,
            "errors": list(self.errors),
            "context": self.context,
        }
        return {
            "status": "error",
            "message": self.message,
            **{name: value for name, value in known.items() if value},
        }


def json_reply(
    body: Any,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    rows: int | None = None,
) -> Reply:
    """A reply from a value, or from a text that is JSON already."""
    content = (body if isinstance(body, str) else as_json(body)).encode()
    return Reply(
        status, content, {"content-type": JSON_TYPE, **(headers or {})}, rows=rows
    )


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def not_found() -> Refusal:
    return Refusal("resource not found", category="OBJECT_NOT_FOUND", status=404)


def not_imitated(what: str) -> Refusal:
    """The real service may accept this; the simulator admits that it does not know it."""
    message = f"the simulator does not imitate {what}"
    return Refusal(message, category="NOT_IMITATED", status=501)
