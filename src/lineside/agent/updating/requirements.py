"""`requirements.txt` of a component: exact versions with their hashes, and nothing else.

pip understands far more (indexes, URLs, other files, editable folders), most of which reaches for the network or for
code; each is refused by name. The form is what `pip-compile --generate-hashes` and `uv pip compile --generate-hashes`
write.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from lineside.contract.errors import LinesideError

MAX_BYTES = 1 << 20

_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:\[[A-Za-z0-9._, -]*\])?"
    r"\s*==\s*(?P<version>[A-Za-z0-9.!+_-]+)"
    r"\s*(?:;(?P<marker>[^#]*?))?(?P<hashes>(?:\s+--hash=[a-z0-9]+:[0-9a-f]+)*)\s*"
)
_HASH = re.compile(r"--hash=([a-z0-9]+):([0-9a-f]+)")
_COMMENT = re.compile(r"(^|\s)#.*$")


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """One pinned distribution; `hashes` are SHA-256, in hexadecimal."""

    name: str
    version: str
    hashes: frozenset[str]

    @property
    def pin(self) -> str:
        """As people write it."""
        return f"{self.name}=={self.version}"


def read_requirements(component: str, data: bytes) -> list[Requirement]:
    """The requirements in a file. Raises `environment.requirement`, `environment.not_pinned`."""
    try:
        text = data.decode() if len(data) <= MAX_BYTES else "(more than a mebibyte)"
    except UnicodeDecodeError:
        text = "(not UTF-8)"
    return [_requirement(component, line) for line in _lines(text)]


def _lines(text: str) -> Iterable[str]:
    """Lines without comments, continued ones as one."""
    joined = re.sub(r"\\\r?\n", " ", text)
    for line in joined.splitlines():
        bare = " ".join(_COMMENT.sub("", line).split())
        if bare:
            yield bare


def _requirement(component: str, line: str) -> Requirement:
    found = _REQUIREMENT.fullmatch(line)
    if found is None:
        raise LinesideError("environment.requirement", name=component, line=line[:120])
    hashes = {value for kind, value in _HASH.findall(found["hashes"]) if kind == "sha256" and len(value) == 64}
    requirement = Requirement(name=found["name"], version=found["version"], hashes=frozenset(hashes))
    if not hashes:
        raise LinesideError("environment.not_pinned", name=component, requirement=requirement.pin)
    return requirement


def wheels_of(requirement: Requirement, files: Sequence[str]) -> list[str]:
    """Those of the wheel files that are of the requirement's name and version, for whatever platform."""
    wanted = (_normal(requirement.name), _version(requirement.version))
    return [name for name in files if _name_and_version(name) == wanted]


def _name_and_version(wheel: str) -> tuple[str, str]:
    name, _, rest = wheel.partition("-")
    return _normal(name), _version(rest.partition("-")[0])


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _version(version: str) -> str:
    """Version spellings that mean the same, in the ways that occur: local parts, letter case, `v`, trailing zeros."""
    public, _, local = version.lower().removeprefix("v").partition("+")
    while public.endswith(".0"):
        public = public[:-2]
    return f"{public}+{re.sub('[-_.]', '.', local)}"
