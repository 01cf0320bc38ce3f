"""The limit: ONNX Runtime alone, fed with a ready tensor.

`python -m benchmarks.runtime_limit MODEL SESSIONS THREADS WIDTH HEIGHT`

A number of seconds on standard input: so long it runs `SESSIONS` sessions of `THREADS` threads side by side, and
answers with a line of JSON: runs, wall and CPU seconds.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import numpy as np
import onnxruntime


def main() -> None:
    file, (count, threads, width, height) = Path(sys.argv[1]), map(int, sys.argv[2:])
    sessions = [_session(file.read_bytes(), threads) for _ in range(count)]
    port = sessions[0].get_inputs()[0]
    tensor = np.random.default_rng(0).random((1, 3, height, width), np.float32)
    for session in sessions:
        session.run(None, {port.name: tensor})
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(_window(sessions, {port.name: tensor}, float(line))), flush=True)


def _session(data: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _window(
    sessions: list[onnxruntime.InferenceSession], feed: dict[str, np.ndarray], seconds: float
) -> dict[str, float]:
    runs = [0] * len(sessions)
    cpu, began = time.process_time(), time.perf_counter()
    until = began + seconds

    def lane(number: int) -> None:
        while time.perf_counter() < until:
            sessions[number].run(None, feed)
            runs[number] += 1

    lanes = [threading.Thread(target=lane, args=(number,)) for number in range(len(sessions))]
    for one in lanes:
        one.start()
    for one in lanes:
        one.join()
    return {"runs": sum(runs), "wall": time.perf_counter() - began, "cpu": time.process_time() - cpu}


if __name__ == "__main__":
    main()
