"""`python -m lineside.pipeline.own_function CALL.json`: calls a function of people's own, see `own`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import msgspec


def main(arguments: list[str]) -> int:
    """Call it with its inputs (paths, or small values), outputs (paths) and parameters."""
    said: dict[str, Any] = msgspec.json.decode(Path(arguments[0]).read_bytes())
    module, _, function = said["function"].partition(":")
    call = getattr(importlib.import_module(module), function)
    outputs = {name: Path(path) for name, path in said["outputs"].items()}
    call(inputs=said["inputs"], outputs=outputs, parameters=said["parameters"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
