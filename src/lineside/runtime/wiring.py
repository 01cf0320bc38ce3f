"""From settings to the parts of a line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lineside.runtime.accounting import Ledger
from lineside.runtime.capture import Chooser
from lineside.runtime.compare import comparer_of
from lineside.runtime.decider import Companion, Decider, Shadowing, SharedChooser
from lineside.runtime.delivery import Delivery
from lineside.runtime.frames import Source
from lineside.runtime.line import Desk, Line, Measuring, Watching
from lineside.runtime.models.library import Library
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
    shadow: Shadowing | None = None,
    meter: Measuring | None = None,
    live: Watching | None = None,
) -> Line:
    """One desk for each model that a source is routed to. Raises `rules.invalid`."""
    configuration = settings.configuration
    chooser = SharedChooser(Chooser(configuration.capture)) if configuration.capture else None
    deadline = configuration.deadline_ms / 1000 if configuration.deadline_ms is not None else None
    desks = []
    for name in dict.fromkeys(route.model for route in settings.routes.values()):
        slot = library.slot(name)
        mine = [source for source, route in settings.routes.items() if route.model == name]
        decider = Decider(
            slot,
            settings.device,
            chooser=chooser,
            companion=_companion(settings, name, slot),
            shadow=shadow,
            rules={source: _rules(settings, source, slot) for source in mine},
            deadline=deadline,
            named=settings.named,
        )
        desks.append(Desk(decider, [sources[source] for source in mine], lanes=slot.model.lanes))
    return Line(desks, delivery, ledger, meter, live)


def _companion(settings: Settings, name: str, slot: Slot) -> Companion | None:
    model = slot.model
    comparer = comparer_of(Path(settings.models[name].folder), model, settings.configuration.compare_every)
    return Companion(comparer, model) if comparer else None


def _rules(settings: Settings, source: str, slot: Slot) -> Rules:
    """Those that the route names, held against its model's classes; else all, of which some may be for other models."""
    route, rules = settings.routes[source], settings.configuration.rules
    labels = slot.model.signature.labels if route.rules is not None or len(settings.models) == 1 else None
    return Rules({name: rules[name] for name in (rules if route.rules is None else route.rules)}, labels)
