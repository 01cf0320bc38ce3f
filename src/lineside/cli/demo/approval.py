"""Approval: `--yes` gives it, or a person does, here in the terminal, on the model's page, or by command."""

from __future__ import annotations

import select
import sys

from lineside.cli.connection import option_of
from lineside.cli.demo.scene import Scene
from lineside.client import Client
from lineside.contract.errors import LinesideError
from lineside.contract.model import Decision, ModelState, ModelVersion

_SECONDS = 3600.0  # a person gets an hour
_YES = {"y", "yes"}


def approve(scene: Scene, model: ModelVersion) -> ModelVersion:
    """The approved model. Raises `demo.not_approved` when somebody rejects it."""
    if model.state is ModelState.APPROVED:
        scene.unchanged.append("approval")
        return model
    with scene.display.stage("approval", "Approve the model", still=True) as stage:
        if model.state is ModelState.AWAITING_APPROVAL:
            model = _decide(scene, model) if scene.settings.yes else _ask(scene, model)
        if model.state is not ModelState.APPROVED:
            raise LinesideError("demo.not_approved", model=model.label, why=model.reason or model.state.value)
        stage.outcome = f"{model.label} approved by {model.decided_by}"
    return model


def _decide(scene: Scene, model: ModelVersion) -> ModelVersion:
    decision = Decision(reason="asked for by the demo")

    def decide(client: Client) -> ModelVersion:
        current = client.model(model.name, model.version)
        if current.state is not ModelState.AWAITING_APPROVAL:
            return current  # decided meanwhile, here or elsewhere
        return client.approve_model(model.name, model.version, decision)

    return scene.plane.ask(decide)


def _ask(scene: Scene, model: ModelVersion) -> ModelVersion:
    url = scene.plane.url
    scores = model.metrics.get("test")
    if scores:
        scene.display.say(
            f"    {model.label} scores mAP50 {scores.map50:.3f}, mAP50-95 {scores.map:.3f} on test images"
        )
    scene.display.say(f"    Approve it on {url}/models/{model.name}/{model.version}")
    scene.display.say(f"    or with: lineside models approve {model.label}{option_of(scene.root.path)}")
    if sys.stdin.isatty():
        scene.display.say("    or here: approve? [y/N]")
    return scene.plane.wait(
        lambda client: _decide(scene, model) if _typed_yes(scene, model) else client.model(model.name, model.version),
        lambda model: model.state is not ModelState.AWAITING_APPROVAL,
        what=f"somebody to approve {model.label}",
        where=f"{url}/models/{model.name}/{model.version}",
        seconds=_SECONDS,
    )


def _typed_yes(scene: Scene, model: ModelVersion) -> bool:
    """Whether somebody answered yes since the last look; any other answer leaves it to the page and the command."""
    if not sys.stdin.isatty() or not select.select([sys.stdin], [], [], 0)[0]:
        return False
    answer = sys.stdin.readline().strip().lower()
    if answer not in _YES:
        scene.display.say(f"    Not approved here. Reject it with: lineside models reject {model.label} --reason …")
    return answer in _YES
