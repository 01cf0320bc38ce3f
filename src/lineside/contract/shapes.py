"""msgspec learns the shape of a type when it first reads one. Two threads that do so at once can end the process.

The type is known to the second thread before the first has filled in its fields (msgspec 0.22): a read through a null
pointer. So a process that has threads learns all its types before it starts them.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec


def learn_shapes() -> int:
    """Has msgspec learn every `Struct` that is imported so far; how many. Called before the first thread starts."""
    known = 0
    for shape in _below(msgspec.Struct):
        try:
            msgspec.json.Decoder(shape)
            known += 1
        except (TypeError, NameError):  # not one that is read: types of others, names for the type checker alone
            continue
    return known


def _below(shape: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for one in shape.__subclasses__():
        yield one
        yield from _below(one)
