"""What does the type of a setting ask for: a list, one of some words, or something else?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

__all__ = ["choices", "is_list", "is_no_list", "may_be_none", "parts"]


def parts(kind: Any) -> tuple[Any, ...]:
    """What a union is made of, None left out; any other type is its own only part."""
    if get_origin(kind) in (Union, UnionType):
        return tuple(part for part in get_args(kind) if part is not NoneType)
    return (kind,)


def may_be_none(kind: Any) -> bool:
    """Whether it may be left unsaid."""
    return get_origin(kind) in (Union, UnionType) and NoneType in get_args(kind)


def choices(kind: Any) -> tuple[Any, ...]:
    """The words that may stand there, if nothing else may but None."""
    words = parts(kind)
    is_closed = len(words) == 1 and get_origin(words[0]) is Literal
    return get_args(words[0]) if is_closed else ()


def is_list(kind: Any) -> bool:
    """Whether this very type is a list, of any length or of one."""
    return get_origin(kind) in (tuple, Sequence)


def is_no_list(kind: Any, value: object) -> bool:
    """Whether a text, or a table, stands where only a list may.

    Its letters, or its keys, would be taken one by one: "ABC" would name three accounts.
    """
    found = parts(kind)
    is_only_list = len(found) == 1 and is_list(found[0])
    return is_only_list and isinstance(value, str | Mapping)
