"""Steps of people's own in a run: a command, or a Python function, with declared inputs, outputs and parameters."""

from __future__ import annotations

from typing import Any

import msgspec

MOST_STEPS = 50
MOST_FILES = 500


class OwnStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step: exactly one of `command` and `python`.

    `command` is a list of words, in which `{inputs.NAME}`, `{outputs.NAME}` and `{parameters.NAME}` stand for paths and
    values; `python` is `MODULE:FUNCTION`, called with `inputs`, `outputs` and `parameters` as dictionaries.
    `inputs`: what a step before made (`optimize.variants.0.variant.digest`), or the digest of a blob.
    `outputs`: paths, relative to the step's folder, of the files that it leaves.
    `files`: the code: paths and folders beside the loop.yaml, or, once they were sent, digests of blobs by path. They
    are what makes two steps the same, with inputs and parameters.
    """

    name: str
    command: tuple[str, ...] = ()
    python: str | None = None
    needs: tuple[str, ...] = ()
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    parameters: dict[str, Any] = {}
    files: dict[str, str] | tuple[str, ...] = {}
    environment: dict[str, str] = {}
    timeout: float = 3600.0  # seconds
    image: str | None = None  # the container image it was made for: a hint, nothing pulls it
    cache: bool = True  # False: done again in every run


def files_of(step: OwnStep) -> dict[str, str]:
    """Its code files that were sent: digests by path."""
    return dict(step.files) if isinstance(step.files, dict) else {}
