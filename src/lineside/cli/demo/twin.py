"""The twin: a simulated device on which a model must reproduce its golden inputs before a person is asked."""

from __future__ import annotations

from lineside.cli.demo.fleet import TWIN
from lineside.cli.demo.scene import Scene
from lineside.contract.errors import LinesideError
from lineside.contract.model import ModelState, ModelVersion

_SECONDS = 300.0  # a twin gets this long for a model
_DONE = {ModelState.CANDIDATE: 0.1, ModelState.IN_TWIN: 0.5}


def try_on_twin(scene: Scene, model: ModelVersion) -> ModelVersion:
    """Start the twin and wait for its verdict; the model awaiting approval, or decided before."""
    with scene.display.stage("twin", "Try the model on a twin") as stage:
        scene.fleet.start(TWIN, twin=True)
        if model.state not in _DONE:
            scene.unchanged.append("twin")
        tried = scene.plane.wait(
            lambda client: client.model(model.name, model.version),
            lambda model: model.state not in _DONE,
            what=f"the twin to try {model.label}",
            where=str(scene.root.logs / f"{TWIN}.log"),
            seconds=_SECONDS,
            moved=lambda model: stage.move(TWIN, _DONE.get(model.state, 1.0), model.state.value.replace("_", " ")),
        )
        if tried.state is ModelState.TWIN_FAILED:
            raise LinesideError("demo.twin_failed", model=model.label, log=scene.root.logs / f"{TWIN}.log")
        stage.outcome = "golden inputs reproduced"
    return tried
