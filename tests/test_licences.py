"""May whoever installs us use, and pass on, all that is installed with us?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
# Permissive ones, and the MPL, which binds changes to its own files only.
ALLOWED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "HPND", "ISC", "MIT-CMU",
    "MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib",
}  # fmt: skip
# How packages without an expression say it: in a classifier, or in words.
SPELT = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
    "zlib/libpng license": "Zlib",
}
# What their metadata does not tell in a way that can be read, and where it was read.
EXCEPTIONS: dict[str, str] = {
    "text-unidecode": "the Artistic License or the GPL, as you choose (its LICENSE); "
    "it comes with Airflow only, by python-slugify",
}


def said(about: PackageMetadata) -> str:
    """What the metadata says: an expression, classifiers, or words."""
    if expression := about.get("License-Expression"):
        return str(expression)
    named = [
        line.rpartition(" :: ")[2]
        for line in about.get_all("Classifier") or ()
        if line.startswith("License :: OSI Approved :: ")
    ]
    return " AND ".join(SPELT.get(name.lower(), name) for name in named) or str(
        about.get("License") or ""
    )


def is_allowed(licence: str) -> bool:
    """All of what is joined by AND, one of what is joined by OR."""
    plain = SPELT.get(licence.strip().lower(), licence.strip())
    if plain in ALLOWED:
        return True
    while (inner := re.search(r"\(([^()]*)\)", plain)) and " " in inner[1]:
        kept = "MIT" if is_allowed(inner[1]) else "refused"
        plain = plain.replace(inner[0], kept)
    both, either = re.split(r"\s+AND\s+", plain), re.split(r"\s+OR\s+", plain)
    if len(both) > 1:
        return all(map(is_allowed, both))
    return len(either) > 1 and any(map(is_allowed, either))


def pinned() -> set[str]:
    lines = (ROOT / "pins/package.txt").read_text(encoding="utf-8").splitlines()
    return {line.partition("==")[0] for line in lines if re.match(r"\w.*==", line)}


def below(name: str, extra: str = "") -> Iterator[str]:
    """What a package asks for here, of an extra or of none."""
    for line in requires(name) or ():
        wanted = Requirement(line)
        marker = wanted.marker
        if marker is None or marker.evaluate({"extra": extra}):
            yield canonicalize_name(wanted.name)


def with_extras() -> set[str]:
    """All that is installed with us and our extras, down to the last one."""
    extras = metadata("crm-portfolio").get_all("Provides-Extra") or ()
    waiting = [
        name for extra in ("", *extras) for name in below("crm-portfolio", extra)
    ]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            waiting += below(name)
            found.add(name)
        except PackageNotFoundError:
            continue  # for another system, or not installed here
    return found


@pytest.mark.parametrize("name", sorted({*pinned(), *with_extras()}))
def test_its_licence_lets_you_use_it(name):
    try:
        licence = said(metadata(name))
    except PackageNotFoundError:
        pytest.skip("for another system")
    assert is_allowed(licence) or name in EXCEPTIONS, f"{name}: {licence[:80]!r}"


def test_no_exception_is_left_over():
    assert set(EXCEPTIONS) <= {*pinned(), *with_extras()}
    needless = [name for name in EXCEPTIONS if is_allowed(said(metadata(name)))]
    assert needless == []


def test_the_extras_are_looked_at_too():
    assert {"apache-airflow", "obstore", "matplotlib", "polars"} <= with_extras()


@pytest.mark.parametrize(
    ("licence", "may"),
    [
        ("MIT", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("Apache-2.0 OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT AND (LGPL-3.0-only OR GPL-3.0-only)", False),
        ("GNU General Public License v3 (GPLv3)", False),
        ("", False),
    ],
)
def test_a_licence_is_read_as_it_is_meant(licence, may):
    assert is_allowed(licence) == may
