"""Texts of a recipe that are not what they seem: variables nothing fills in, words that YAML takes for true."""

from __future__ import annotations

import re

from lineside.contract.configuration import look_up, pointer_parts
from lineside.contract.recipes.document import walk
from lineside.contract.recipes.findings import Place
from lineside.contract.recipes.header import Header
from lineside.contract.recipes.nodes import Mapping, Reading, Scalar
from lineside.contract.recipes.variables import CONFIGURATION, FIXED, NAMESPACES, VARIABLE


def check_texts(reading: Reading, lifecycle: Mapping, header: Header) -> None:
    """Warn of variables in scripts that stay as they are, and of words such as `yes` that are no texts."""
    for node in walk(lifecycle):
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            continue
        for found in VARIABLE.finditer(node.text):
            component, namespace, key = found.groups()
            why = _why_kept(component, namespace, key, header)
            if why is not None:
                reading.findings.warn(_place(node, found), "recipe.variable", variable=found.group(), why=why)


def check_words(reading: Reading, configuration: Mapping) -> None:
    """Warn of `yes`, `no`, `on` and `off` in a configuration."""
    for node in walk(configuration):
        if isinstance(node, Scalar) and node.plain and isinstance(node.value, bool):
            word = node.text.lower()
            if word not in ("true", "false"):
                value = "true" if node.value else "false"
                reading.findings.warn(node.place, "recipe.surprising_value", text=node.text, value=value)


def _why_kept(component: str | None, namespace: str, key: str, header: Header) -> str | None:
    """Why nothing is filled in; None when something is, or when it is no variable of ours but a shell's or a JSON's."""
    if namespace.lower() not in NAMESPACES and (component or "").lower() not in NAMESPACES:
        return None
    if component is not None and component not in header.dependencies:
        return f"{component} is not among the ComponentDependencies"
    if namespace == CONFIGURATION:
        return None if component is not None else _missing(key, header)
    if f"{namespace}:{key}" in FIXED:
        return None
    close = [name for name in (*FIXED, f"{CONFIGURATION}:{key}") if name.lower() == f"{namespace}:{key}".lower()]
    return f"write {{{close[0]}}}" if close else f"known are {', '.join(FIXED)} and {CONFIGURATION}:/…"


def _missing(key: str, header: Header) -> str | None:
    try:
        look_up(header.default_configuration, pointer_parts(key))
    except KeyError:
        return f"the configuration has no {key} unless a deployment sets it"
    return None


def _place(node: Scalar, found: re.Match[str]) -> Place:
    """The variable's line where the text is a YAML block, else where the text begins."""
    if not node.block:
        return node.place
    return Place(node.place.line + 1 + node.text.count("\n", 0, found.start()), 1)
