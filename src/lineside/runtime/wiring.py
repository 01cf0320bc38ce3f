"""From settings to the parts of a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lineside.contract.configuration import FOLLOWED_VARIABLE
from lineside.runtime.accounting import Ledger
from lineside.runtime.captures.captures import Captures
from lineside.runtime.compare import comparer_of
from lineside.runtime.decider import Companion, Decider, Shadowing
from lineside.runtime.delivery import Delivery
from lineside.runtime.drift.watch import DriftWatch
from lineside.runtime.frames import Source
from lineside.runtime.line import Desk, Line, Measuring, Watching
from lineside.runtime.model import Model
from lineside.runtime.models.followed import followed_folders, slots_of
from lineside.runtime.models.following import Following
from lineside.runtime.models.library import Library
from lineside.runtime.models.shadow import Shadow
from lineside.runtime.models.slot import Slot
from lineside.runtime.rules import Rules
from lineside.runtime.settings import Settings


def line_of(
    settings: Settings,
    library: Library,
    sources: Mapping[str, Source],
    delivery: Delivery,
    ledger: Ledger,
    *,
    captures: Captures | None = None,
    shadow: Shadowing | None = None,
    meter: Measuring | None = None,
    watching: Sequence[Watching] = (),
) -> Line:
    """One desk for each model that a source is routed to. Raises `rules.invalid`."""
    configuration = settings.configuration
    deadline = configuration.deadline_ms / 1000 if configuration.deadline_ms is not None else None
    desks = []
    for name in dict.fromkeys(route.model for route in settings.routes.values()):
        slot = library.slot(name)
        mine = [source for source, route in settings.routes.items() if route.model == name]
        decider = Decider(
            slot,
            settings.device,
            chooser=captures.chooser if captures else None,
            shadow=shadow,
            rules={source: _rules(settings, source, slot) for source in mine},
            deadline=deadline,
            named=settings.named,
        )
        desks.append(Desk(decider, [sources[source] for source in mine], lanes=slot.model.lanes))
    line = Line(desks, delivery, ledger, meter, watching)
    accompany(line, settings)
    return line


def accompany(line: Line, settings: Settings) -> None:
    """Gives every model that decides the one before it to be compared with, which lies in its folder: at the start,
    and when another model has been swapped in."""
    for decider in line.deciders:
        proven, companion = decider.slot.proven, decider.companion
        if companion is None or companion.model is not proven.model:
            comparer = comparer_of(proven.folder, proven.model, settings.configuration.compare_every)
            decider.companion = Companion(comparer, proven.model) if comparer else None


def following_of(settings: Settings, library: Library, line: Line, environment: Mapping[str, str]) -> Following | None:
    """What swaps models when the agent says that their components have other versions."""
    if not environment.get(FOLLOWED_VARIABLE):
        return None
    models = {name: Path(one.folder) for name, one in settings.models.items()}
    return Following(
        library,
        lambda folders: slots_of(folders, models, settings.model),
        lambda: followed_folders(environment),
        lambda: accompany(line, settings),
    )


def captures_of(settings: Settings, environment: Mapping[str, str], drift: DriftWatch | None) -> Captures | None:
    """What keeps images, if anything does; `drift` knows when a source has drifted. Raises OSError, `capture.no_key`,
    `capture.no_hook`."""
    configuration = settings.configuration
    if configuration.capture is None:
        return None
    per_hour = configuration.shadow.per_hour if configuration.shadow else 0.0
    kept = settings.work, settings.captures, environment
    if drift is None:
        return Captures(configuration.capture, *kept, shadow_per_hour=per_hour)
    return Captures(configuration.capture, *kept, drifting=drift.drifting, shadow_per_hour=per_hour)


def shadow_of(settings: Settings, library: Library, captures: Captures | None) -> Shadow | None:
    """The candidate of the configuration, if there is one."""
    wanted = settings.configuration.shadow
    if wanted is None:
        return None

    def load() -> Model:
        return library.proven("shadow", settings.shadow, threads=1).model

    return Shadow(wanted, load, captures.disagreed if captures else None)


def _rules(settings: Settings, source: str, slot: Slot) -> Rules:
    """Those that the route names, held against its model's classes; else all, of which some may be for other models."""
    route, rules = settings.routes[source], settings.configuration.rules
    labels = slot.model.signature.labels if route.rules is not None or len(settings.models) == 1 else None
    return Rules({name: rules[name] for name in (rules if route.rules is None else route.rules)}, labels)
