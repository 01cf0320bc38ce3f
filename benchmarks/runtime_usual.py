"""The loop people usually write: `python -m benchmarks.runtime_usual MODEL THRESHOLD IOU PORT TOPIC`

OpenCV reads and shrinks, numpy letterboxes, ONNX Runtime runs with its defaults, numpy suppresses, `json` writes and
paho publishes at QoS 1. One path a line on standard input; it begins on a line as soon as it is done with the one
before, and looks at no folder. TCP_NODELAY is set as in Lineside, so that Nagle's algorithm is not what is measured.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

import cv2
import numpy as np
import onnxruntime
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

PAD = 114


class UsualLoop:
    """What tutorials do with one picture."""

    def __init__(self, model: str, threshold: float, overlap: float) -> None:
        self._session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._side = self._session.get_inputs()[0].shape[2]
        self._threshold, self._overlap = threshold, overlap

    def __call__(self, path: str) -> list[dict[str, Any]]:
        image = cv2.imread(path)
        tensor, ratio = self._letterboxed(image)
        rows = self._session.run(None, {self._input: tensor})[0][0]
        scores = rows[:, 4:].max(axis=1)
        rows, scores = rows[scores >= self._threshold], scores[scores >= self._threshold]
        classes, boxes = rows[:, 4:].argmax(axis=1), rows[:, :4] / ratio
        boxes = np.clip(boxes, 0, [image.shape[1], image.shape[0]] * 2)
        found = []
        for kind in np.unique(classes):
            places = np.flatnonzero(classes == kind)
            found += [
                (float(scores[at]), int(kind), boxes[at]) for at in places[self._kept(boxes[places], scores[places])]
            ]
        found.sort(key=lambda each: -each[0])
        return [{"class": kind, "score": score, "box": box.tolist()} for score, kind, box in found[:100]]

    def _letterboxed(self, image: np.ndarray) -> tuple[np.ndarray, float]:
        height, width = image.shape[:2]
        ratio = min(self._side / width, self._side / height)
        small = cv2.resize(image, (round(width * ratio), round(height * ratio)), interpolation=cv2.INTER_LINEAR)
        canvas = np.full((self._side, self._side, 3), PAD, np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small
        planes = canvas[:, :, ::-1].transpose(2, 0, 1)[None]
        return np.ascontiguousarray(planes).astype(np.float32) / 255.0, ratio

    def _kept(self, boxes: np.ndarray, scores: np.ndarray) -> list[int]:
        x1, y1, x2, y2 = boxes.T
        areas = (x2 - x1) * (y2 - y1)
        order = scores.argsort()[::-1]
        kept = []
        while order.size:
            first, rest = order[0], order[1:]
            kept.append(int(first))
            width = np.maximum(0.0, np.minimum(x2[first], x2[rest]) - np.maximum(x1[first], x1[rest]))
            height = np.maximum(0.0, np.minimum(y2[first], y2[rest]) - np.maximum(y1[first], y1[rest]))
            overlap = width * height
            union = areas[first] + areas[rest] - overlap
            order = rest[overlap <= self._overlap * union]
        return kept


def main() -> None:
    model, threshold, overlap, port, topic = sys.argv[1:]
    loop = UsualLoop(model, float(threshold), float(overlap))
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_socket_open = lambda _client, _data, sock: sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.connect("127.0.0.1", int(port))
    client.loop_start()
    print("ready", flush=True)
    for line in sys.stdin:
        path = line.strip()
        found = loop(path)
        client.publish(topic, json.dumps({"image": path.rpartition("/")[2], "detections": found}), qos=1)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main()
