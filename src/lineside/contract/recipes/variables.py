"""The variables of recipes: `{artifacts:path}`, `{configuration:/a/b}`, `{other.component:work:path}`."""

from __future__ import annotations

import re

VARIABLE = re.compile(r"\{(?:([.\w-]+):)?([.\w-]+):([^:}]*)}")
"""An optional component, a namespace and a key. The key may be empty: `{configuration:}` is the whole configuration."""

FIXED = ("artifacts:path", "artifacts:decompressedPath", "work:path", "kernel:rootPath", "iot:thingName")
"""Variables with one value a component; their case matters, as in Greengrass."""

CONFIGURATION = "configuration"
"""The namespace whose key is a JSON pointer into a component's configuration."""

NAMESPACES = frozenset({name.split(":")[0] for name in FIXED} | {CONFIGURATION})
