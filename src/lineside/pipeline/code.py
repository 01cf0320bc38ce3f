"""Which code did something: digests of source files, so that a change to the code is a change of the key."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import lineside
from lineside.contract.errors import LinesideError
from lineside.contract.ids import content_digest, digest_of

_WHOLE = ("lineside.pipeline", "lineside.runtime", "lineside.contract")


@cache
def source_digest(*names: str) -> str:
    """The digest of the sources of modules; a package counts with everything below it. Error: run.step_failed."""
    return content_digest({name: dict(_sources(name)) for name in names})


@cache
def code_version() -> str:
    """Lineside's version and 12 hex digits of the digest of everything that makes and runs a model."""
    return f"{lineside.__version__}+{source_digest(*_WHOLE).removeprefix('sha256:')[:12]}"


def trainer_sources(trainer: object) -> tuple[str, ...]:
    """The modules a trainer is made of: the built-in ones together, or the whole package of a plug-in."""
    module = type(trainer).__module__
    if module.startswith("lineside.pipeline.trainers."):
        return ("lineside.pipeline.trainers",)
    return (module.split(".", 1)[0],)


def _sources(name: str) -> list[tuple[str, str]]:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise LinesideError("run.step_failed", step="cache", why=f"the source of {name} was not found")
    origin = Path(spec.origin)
    if not spec.submodule_search_locations:
        return [(origin.name, digest_of(origin.read_bytes()))]
    folder = origin.parent
    return [(f.relative_to(folder).as_posix(), digest_of(f.read_bytes())) for f in sorted(folder.rglob("*.py"))]
