"""How does Salesforce say no?

vendor docs: REST errors are a list of ``{"message", "errorCode", "fields"}``; the rows of
a collection name the same code ``statusCode``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from crm_portfolio.simulator._server import Reply

__all__ = ["JSON_TYPE", "Refusal", "json_reply", "not_imitated"]

JSON_TYPE = "application/json;charset=UTF-8"


class Refusal(Exception):  # noqa: N818 - an answer, not an error of ours
    """The service's no: a status for a whole request, a code and a message for a row."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 400,
        fields: tuple[str, ...] = (),
    ) -> None:
        super().__init__(code, message)
        self.code, self.message, self.status, self.fields = (
            code,
            message,
            status,
            fields,
        )

    def reply(self) -> Reply:
        body: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields:
            body["fields"] = list(self.fields)
        return json_reply([body], status=self.status)

    def row(self) -> dict[str, Any]:
        error = {
            "statusCode": self.code,
            "message": self.message,
            "fields": list(self.fields),
        }
        return {"success": False, "errors": [error]}


def json_reply(
    body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Reply:
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Reply(status, content, {"content-type": JSON_TYPE, **(headers or {})})


def not_imitated(what: str) -> Refusal:
    """The real service may accept this; the simulator admits that it does not know it."""
    return Refusal("NOT_IMITATED", f"the simulator does not imitate {what}", status=501)
