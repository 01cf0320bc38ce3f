"""The twin: a simulated device on which a model must pass its test before a person is asked."""

from __future__ import annotations

from lineside.cli.demo.fleet import TWIN, TWIN_PROFILE
from lineside.cli.demo.scene import Scene
from lineside.cli.twin_view import load_report
from lineside.contract.errors import LinesideError
from lineside.contract.model import ModelState, ModelVersion
from lineside.contract.twin import TwinState

_SECONDS = 300.0  # a twin gets this long for a model
_DONE = {ModelState.CANDIDATE: 0.1, ModelState.IN_TWIN: 0.2}
_STAGES = tuple(TwinState)


def try_on_twin(scene: Scene, model: ModelVersion) -> ModelVersion:
    """Start the twin and wait for its verdict; the model awaiting approval, or decided before."""
    with scene.display.stage("twin", "Try the model on a twin") as stage:
        held = scene.fleet.start_twin()
        if model.state not in _DONE:
            scene.unchanged.append("twin")
        tried = scene.plane.wait(
            lambda client: client.model(model.name, model.version),
            lambda model: model.state not in _DONE,
            what=f"the twin to try {model.label}",
            where=str(scene.root.logs / f"{TWIN}.log"),
            seconds=_SECONDS,
            moved=lambda model: stage.move(TWIN, *_progress(scene, model)),
        )
        if tried.state is ModelState.TWIN_FAILED:
            raise LinesideError("demo.twin_failed", model=model.label, log=scene.root.logs / f"{TWIN}.log")
        stage.outcome = f"{_words(scene, tried)}; {TWIN_PROFILE}, held by {held}"
    return tried


def _progress(scene: Scene, model: ModelVersion) -> tuple[float, str]:
    """How far its test is, and the stage under way."""
    if model.state is not ModelState.IN_TWIN:
        return _DONE.get(model.state, 1.0), model.state.value.replace("_", " ")
    test = scene.plane.ask(lambda client: client.twin_test(model.name, model.version))
    return (1 + _STAGES.index(test.state)) / len(_STAGES), test.state.value.replace("_", " ")


def _words(scene: Scene, model: ModelVersion) -> str:
    """The numbers of its report that a person wants first."""
    report = scene.plane.ask(lambda client: load_report(client, model.twin_report))
    checks = [check for twin in report.twins for check in twin.checks] if report else []
    found = ["golden inputs reproduced"]
    for name, words in (("latency p95", "p95"), ("peak memory", "at most")):
        values = [check for check in checks if check.name.startswith(name)]
        if values:
            most = max(values, key=lambda check: check.value)
            found.append(f"{words} {most.value:.0f} {most.unit}")
    return ", ".join((*found, "back and forth"))
