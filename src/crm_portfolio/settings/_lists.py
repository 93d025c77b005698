"""Which lists were written as one text? Its letters would be taken one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin, get_type_hints

import attrs

__all__ = ["texts_for_lists"]


def texts_for_lists(written: Mapping[str, Any], settings: type[Any]) -> Iterator[str]:
    """A sentence for each, by the table where it stands."""
    for name, layer in get_type_hints(settings).items():
        table = written.get(name)
        if not attrs.has(layer) or not isinstance(table, Mapping):
            continue
        for key, kind in get_type_hints(layer).items():
            # A list, or nothing at all; a word in its stead is refused elsewhere.
            parts = (kind, *get_args(kind)) if type(None) in get_args(kind) else (kind,)
            is_list = any(get_origin(part) in (tuple, Sequence) for part in parts)
            if is_list and isinstance(table.get(key), str):
                yield f"[{name}] {key}: this must be a list"
