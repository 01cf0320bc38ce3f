"""The drift story: what one device sees changes, and the loop closes around it.

release ► usual ► the line changes at one device ► alarm ► captures ► reviews ► dataset version ► the trigger's run
► twin ► both sets ► approval ► rollout ► the alarm is over
"""

from __future__ import annotations

import dataclasses
import time

from lineside.cli.demo.approval import approve
from lineside.cli.demo.drift.line import CHANGED, USUAL, Line, days, truth_of
from lineside.cli.demo.drift.retrain import apply_loop, judge, wait_for_dataset, wait_for_start
from lineside.cli.demo.drift.review import collect, review
from lineside.cli.demo.drift.summary import draw_drift, with_drift
from lineside.cli.demo.drift.watch import WATCHED, change, drift_told, watch_clear, watch_usual
from lineside.cli.demo.rollout import roll_out
from lineside.cli.demo.scene import Scene
from lineside.cli.demo.story import Release, Told, release, summary_of
from lineside.cli.demo.summary import draw_summary
from lineside.cli.demo.training import follow_training
from lineside.cli.demo.twin import try_on_twin
from lineside.contract.model import ModelState

_LOOK = 0.2  # seconds


def tell(scene: Scene) -> Told:
    """From a first model, over what it does not know, to the second one."""
    made = release(scene, WATCHED)
    if not made.stations:
        return Told(summary_of(scene, made), draw_summary, False, lambda: None)
    pictures = days(scene)
    line = _line(scene, made)
    apply_loop(scene, made)
    watch_usual(scene, made.model, line, made.stations, pictures[USUAL])
    changed, alarm = change(scene, line, made.stations[len(made.stations) // 2], pictures[CHANGED])
    kept = collect(scene, changed.device)
    reviewed = review(scene, changed.device, truth_of(pictures[CHANGED]))
    dataset = wait_for_dataset(scene, made)
    loop = wait_for_start(scene, made)
    run, model = follow_training(scene, lambda client: client.run(loop.run or ""))
    new, retrain = dataclasses.replace(made, dataset=dataset, run=run, model=model, rollout=None), None
    if model.state is not ModelState.GATED_OUT:
        model = try_on_twin(scene, model)
        retrain = judge(scene, made, loop, model)
        model = approve(scene, model)
        _, rollout = roll_out(scene, model, made.stations, WATCHED)
        watch_clear(scene, model, made.stations)
        new = dataclasses.replace(new, model=model, rollout=rollout.id)
    drift = drift_told(scene, changed, alarm, kept)
    captures = scene.plane.ask(lambda client: client.captures(limit=1).total)
    summary = with_drift(summary_of(scene, new, captures), drift, retrain, reviewed)
    return Told(summary, draw_drift, retrain is not None, lambda: _go_on(scene))


def _line(scene: Scene, made: Release) -> Line:
    """The line, which goes on whenever the demo waits for something."""
    line = Line({name: scene.fleet.inbox_of(name) for name in made.stations})
    before = scene.plane.tick

    def tick() -> None:
        before()
        line.step()

    scene.plane.tick = tick
    return line


def _go_on(scene: Scene) -> None:
    """The line goes on, until somebody stops the demo."""
    scene.display.say(f"Everything stays up at {scene.plane.url}, and the line goes on.")
    scene.display.say("Ctrl-C ends it.")
    while True:
        scene.plane.tick()
        time.sleep(_LOOK)
