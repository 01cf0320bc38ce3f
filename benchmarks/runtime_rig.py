"""What the runtime's benchmark stands on: a broker, an ear at it, a photograph, and the contenders as processes."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from PIL import Image

from benchmarks.detector import CLASSES, STRIDES, detector
from lineside.contract.ids import digest_of
from lineside.contract.model import Signature
from lineside.runtime.decode import decode
from lineside.runtime.engines.onnxruntime import OnnxRuntimeEngine
from lineside.runtime.model import IDENTITY_FILE, MODEL_FILE, SIGNATURE_FILE, ModelIdentity
from lineside.runtime.preprocess import Preprocessor

CANDIDATES = 60  # locations over the threshold: a busy picture
LABELS = tuple(f"class-{number}" for number in range(CLASSES))
PATIENCE = 120.0


def photograph(width: int = 1920, height: int = 1080) -> bytes:
    """A JPEG with about as many bytes as a camera's frame at quality 85: soft shapes and fine grain, 0.29 MB, 1.1 bits
    a pixel."""
    rng = np.random.default_rng(1)
    shapes = Image.fromarray(rng.integers(0, 256, (18, 32, 3), np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    grain = rng.normal(0, 3, (height, width, 1))
    pixels = np.clip(np.asarray(shapes) + grain, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def model_folder(folder: Path, side: int, data: bytes, *, engine: str = "", any_size: bool = True) -> Signature:
    """Writes a model's component, as devices have it: of `any_size`, as what is trained here, or of one, as many that
    are imported; for ONNX Runtime without `engine`. Its threshold is the one at which the picture has `CANDIDATES`
    locations before suppression."""
    file = detector(side, any_size=any_size)
    signature = Signature(
        head="compact",
        input_width=side,
        input_height=side,
        labels=LABELS,
        engine=engine or msgspec.UNSET,
        size_divisor=STRIDES[-1] if any_size else msgspec.UNSET,
    )
    tensor, _ = Preprocessor(signature)(decode(data, (side, side)))
    scores = np.sort(OnnxRuntimeEngine(file, threads=1).run(tensor)[0][0, :, 4:].max(axis=1))
    signature = msgspec.structs.replace(signature, score_threshold=float(scores[-CANDIDATES]))
    folder.mkdir()
    (folder / MODEL_FILE).write_bytes(file)
    (folder / SIGNATURE_FILE).write_bytes(msgspec.json.encode(signature))
    identity = ModelIdentity(name="detector", version=1, digest=digest_of(file))
    (folder / IDENTITY_FILE).write_bytes(msgspec.json.encode(identity))
    return signature


class Broker:
    """Mosquitto on a free port of this machine, without TLS, as one on a device is."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        configuration = folder / "mosquitto.conf"
        configuration.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\n"
        )
        self._process = subprocess.Popen(
            ["/usr/sbin/mosquitto", "-c", str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + PATIENCE
        while not self._answers():
            if time.monotonic() > until:
                raise TimeoutError("Mosquitto does not answer")
            time.sleep(0.02)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


class _Named(msgspec.Struct):
    image: str


class Listener:
    """A subscription at a broker; `heard` gets each message, on the client's thread."""

    def __init__(self, port: int, topic: str) -> None:
        listening = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda client, userdata, message: self.heard(message.payload)
        self._client.on_subscribe = lambda *_: listening.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe(topic, qos=1)
        if not listening.wait(PATIENCE):
            raise TimeoutError("no subscription")

    def heard(self, payload: bytes) -> None:
        """A message has come."""
        raise NotImplementedError

    def close(self) -> None:
        """End the subscription."""
        self._client.disconnect()
        self._client.loop_stop()


class Ear(Listener):
    """Hears every result at the broker: when (time.perf_counter()) each image's came."""

    def __init__(self, port: int) -> None:
        self._moments: dict[str, float] = {}
        self._changed = threading.Condition()
        self._read = msgspec.json.Decoder(_Named)
        super().__init__(port, "#")

    def wait(self, names: Sequence[str]) -> list[float]:
        """When each of these was heard."""
        until = time.monotonic() + PATIENCE
        with self._changed:
            while not all(name in self._moments for name in names):
                if not self._changed.wait(until - time.monotonic()) and time.monotonic() > until:
                    raise TimeoutError(f"{sum(name not in self._moments for name in names)} results did not come")
        return [self._moments.pop(name) for name in names]

    def heard(self, payload: bytes) -> None:
        """The moment of a result."""
        moment = time.perf_counter()
        try:
            name = self._read.decode(payload).image
        except msgspec.MsgspecError:
            return  # no result
        with self._changed:
            self._moments.setdefault(name, moment)
            self._changed.notify_all()


class Process:
    """A contender as a process of its own."""

    def __init__(self, command: Sequence[str], environment: dict[str, str] | None = None, **options: Any) -> None:
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdin=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
            **options,
        )
        self._usage = psutil.Process(self._process.pid)

    def cpu(self) -> float:
        """CPU seconds so far."""
        times = self._usage.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> float:
        """Resident MB."""
        return float(self._usage.memory_info().rss) / 1e6

    def say(self, *lines: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{line}\n" for line in lines))
        self._process.stdin.flush()

    def hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


class Limit(Process):
    """ONNX Runtime alone, fed with tensors of that size."""

    def __init__(self, model: Path, sessions: int, threads: int, size: tuple[int, int]) -> None:
        numbers = [str(number) for number in (sessions, threads, *size)]
        super().__init__(["benchmarks.runtime_limit", str(model), *numbers], stdout=subprocess.PIPE)
        self.hear()

    def window(self, seconds: float) -> tuple[float, float]:
        """Milliseconds of wall and of CPU time a run."""
        self.say(str(seconds))
        said = json.loads(self.hear())
        return said["wall"] / said["runs"] * 1e3, said["cpu"] / said["runs"] * 1e3


class Usual(Process):
    """The usual loop; frames are lines."""

    def __init__(self, model: Path, signature: Signature, port: int) -> None:
        numbers = [str(signature.score_threshold), str(signature.iou_threshold), str(port)]
        super().__init__(["benchmarks.runtime_usual", str(model), *numbers, "usual"], stdout=subprocess.PIPE)
        self.hear()

    def put(self, picture: Path, name: str) -> None:
        link = picture.with_name(name)
        os.link(picture, link)
        self.say(str(link))

    def forget(self, picture: Path, names: Sequence[str]) -> None:
        for name in names:
            picture.with_name(name).unlink()


class Ours(Process):
    """`python -m lineside.runtime run`, as the agent starts it, with its configuration as it is by default. Frames are
    files that are moved into its inbox."""

    def __init__(self, model: Path, work: Path, port: int) -> None:
        self.inbox = work / "inbox"
        self.inbox.mkdir(parents=True, exist_ok=True)
        environment = {
            "LINESIDE_MQTT_HOST": "127.0.0.1",
            "LINESIDE_MQTT_PORT": str(port),
            "LINESIDE_DEVICE": work.name,
            "LINESIDE_INBOX": str(self.inbox),
        }
        for name in ("LINESIDE_CONFIG", "LINESIDE_CA", "LINESIDE_CERT", "LINESIDE_KEY", "LINESIDE_CAPTURES"):
            environment[name] = ""
        command = ["lineside.runtime", "run", "--model", str(model), "--work", str(work)]
        super().__init__(command, environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def put(self, picture: Path, name: str) -> None:
        link = picture.with_name(name)
        os.link(picture, link)
        link.rename(self.inbox / name)

    def forget(self, picture: Path, names: Sequence[str]) -> None:
        for name in names:
            (self.inbox / name).unlink()
