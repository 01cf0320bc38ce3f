"""The runtime's commands. The probe must be cheap: what needs numpy or onnxruntime is imported by the command that
needs it, and a missing extra is one sentence."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from lineside.contract.errors import LinesideError
from lineside.runtime.threads import MOST_THREADS

_OF_THE_EXTRA = frozenset({"numpy", "onnxruntime", "PIL"})
_REFUSED = 2
_MODEL = "folder of the model's component, or an ONNX file with its signature.json beside it"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code of the process."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start threads for products that nobody here makes
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _OF_THE_EXTRA:
            raise
        return _refused(LinesideError("start.extra_missing", extra="runtime"), options)
    except LinesideError as error:
        return _refused(error, options)


def _refused(error: LinesideError, options: argparse.Namespace) -> int:
    """Says why, and what to do next; as JSON where the answer would have been JSON."""
    if getattr(options, "json", False):
        sys.stdout.write(msgspec.json.encode({"error": error.report()}).decode() + "\n")
    else:
        sys.stderr.write(f"{error.code}: {error.message}\n" + (f"Next: {error.next}\n" if error.next else ""))
    return _REFUSED


def _run(options: argparse.Namespace) -> int:
    gc.disable()  # what a start makes stays; `run` turns it on again
    from lineside.runtime.models.memory import one_heap

    one_heap()
    from lineside.runtime.run import run

    return run(options.model, options.work, os.environ)


def _probe(options: argparse.Namespace) -> int:
    from lineside.runtime.probe import probe

    return probe(options.work)


def _status(options: argparse.Namespace) -> int:
    from lineside.runtime.told import tell_status

    return tell_status(options.work, json=options.json)


def _try(options: argparse.Namespace) -> int:
    from lineside.runtime.try_image import try_image

    return try_image(options.model, options.image, options.out, options.threshold, json=options.json)


def _bench(options: argparse.Namespace) -> int:
    from lineside.runtime.bench import bench

    return bench(options.model, options.image, options.seconds, options.threads)


def _carry(options: argparse.Namespace) -> int:
    from lineside.runtime.carry import carry

    return carry(options.model, options.image, options.seconds, options.threads, json=options.json)


def _threads(said: str) -> int:
    """A number of threads. Raises `argparse.ArgumentTypeError`."""
    if not (said.isdecimal() and int(said) <= MOST_THREADS):
        raise argparse.ArgumentTypeError(f"{said} is no number from 0 to {MOST_THREADS}")
    return int(said)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lineside.runtime", description="Runs a model on this device.")
    commands = parser.add_subparsers(required=True, metavar="run|probe|status|try|bench|carry")

    run = commands.add_parser("run", help="decide on every image that arrives, until SIGTERM")
    run.add_argument("--model", type=Path, required=True, help="the folder of a model; none: there is none yet")
    run.add_argument("--work", type=Path, required=True, help="folder for the spool and the status")
    run.set_defaults(command=_run)

    probe = commands.add_parser("probe", help="exit 0 when ready, 2 when it failed, 1 when not yet")
    probe.add_argument("--work", type=Path, required=True, help="work folder of the run")
    probe.set_defaults(command=_probe)

    status = commands.add_parser("status", help="what a run says of itself and of its captures")
    status.add_argument("--work", type=Path, required=True, help="work folder of the run")
    status.add_argument("--json", action="store_true", help="print one JSON document")
    status.set_defaults(command=_status)

    trial = commands.add_parser("try", help="show what a model finds on one image")
    trial.add_argument("model", type=Path, help=_MODEL)
    trial.add_argument("image", type=Path)
    trial.add_argument("--out", type=Path, help="write the image with its boxes drawn, as PNG")
    trial.add_argument("--threshold", type=float, help="lowest confidence (the signature's otherwise)")
    trial.add_argument("--json", action="store_true", help="print one JSON document")
    trial.set_defaults(command=_try)

    bench = commands.add_parser("bench", help="measure how long one image takes on this machine")
    bench.add_argument("model", type=Path, help="folder of the model's component")
    bench.add_argument("image", type=Path, nargs="?", help="without one, those of the model's golden set")
    bench.add_argument("--seconds", type=float, default=5.0)
    bench.add_argument("--threads", type=_threads, default=0, help="0: the cores this process may use")
    bench.set_defaults(command=_bench)

    carry = commands.add_parser("carry", help="what this machine can carry, by resolution and threads")
    carry.add_argument("model", type=Path, help=_MODEL)
    carry.add_argument("image", type=Path, nargs="?", help="without one, the first of the model's golden set")
    carry.add_argument("--seconds", type=float, default=1.0, help="for each resolution and number of threads")
    carry.add_argument("--threads", type=_threads, default=0, help="0: one, and the cores this process may use")
    carry.add_argument("--json", action="store_true", help="print one JSON document")
    carry.set_defaults(command=_carry)
    return parser


if __name__ == "__main__":
    sys.exit(main())
