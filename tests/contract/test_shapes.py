"""Types that msgspec has learned are safe to read from several threads at once."""

from __future__ import annotations

import subprocess
import sys

from tests.eventually import PATIENCE

_THREADS_MEET = """
import sys, threading, msgspec
from lineside.contract.shapes import learn_shapes

def fresh(number):
    inner = [msgspec.defstruct(f"I{number}_{one}", [("a", int), ("b", list[str])]) for one in range(6)]
    return msgspec.defstruct(f"O{number}", [(f"f{place}", one) for place, one in enumerate(inner)])

body = msgspec.json.encode({f"f{place}": {"a": 1, "b": ["x"]} for place in range(6)})
shapes = [fresh(number) for number in range(1000)]
assert learn_shapes() >= 7000
sys.setswitchinterval(1e-6)
for shape in shapes:
    gate = threading.Barrier(4)
    threads = [
        threading.Thread(target=lambda: (gate.wait(), msgspec.json.decode(body, type=shape))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_threads_that_read_the_same_type_for_the_first_time_do_not_end_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", _THREADS_MEET], capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr.decode()
