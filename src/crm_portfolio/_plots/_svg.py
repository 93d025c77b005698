"""How does a drawn picture fit into any page: light or dark, strict, small?"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET

__all__ = ["fitted"]

_SPACE: Final = "http://www.w3.org/2000/svg"  # a file of its own needs it
# Ink is the colour of the text around the picture; the others are the page's to choose.
_COLOURS: Final = {
    "#000000": "currentColor",
    "#1f2a33": "currentColor",
    "#ffffff": "var(--paper,#fff)",
    "#8aa0b4": "var(--bar,#8aa0b4)",
    "#cccccc": "var(--rule,#ccc)",
}
# The page has its own letters.
_DROPPED: Final = frozenset({"font-family", "font-style", "font-weight"})
_NUMBER: Final = re.compile(r"-?\d+\.\d+")
_POINTER: Final = re.compile(r"(^|url\()#([\w.-]+)")
_NOT_IN_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_POINTING: Final = ("href", "clip-path", "fill")
_ROUNDED: Final = frozenset({"d", "x", "y", "width", "height", "transform"})


def fitted(picture: str, label: str) -> str:
    """The picture without styles, metadata and unused ids, in the colours of the page.

    Its declarations become attributes, so that a page may forbid inline styles; the ids
    that are left are its own among those of all pictures on a page.

    Args:
        label: What the picture shows, for those who cannot see it.
    """
    told = _NOT_IN_XML.sub("", picture[picture.index("<svg") :])
    root = ET.fromstring(told)  # noqa: S314 - matplotlib wrote it a moment ago
    for each in root.iter():
        _plain(each)
    for parent in list(root.iter()):
        for child in [c for c in parent if c.tag in {"metadata", "style"}]:
            parent.remove(child)
    _renamed(root, hashlib.sha256(told.encode()).hexdigest()[:6])
    _flat(root)
    viewed = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib |= {"xmlns": _SPACE, "class": "picture", "viewBox": viewed}
    root.attrib |= {"role": "img", "aria-label": label, "width": "720"}
    root.attrib |= {"fill": "currentColor", "stroke-linejoin": "round"}
    return ET.tostring(root, encoding="unicode")


def _plain(each: ET.Element) -> None:
    """Names without their space, declarations as attributes, numbers as short as seen."""
    each.tag = each.tag.rpartition("}")[2]
    for name in list(each.attrib):
        value = each.attrib.pop(name)
        if name == "style":
            each.attrib |= dict(_declared(value))
        else:
            each.set(name.rpartition("}")[2], _COLOURS.get(value, value))
    for name in _ROUNDED & each.attrib.keys():
        each.set(name, _NUMBER.sub(_short, " ".join(each.attrib[name].split())))
    if each.text and not each.text.strip():
        each.text = None
    each.tail = None


def _declared(style: str) -> Iterator[tuple[str, str]]:
    for declaration in style.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name and name not in _DROPPED:
            yield name, _COLOURS.get(value, value)


def _short(found: re.Match[str]) -> str:
    text = f"{float(found[0]):z.1f}"  # z: no zero has a sign
    return text.removesuffix(".0")


def _renamed(root: ET.Element, own: str) -> None:
    """Only the ids that something points to are left, each with our own before it."""
    wanted = {
        pointer
        for each in root.iter()
        for name in _POINTING
        for _, pointer in _POINTER.findall(each.get(name, ""))
    }
    for each in root.iter():
        if each.get("id") in wanted:
            each.set("id", f"{own}-{each.get('id')}")
        else:
            each.attrib.pop("id", None)
        for name in _POINTING:
            value = each.get(name, "")
            if _POINTER.match(value):
                each.set(name, value.replace("#", f"#{own}-", 1))


def _flat(root: ET.Element) -> None:
    """Groups that say nothing give their parts to what holds them."""
    for parent in [*root.iter()][::-1]:
        parts: list[ET.Element] = []
        for child in parent:
            says_nothing = child.tag in {"g", "defs"} and not child.attrib
            keep = child.tag == "defs" and len(child)
            parts += [child] if keep or not says_nothing else list(child)
        parent[:] = parts
