"""Recipes: what to install, run and stop, in the AWS Greengrass V2 format (RecipeFormatVersion 2020-01-25).

Source: AWS IoT Greengrass V2 component recipe reference. Keys are read without regard to case, as the nucleus does.
Lineside's extensions of `Lifecycle`, all optional:

    Probe         a command that exits 0 when the component is ready, 2 when it never will be, anything else when not
                  yet (the last line it prints may be a JSON object for the report), or `Http: URL` on this device:
                  2xx is ready
    GoldenInputs  a command that runs once when the component is ready; anything but exit 0 is a failure for good
    SoakSeconds   for how long the component must stay ready before it counts, if longer than the deployment says
"""

from __future__ import annotations

from typing import Any

import msgspec

RECIPE_FORMAT = "2020-01-25"

DEFAULT_TIMEOUTS = {
    "install": 120.0,
    "startup": 120.0,
    "run": 0.0,
    "shutdown": 15.0,
    "recover": 60.0,
    "bootstrap": 120.0,
    "probe": 30.0,
    "goldeninputs": 60.0,
    "uninstall": 120.0,
}
"""Seconds a lifecycle step may take; 0 is no limit."""


class StepScript(msgspec.Struct, frozen=True, kw_only=True):
    """One lifecycle step: a shell script with its time-out in seconds and extra environment."""

    script: str
    timeout: float
    setenv: dict[str, str] = {}
    skipif: str | None = None
    requires_privilege: bool = False  # runs as the agent's own user (root, if it is) whatever `runWith` says
    http: str | None = None  # of a Probe only: GET this address instead of running a script


class RecipeArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact as a recipe names it. `digest` is Lineside's form of the recipe's base64 `Digest`."""

    uri: str
    name: str  # last part of the URI
    digest: str  # empty in a local recipe that does not say
    unarchive: str = "NONE"  # or ZIP
    executable: bool = False


class Dependency(msgspec.Struct, frozen=True, kw_only=True):
    """A dependency on another component: npm-style version requirement, HARD or SOFT."""

    requirement: str
    hard: bool = True


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe after the manifest for one platform was chosen; lifecycle keys in lower case."""

    name: str
    version: str
    description: str = ""
    publisher: str = ""
    default_configuration: dict[str, Any] = {}
    dependencies: dict[str, Dependency] = {}
    lifecycle: dict[str, StepScript] = {}
    setenv: dict[str, str] = {}
    artifacts: tuple[RecipeArtifact, ...] = ()
    soak_seconds: float = 0.0
