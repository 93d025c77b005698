"""May these values stand in those properties, and what text do they become?

vendor docs: every value is a text or null. What is refused is told property by property,
as JSON inside the text of one message, which does not name the record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from crm_portfolio.simulator.hubspot._definitions import Option, Property
from crm_portfolio.simulator.hubspot._refusal import Refusal

if TYPE_CHECKING:
    from crm_portfolio.simulator.hubspot._portal import Portal

__all__ = [
    "InvalidValue",
    "checked",
    "choices",
    "invalid_values",
    "moment_text",
    "stored_text",
]

# vendor docs: a plain decimal without thousands separators.
_NUMBER: Final = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_MILLISECONDS: Final = re.compile(r"-?[0-9]{1,15}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT: Final = re.compile(
    _DAY.pattern
    + r"T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[-+][0-9]{2}:?[0-9]{2})"
)
_T = TypeVar("_T")
_LONGEST: Final = 65_536  # vendor docs: characters of one text


class InvalidValue(Exception):  # noqa: N818 - a part of an answer, not an error of ours
    """One value that may not stand."""

    def __init__(self, name: str, error: str, message: str) -> None:
        super().__init__(name, error, message)
        self.name, self.error, self.message = name, error, message

    def entry(self) -> dict[str, Any]:
        return {
            "isValid": False,
            "message": self.message,
            "error": self.error,
            "name": self.name,
            "localizedErrorMessage": self.message,
        }


def invalid_values(problems: Iterable[InvalidValue]) -> Refusal:
    """The refusal of a whole request: a JSON list within a sentence."""
    entries = [problem.entry() for problem in problems]
    told = json.dumps(entries, ensure_ascii=False, separators=(",", ":"))
    message = f"Property values were not valid: {told}"
    return Refusal(message, category="VALIDATION_ERROR", status=400)


def checked(
    portal: Portal,
    kind: str,
    given: Mapping[str, Any],
    *,
    before: Mapping[str, str | None] | None = None,
    style: Literal["v3", "dated"] = "v3",
) -> dict[str, str | None]:
    """The canonical texts of a record's new values, None where it is cleared.

    Args:
        before: The record as it stands; None: it is about to be made.
        style: The rules that admins set bind the dated paths only.

    Raises:
        Refusal: Some value may not stand; all such are told together.
    """
    known, problems = portal.properties(kind), list[InvalidValue]()
    found: dict[str, str | None] = {}
    for name, raw in given.items():
        try:
            if raw is None and portal.assumptions.null_in_write == "ignored":
                continue
            prop = _writable(known, name)
            found[name] = stored_text(prop, raw, options=choices(portal, kind, prop))
        except InvalidValue as problem:
            problems.append(problem)
    if not problems:
        problems += _misplaced(portal, kind, {**(before or {}), **found}, found)
    if not problems and style == "dated":
        problems += portal.rules.broken(
            kind, {**(before or {}), **found}, found, before
        )
    if problems:
        raise invalid_values(problems)
    return found


def stored_text(
    prop: Property, raw: Any, *, options: tuple[Option, ...] | None = None
) -> str | None:
    """One value in HubSpot's own form; None where it is cleared.

    Args:
        options: The choices an enumeration allows; None: any.
    """
    if isinstance(raw, str) and raw == "":
        return None  # vendor docs: the empty text clears
    if raw is None or isinstance(raw, list | dict):
        # unverified: what the service says of JSON that is no value
        raise InvalidValue(prop.name, "INVALID_VALUE", f"{raw} was not a valid value.")
    if prop.type in ("enumeration", "bool"):
        return _chosen(prop, _text(raw), options)
    return _CONVERTERS[prop.type](prop, raw)


def choices(portal: Portal, kind: str, prop: Property) -> tuple[Option, ...] | None:
    """What an enumeration may say, wherever its choices stand; None: anything."""
    lines = portal.pipelines.get(kind, [])
    if prop.source == "STAGE":
        return tuple(
            Option(stage["id"], stage["label"])
            for line in lines
            for stage in line["stages"]
            if not stage["archived"]
        )
    if prop.source == "PIPELINE":
        return tuple(Option(line["id"], line["label"]) for line in lines)
    if prop.source == "OWNER":
        names = ((o["id"], f"{o['firstName']} {o['lastName']}") for o in portal.owners)
        return tuple(Option(owner_id, name.strip()) for owner_id, name in names)
    if prop.source == "CURRENCY":
        known = portal.currencies.get("known", [portal.currency])
        return tuple(Option(code, code) for code in known)
    return prop.options or (None if prop.has_external_options else ())


def moment_text(moment: datetime) -> str:
    """recorded: "2026-12-31T00:00:00Z"; milliseconds only where there are some."""
    spec = "milliseconds" if moment.microsecond // 1000 else "seconds"
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=spec) + "Z"


def _writable(known: Mapping[str, Property], name: str) -> Property:
    prop = known.get(name)
    if prop is None:
        message = f'Property "{name}" does not exist'
        raise InvalidValue(name, "PROPERTY_DOESNT_EXIST", message)
    if prop.is_read_only:
        message = f'"{name}" is a read only property; its value cannot be set.'
        raise InvalidValue(name, "READ_ONLY_VALUE", message)
    return prop


def _misplaced(
    portal: Portal,
    kind: str,
    after: Mapping[str, str | None],
    found: Mapping[str, str | None],
) -> Iterable[InvalidValue]:
    """Vendor docs: stages belong to one pipeline. unverified: the words."""
    for line_name, stage_name in (
        ("pipeline", "dealstage"),
        ("hs_pipeline", "hs_pipeline_stage"),
    ):
        line, stage = after.get(line_name), after.get(stage_name)
        if stage is None or not {line_name, stage_name} & set(found):
            continue
        # recorded: a stage written alone puts a deal without pipeline into its pipeline
        known = [p for p in portal.pipelines.get(kind, []) if line in (None, p["id"])]
        if not any(stage == s["id"] for p in known for s in p["stages"]):
            message = f"{stage} is not a stage of the pipeline {line}."
            yield InvalidValue(stage_name, "INVALID_OPTION", message)


def _text(raw: Any) -> str:
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return str(raw)


def _chosen(prop: Property, said: str, options: tuple[Option, ...] | None) -> str:
    if options is None:
        return said
    allowed = [option.value for option in options]
    # vendor docs: the choices of a multiple checkbox stand side by side, "a;b".
    parts = [p for p in said.split(";") if p] if prop.is_multiple else [said]
    for part in parts:
        if part not in allowed:
            message = (
                f"{part} was not one of the allowed options: [{', '.join(allowed)}]"
            )
            raise InvalidValue(prop.name, "INVALID_OPTION", message)
    return ";".join(dict.fromkeys(parts))


def _plain(prop: Property, raw: Any) -> str:
    said = _text(raw)
    if len(said) > _LONGEST:
        message = f"{prop.label} is longer than {_LONGEST} characters"
        raise InvalidValue(prop.name, "PROPERTY_VALUE_TOO_LONG", message)
    return said


def _number(prop: Property, raw: Any) -> str:
    """recorded: 10000 comes back as "10000", "5000.00" as "5000.00"."""
    said = _text(raw).strip()
    if isinstance(raw, bool) or not _NUMBER.fullmatch(said):
        # unverified: the words, after the recorded "asd000 was not a valid long."
        raise InvalidValue(
            prop.name, "INVALID_DOUBLE", f"{said} was not a valid number."
        )
    return said


def _day(prop: Property, raw: Any) -> str:
    said = _text(raw)
    if _DAY.fullmatch(said):
        return _read(prop, said, date.fromisoformat, "INVALID_DATE", "date").isoformat()
    moment = _instant(prop, said, "INVALID_DATE", "date")
    if moment.time() != time():
        clock = f"{moment.hour}:{moment.minute}:{moment.second}.{moment.microsecond // 1000}"
        message = (
            f"{said} is at {clock} UTC, not midnight!"  # vendor docs: midnight UTC
        )
        raise InvalidValue(prop.name, "INVALID_DATE", message)
    return moment.date().isoformat()


def _moment(prop: Property, raw: Any) -> str:
    said = _text(raw)
    if _DAY.fullmatch(
        said
    ):  # recorded: "2026-12-31" is accepted, as its midnight in UTC
        said += "T00:00:00Z"
    # recorded: "asd000 was not a valid long.", INVALID_LONG
    return moment_text(_instant(prop, said, "INVALID_LONG", "long"))


def _instant(prop: Property, said: str, error: str, what: str) -> datetime:
    if _MILLISECONDS.fullmatch(said):
        return _read(prop, said, _from_milliseconds, error, what)
    if not _MOMENT.fullmatch(said):
        raise InvalidValue(prop.name, error, f"{said} was not a valid {what}.")
    return _read(prop, said, datetime.fromisoformat, error, what).astimezone(UTC)


def _from_milliseconds(said: str) -> datetime:
    return datetime.fromtimestamp(int(said) / 1000, UTC)


def _read(
    prop: Property, said: str, read: Callable[[str], _T], error: str, what: str
) -> _T:
    try:
        return read(said)
    except (ValueError, OverflowError, OSError) as reason:
        raise InvalidValue(
            prop.name, error, f"{said} was not a valid {what}."
        ) from reason


_CONVERTERS: Final[Mapping[str, Callable[[Property, Any], str]]] = {
    "string": _plain,
    "phone_number": _plain,
    "number": _number,
    "date": _day,
    "datetime": _moment,
}
