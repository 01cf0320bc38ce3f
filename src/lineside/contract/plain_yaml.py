"""YAML of plain data, read with suspicion: no aliases, which expand without bound, and no nest that is too deep.

libyaml builds nested values by recursion in C, and a deep enough nest ends the whole process: so its events, which need
no recursion, are looked through first. Python's own reader takes seconds for 64 KiB of brackets.
"""

from __future__ import annotations

from typing import Any

import yaml

MAX_NESTED = 64
"""Levels of lists and mappings in each other."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_plain(text: str) -> Any:
    """The value of the one document in `text`. Raises `yaml.MarkedYAMLError`, which has the place, and `ValueError`
    for a value that is none, such as the 31st of February."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise _refused("aliases are not read", event)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_NESTED:
            raise _refused(f"it is nested deeper than {MAX_NESTED}", event)
    return yaml.load(text, Loader=_Loader)


def _refused(why: str, event: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=why, problem_mark=event.start_mark)
