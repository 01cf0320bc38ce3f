"""The beginnings of uploads on a disk that is full: a file that may grow so far and no further."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# In a process of its own, for the limit is the whole process's.
PROGRAM = """
import resource, sys
from pathlib import Path
from lineside.server.captures.partials import Partials
partials = Partials(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
try:
    partials.take("image", (b"a" * 600, b"b" * 600), 0, 1200)
except OSError as error:
    print(type(error).__name__, partials.received("image"))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
partials.take("image", (b"b" * 200,), 1000, 1200)
print(b"".join(partials.stream("image")) == b"a" * 600 + b"b" * 600)
"""


def test_what_the_disk_takes_a_part_of_is_an_error_and_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "partials")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["OSError 1000", "True"]
