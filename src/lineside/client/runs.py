"""Runs and the workers that do them: what people ask, and what workers say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from lineside.client.connection import Connection, path
from lineside.client.saving import saved
from lineside.contract.errors import Kind, LinesideError
from lineside.contract.run import CachedStep, CurvePoint, Run, RunFinish, RunPage, RunRequest, StepReport
from lineside.contract.worker import Beat, BeatAnswer, Claim, Kept, Leave, LogPage, LogReport, Worker

_JSON = "application/json"


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)


class Running:
    """Operations on runs, and those of workers."""

    connection: Connection

    def start_run(self, request: RunRequest) -> Run:
        """Queue a run; a worker takes it."""
        return self.connection.call("POST", "/runs", Run, body=request)

    def run_page(
        self,
        *,
        loop: str | None = None,
        states: str = "",
        kind: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> RunPage:
        """Runs, newest first: of a loop, in one of `states` (commas between), of a kind. `before` is `next` of the
        page before."""
        query = {"loop": loop, "states": states, "kind": kind, "before": before, "limit": limit}
        return self.connection.call("GET", "/runs", RunPage, query=query)

    def runs(self, *, loop: str | None = None, states: str = "", kind: str | None = None) -> list[Run]:
        """All of them, page by page; see `run_page`."""
        page = self.run_page(loop=loop, states=states, kind=kind, limit=500)
        found = list(page.runs)
        while page.next is not None:
            page = self.run_page(loop=loop, states=states, kind=kind, before=page.next, limit=500)
            found += page.runs
        return found

    def run(self, run: str) -> Run:
        """One run with its steps."""
        return self.connection.call("GET", path("runs", run), Run)

    def run_curves(self, run: str) -> list[CurvePoint]:
        """The training curves of a run."""
        return self.connection.call("GET", path("runs", run, "curves"), list[CurvePoint])

    def run_logs(self, run: str, *, step: str | None = None, after: int = 0, limit: int = 100) -> LogPage:
        """What a run's steps said after a piece's number, oldest first."""
        query = {"step": step, "after": after, "limit": limit}
        return self.connection.call("GET", path("runs", run, "logs"), LogPage, query=query)

    def cancel_run(self, run: str) -> Run:
        """Stop a run; what finished steps made stays."""
        return self.connection.call("POST", path("runs", run, "cancel"), Run)

    def workers(self) -> list[Worker]:
        """Workers, and what each does."""
        return self.connection.call("GET", "/workers", list[Worker])

    # --- workers --------------------------------------------------------------------------------------------------

    def claim_run(self, claim: Claim | str) -> Run | None:
        """For workers: the next run to work on, if there is one."""
        body = Claim(worker=claim) if isinstance(claim, str) else claim
        raw = self.connection.send("POST", "/runs/claim", data=_json(body), content_type=_JSON)
        return msgspec.json.decode(raw, type=Run) if raw else None

    def beat(self, beat: Beat) -> BeatAnswer:
        """For workers: a sign of life."""
        return self.connection.call("POST", "/workers/beat", BeatAnswer, body=beat)

    def leave(self, leave: Leave) -> None:
        """For workers: the last word before an orderly end."""
        self.connection.send("POST", "/workers/leave", data=_json(leave), content_type=_JSON)

    def report_step(self, run: str, report: StepReport) -> None:
        """For workers: where a step stands."""
        self.connection.send("POST", path("runs", run, "steps"), data=_json(report), content_type=_JSON)

    def add_log(self, run: str, said: LogReport) -> None:
        """For workers: what a step says."""
        self.connection.send("POST", path("runs", run, "logs"), data=_json(said), content_type=_JSON)

    def keep_file(self, run: str, name: str, file: Path, digest: str) -> Kept:
        """For workers: keep a file, streamed, until the run has ended; `digest` is what the caller computed."""
        with file.open("rb") as stream:
            where = path("runs", run, "kept", *name.split("/"))
            raw = self.connection.send("PUT", where, data=stream, query={"digest": digest})
        return msgspec.json.decode(raw, type=Kept)

    def kept_files(self, run: str) -> list[Kept]:
        """For workers: the files that a run has kept."""
        return self.connection.call("GET", path("runs", run, "kept"), list[Kept])

    def fetch_kept(self, run: str, name: str, target: Path) -> Path:
        """For workers: a kept file: written beside `target`, checked by the caller, renamed in."""
        return saved(self.connection.stream(path("runs", run, "kept", *name.split("/"))), target)

    def finish_run(self, run: str, finish: RunFinish) -> Run:
        """For workers: the last word on a run."""
        return self.connection.call("POST", path("runs", run, "finish"), Run, body=finish)

    def cached_step(self, key: str) -> CachedStep | None:
        """For workers: what a step with this key made before."""
        try:
            return self.connection.call("GET", path("steps", key), CachedStep)
        except LinesideError as error:
            if error.kind is Kind.MISSING:
                return None
            raise

    def cache_step(self, step: CachedStep) -> None:
        """For workers: remember what a step made."""
        self.connection.send("PUT", path("steps", step.key), data=_json(step), content_type=_JSON)
