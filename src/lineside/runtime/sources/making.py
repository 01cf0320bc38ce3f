"""From a source's settings to the source."""

from __future__ import annotations

from lineside.runtime.frames import Source
from lineside.runtime.settings import Settings
from lineside.runtime.sources.folder import FolderSource
from lineside.runtime.spool import InputKey, Spool


def sources_of(settings: Settings, spool: Spool) -> dict[str, Source]:
    """The sources of a configuration, not started, with what they had done before."""
    done = spool.inputs()
    return {name: _made(name, settings, spool, done) for name in settings.sources}


def kind_of(settings: Settings, name: str) -> str:
    """The kind of a source, as the configuration names it."""
    return str(settings.sources[name].__struct_config__.tag)


def _made(name: str, settings: Settings, spool: Spool, done: set[InputKey]) -> Source:
    one = settings.sources[name]
    prefix = f"{name}/" if settings.named else ""  # the only folder of a device remembered its files without one
    return FolderSource(
        name,
        settings.folder(one.folder),
        done,
        prefix=prefix,
        interval=one.interval,
        forget=spool.forget_inputs,
    )
