"""Which resources a policy names: `*` stands for any characters, and `${*}`, `${?}`, `${$}` for the signs themselves.

Policies of the MQTT proxy may use `+` and `#` as MQTT filters do. The time to match grows with the product of both
lengths, never faster, whatever the pattern.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\$\{([*?$])\}")
_ANY, _LEVEL = "\0any", "\0level"


class Resource:
    """A compiled pattern."""

    __slots__ = ("_parents", "_tokens", "exact")

    def __init__(self, pattern: str, *, mqtt: bool) -> None:
        self._parents: tuple[str, ...] | None = None  # `a/#` names `a` too
        if mqtt and pattern.endswith("/#"):
            self._parents = _tokens(pattern[:-2], mqtt)
            pattern = pattern[:-1] + "*"
        elif mqtt and pattern == "#":
            pattern = "*"
        self._tokens = _tokens(pattern, mqtt)
        wild = any(token in (_ANY, _LEVEL) for token in self._tokens)
        self.exact: str | None = None if wild or self._parents is not None else "".join(self._tokens)

    def matches(self, resource: str) -> bool:
        """Whether it names this resource."""
        if self.exact is not None:
            return self.exact == resource
        if self._parents is not None and _matches(self._parents, resource):
            return True
        return _matches(self._tokens, resource)


def _tokens(pattern: str, mqtt: bool) -> tuple[str, ...]:
    """Single characters and wildcards."""
    tokens: list[str] = []
    at = 0
    while at < len(pattern):
        escape = _ESCAPE.match(pattern, at)
        if escape is not None:
            tokens.append(escape[1])
            at = escape.end()
            continue
        sign = pattern[at]
        if sign == "*":
            tokens.append(_ANY)
        elif mqtt and sign == "+" and pattern[at - 1 : at] in ("", "/") and pattern[at + 1 : at + 2] in ("", "/"):
            tokens.append(_LEVEL)
        else:
            tokens.append(sign)
        at += 1
    return tuple(tokens)


def _matches(tokens: tuple[str, ...], text: str) -> bool:
    """All positions in the pattern that can be reached, one character after the other."""
    reached = _skipped(tokens, {0})
    for sign in text:
        after = set()
        for at in reached:
            if at == len(tokens):
                continue
            token = tokens[at]
            if token == _ANY or (token == _LEVEL and sign not in "/#"):  # `a/+` must not let in the filter `a/#`
                after.add(at)
            elif token == sign:
                after.add(at + 1)
        reached = _skipped(tokens, after)
        if not reached:
            return False
    return len(tokens) in reached


def _skipped(tokens: tuple[str, ...], reached: set[int]) -> set[int]:
    """Wildcards may also stand for nothing."""
    for start in list(reached):
        at = start
        while at < len(tokens) and tokens[at] in (_ANY, _LEVEL):
            at += 1
            reached.add(at)
    return reached
