"""From a component and its recipe to what is run: scripts with their variables filled in, environment, directories."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from lineside import __version__
from lineside.agent.durable import keep
from lineside.agent.link.join_state import JoinState
from lineside.agent.loader.control import python_by_hand
from lineside.agent.paths import Paths
from lineside.agent.supervision.interpolate import Namespace, interpolate
from lineside.agent.supervision.processes import COMPONENT_MARKER, MARKER
from lineside.agent.supervision.walls import sandbox
from lineside.agent.updating import environments
from lineside.agent.updating.installed import Component, ComponentSet
from lineside.contract.configuration import FOLLOWED_VARIABLE, follows
from lineside.contract.deployment import RunWith
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.builtin import is_builtin
from lineside.contract.recipes.recipe import Recipe, StepScript
from lineside.contract.schema_versions import RESULTS_TAKEN
from lineside.contract.twin import TestSpec, tests_of

_NOT_PASSED_ON = (
    *("LINESIDE_CRASH_AT", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"),
    *("LINESIDE_LOADER", "LINESIDE_LOADER_CHILD", "LINESIDE_AGENT_DIGEST"),
    *("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"),  # the service manager's words are for the agent
)
_FOLLOWED_FILE = "followed.json"  # in a component's work directory


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """Everything needed to run one component."""

    name: str
    version: str
    lifecycle: dict[str, StepScript]
    environment: dict[str, str]
    directory: Path
    log: Path
    root: Path
    run_with: RunWith = RunWith()
    dependencies: tuple[str, ...] = ()  # those it cannot do without (HARD)
    soak_seconds: float = 0.0
    sandbox: bool = False
    writable: tuple[Path, ...] = ()  # in the sandbox, beside its work directory
    tests: dict[str, TestSpec] = {}  # on twins: what it declares, with variables filled in
    tests_wrong: str = ""  # why that cannot be read


def prepare(
    component: Component, within: ComponentSet, recipes: Mapping[str, Recipe], joined: JoinState, paths: Paths
) -> Launch:
    """Fill in a component's scripts and environment, and write its configuration file."""
    recipe = recipes[component.recipe_digest]
    own = _namespace(component, joined, paths)
    others = {
        item.name: _namespace(item, joined, paths) for item in within.components if item.name in recipe.dependencies
    }

    def fill(text: str) -> str:
        return interpolate(text, own, others)

    environment = _environment(component, recipe, joined, paths)
    environment |= {key: fill(value) for key, value in recipe.setenv.items()}
    work = paths.work(component.name)
    work.mkdir(parents=True, exist_ok=True)
    tests, wrong = _tests(component, fill) if joined.twin else ({}, "")
    keep(paths.configuration(component.name), msgspec.json.encode(component.configuration))
    followed = follows(component.configuration, recipe.default_configuration).intersection(others)
    if followed:
        folders = {name: others[name].values["artifacts:path"] for name in sorted(followed)}
        keep(work / _FOLLOWED_FILE, msgspec.json.encode(folders))
        environment[FOLLOWED_VARIABLE] = str(work / _FOLLOWED_FILE)
    return Launch(
        name=component.name,
        version=component.version,
        lifecycle={key: _filled(step, fill) for key, step in recipe.lifecycle.items()},
        environment=environment,
        directory=work,
        log=paths.log(component.name),
        root=paths.root,
        run_with=getattr(component, "run_with", None) or RunWith(),
        dependencies=tuple(
            name for name, wanted in sorted(recipe.dependencies.items()) if wanted.hard and name not in followed
        ),
        soak_seconds=recipe.soak_seconds,
        sandbox=sandbox.wanted(component.configuration),
        writable=(paths.captures,),
        tests=tests,
        tests_wrong=wrong,
    )


def _tests(component: Component, fill: Callable[[str], str]) -> tuple[dict[str, TestSpec], str]:
    """The tests a component carries, or why they cannot be read."""
    try:
        declared = tests_of(component.configuration)
        return {name: msgspec.structs.replace(one, script=fill(one.script)) for name, one in declared.items()}, ""
    except LinesideError as error:
        return {}, error.message


def _filled(step: StepScript, fill: Callable[[str], str]) -> StepScript:
    return msgspec.structs.replace(
        step,
        script=fill(step.script),
        setenv={key: fill(value) for key, value in step.setenv.items()},
        skipif=None if step.skipif is None else fill(step.skipif),
        http=None if step.http is None else fill(step.http),
    )


def _namespace(component: Component, joined: JoinState, paths: Paths) -> Namespace:
    values = {
        "artifacts:path": str(paths.artifacts(component.name, component.version)),
        "artifacts:decompressedPath": str(paths.unarchived(component.name, component.version)),
        "work:path": str(paths.work(component.name)),
        "kernel:rootPath": str(paths.root),
        "iot:thingName": joined.device,
    }
    return Namespace(values, component.configuration)


def _environment(component: Component, recipe: Recipe, joined: JoinState, paths: Paths) -> dict[str, str]:
    passed = {key: value for key, value in os.environ.items() if key not in _NOT_PASSED_ON}
    return passed | {
        MARKER: str(paths.root),
        COMPONENT_MARKER: component.name,
        "LINESIDE_PYTHON": sys.executable if is_builtin(component.name) else python_by_hand(),
        "LINESIDE_DEVICE": joined.device,
        "LINESIDE_CONFIG": str(paths.configuration(component.name)),
        "LINESIDE_MODEL": _model_of(component.name, recipe),
        "LINESIDE_INBOX": str(paths.inbox),
        "LINESIDE_CAPTURES": str(paths.captures),
        "LINESIDE_MQTT_HOST": joined.mqtt_host or "",
        "LINESIDE_MQTT_PORT": str(joined.mqtt_port or ""),
        RESULTS_TAKEN: str(paths.results_taken),
        "LINESIDE_CA": str(paths.ca),
        "LINESIDE_CERT": str(paths.certificate),
        "LINESIDE_KEY": str(paths.key),
        "AWS_IOT_THING_NAME": joined.device,
        "GGC_VERSION": __version__,
        "GREENGRASS_COMPONENT_VERSION": component.version,
        **environments.variables(recipe, paths, passed.get("PATH", os.defpath)),
    }


def _model_of(name: str, recipe: Recipe) -> str:
    """The model a component runs: that of the model component it depends on, else its own first name."""
    for other in sorted(recipe.dependencies):
        if other.endswith(".model"):
            return other.removesuffix(".model")
    return name.rsplit(".", 1)[0]
