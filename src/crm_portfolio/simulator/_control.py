"""How is a simulator steered and looked into from another process?

By four routes of our own below ``/__sim__/``, on loopback as the rest. They need no token
and are neither counted nor struck by faults.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import attrs

from crm_portfolio.errors import SettingsError
from crm_portfolio.simulator._calls import LoggedCall
from crm_portfolio.simulator._faults import Fault
from crm_portfolio.simulator._server import Reply, Request

__all__ = ["CONTROL", "Steered", "controlled"]

CONTROL: Final = "/__sim__/"


class Steered(Protocol):
    """What a simulator lets another process do and see."""

    @property
    def calls(self) -> Mapping[str, int]: ...
    @property
    def api_calls(self) -> int: ...
    @property
    def log(self) -> Sequence[LoggedCall]: ...
    @property
    def state(self) -> Mapping[str, Any]: ...
    def reset(self) -> None: ...
    def fault(self, *faults: Fault) -> None: ...


def controlled(simulator: Steered, request: Request) -> Reply | None:
    """The reply to a control request; None: the request is the vendor's own."""
    if not request.path.startswith(CONTROL):
        return None
    wanted = f"{request.method} {request.path.removeprefix(CONTROL)}"
    if wanted not in _ACTIONS:
        known = ", ".join(_ACTIONS)
        return _said({"error": f"the routes below {CONTROL} are: {known}"}, status=404)
    try:
        return _said(_ACTIONS[wanted](simulator, request))
    except (ValueError, TypeError, SettingsError) as error:
        return _said({"error": str(error)}, status=400)


def _reset(simulator: Steered, _request: Request) -> Any:
    simulator.reset()
    return {"api_calls": simulator.api_calls}


def _fault(simulator: Steered, request: Request) -> Any:
    """One fault or a list of them, each the arguments of ``Fault`` as an object."""
    given = json.loads(request.body)
    faults = [Fault(**one) for one in (given if isinstance(given, list) else [given])]
    simulator.fault(*faults)
    return {"added": len(faults)}


def _calls(simulator: Steered, _request: Request) -> Any:
    return {
        "api_calls": simulator.api_calls,
        "calls": dict(simulator.calls),
        "log": [attrs.asdict(call) for call in simulator.log],
    }


def _state(simulator: Steered, _request: Request) -> Any:
    return dict(simulator.state)


_ACTIONS: Final[Mapping[str, Callable[[Steered, Request], Any]]] = {
    "POST reset": _reset,
    "POST fault": _fault,
    "GET calls": _calls,
    "GET state": _state,
}


def _said(body: Any, *, status: int = 200) -> Reply:
    text = json.dumps(body, ensure_ascii=False, indent=1, default=_shown)
    return Reply(status, text.encode(), {"content-type": "application/json"})


def _shown(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Fault):
        return attrs.asdict(value)
    return str(value)
