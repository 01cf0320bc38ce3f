"""What `pip install lineside[all]` brings is under licences that a factory can take: no GPL, AGPL, SSPL or BUSL."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement

FORBIDDEN = re.compile(
    r"\b(A?GPL|GNU (Affero )?General Public|SSPL|BUSL|Business Source|Commons Clause)", re.IGNORECASE
)
TAKEN = re.compile(
    r"\b(MIT|MIT-0|MIT-CMU|BSD|[0-9]-Clause|FreeBSD|Apache|ISC|ISCL|PSF|Python Software Foundation|MPL|Mozilla|Zlib"
    r"|0BSD|CC0|EPL|BSL-1\.0|Boost|Unlicense)",
    re.IGNORECASE,
)
REVIEWED = {
    # LGPL-3.0-only: a driver that is called and not changed or linked in; it comes with dbos for PostgreSQL.
    "psycopg": "LGPL-3.0-only",
    "psycopg-binary": "LGPL-3.0-only",
}
"""What the pattern above would not take, looked at by a person; a changed licence must be looked at again."""


def name_of(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def installed() -> Iterator[importlib.metadata.Distribution]:
    """Every distribution that `lineside[all]` needs on this platform."""
    waiting, seen = [Requirement("lineside[all]")], set()
    while waiting:
        wanted = waiting.pop()
        key = name_of(wanted.name), frozenset(wanted.extras)
        if key in seen:
            continue
        seen.add(key)
        found = importlib.metadata.distribution(wanted.name)
        yield found
        extras = {"", *wanted.extras}
        for line in found.requires or []:
            below = Requirement(line)
            if below.marker is None or any(below.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(below)


def licence_of(found: importlib.metadata.Distribution) -> str:
    """What it says of itself: the SPDX expression, else the classifiers, else the first line of the free text."""
    said = found.metadata
    classifiers = [one.split(" :: ")[-1] for one in said.get_all("Classifier") or [] if one.startswith("License")]
    first = next(iter((said.get("License") or "").strip().splitlines()), "")
    return said.get("License-Expression") or ", ".join(one for one in classifiers if one) or first


LICENCES = {name_of(found.metadata["Name"]): licence_of(found) for found in installed()}


@pytest.mark.parametrize("name", sorted(LICENCES))
def test_the_licence_can_be_taken(name: str) -> None:
    licence = LICENCES[name]
    if name in REVIEWED:
        assert licence == REVIEWED[name]
        return
    without = licence.replace("LGPL", "")
    assert not FORBIDDEN.search(without)
    assert TAKEN.search(licence), f"{name} says {licence!r}: look at it and add it to REVIEWED"


@pytest.mark.parametrize(
    "licence", ["GPL-3.0-only", "AGPL-3.0-or-later", "GNU General Public License v2", "BUSL-1.1", "GNU AGPLv3"]
)
def test_what_may_not_come_in_is_found(licence: str) -> None:
    assert FORBIDDEN.search(licence)


def test_all_of_them_were_looked_at() -> None:
    assert {"msgspec", "torch", "litestar", "tuf"} <= set(LICENCES)
