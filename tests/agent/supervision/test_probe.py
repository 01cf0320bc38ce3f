"""When a component counts as ready: by command, by HTTP on the device, golden inputs, soak, and that it stays so."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lineside.agent.supervision.http_probe import fetch
from lineside.agent.supervision.processes import StopSignal
from lineside.contract.errors import LinesideError
from lineside.contract.reported import ComponentState
from tests.agent.supervision.stage import SLEEPER, Stage, step


class Server:
    """An HTTP server on this device whose answer a test sets."""

    def __init__(self) -> None:
        self.status, self.body, self.asked = 503, b"", 0
        answer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer.asked += 1
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self._server.server_port}/ready?deep=1"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.close()


@pytest.fixture
def never() -> Iterator[StopSignal]:
    found = StopSignal()
    yield found
    found.close()


def test_http_5xx_is_not_yet_and_2xx_is_ready_with_its_body_in_the_report(stage: Stage, server: Server) -> None:
    service = stage.start(run=SLEEPER, probe=step("", http=server.url))
    stage.wait(lambda: server.asked >= 2)
    assert service.state is ComponentState.STARTING
    server.body, server.status = b'{"frames": 7}', 200
    stage.wait(lambda: service.ready_since)
    assert service.probe == {"frames": 7}


def test_http_404_is_not_yet_and_410_is_never(stage: Stage, server: Server) -> None:
    server.status = 404
    service = stage.start(run=SLEEPER, probe=step("", http=server.url))
    stage.wait(lambda: server.asked >= 2)
    assert service.error is None
    server.status = 410
    stage.wait(lambda: service.state is ComponentState.BROKEN)
    assert service.error is not None
    assert service.error.code == "component.probe_failed"


def test_http_that_says_golden_mismatched_is_broken_at_once(stage: Stage, server: Server) -> None:
    server.status, server.body = 200, b'{"golden": "mismatched"}'
    service = stage.start(run=SLEEPER, probe=step("", http=server.url))
    stage.wait(lambda: service.state is ComponentState.BROKEN)
    assert service.error is not None
    assert service.error.code == "component.golden_mismatch"


def test_nobody_listening_is_not_ready_in_time_and_the_error_says_what_came(stage: Stage) -> None:
    service = stage.start(run=SLEEPER, probe=step("", timeout=0.2, http="http://127.0.0.1:1/"))
    stage.wait(lambda: service.state is ComponentState.BROKEN)
    assert service.error is not None
    assert service.error.code == "component.not_ready"
    assert "connection refused" in service.error.message


@pytest.mark.parametrize(
    "url",
    [
        "http://192.168.0.1/",
        "http://example.com:80/",
        "https://localhost/",
        "file:///etc/passwd",
        "http://localhost.evil.example/",
        "http://[2001:db8::1]/",
        "http://127.0.0.1:80/a b",
        "http://127.0.0.1:80/a\r\nHost: x",
        "http://localhost:99999/",
    ],
)
def test_only_this_device_is_asked(url: str, never: StopSignal) -> None:
    with pytest.raises(LinesideError, match=r"component\.probe_address"):
        fetch("app", url, never, time.monotonic() + 5)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000])
def test_a_server_that_never_ends_its_answer_is_left_at_the_deadline(answer: bytes, never: StopSignal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connections = []

        def serve() -> None:
            connection, _ = listening.accept()
            connections.append(connection)
            connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        deadline = time.monotonic() + 0.2
        reply = fetch("app", f"http://127.0.0.1:{listening.getsockname()[1]}/", never, deadline)
        thread.join()
        connections[0].close()
    assert time.monotonic() >= deadline
    assert reply.status in (0, 200)


def test_stopping_breaks_a_probe_off(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        stage.start(run=SLEEPER, probe=step("", timeout=1000.0, http=url))
        connection, _ = listening.accept()
        stage.supervisor.stop("app")  # would wait a quarter of an hour
        connection.close()


def test_a_ready_component_that_stops_answering_is_started_again(stage: Stage) -> None:
    well = stage.root / "well"
    service = stage.ready(run=f"touch {well}; {SLEEPER}", probe=step(f"test -e {well}", timeout=0.3))
    well.unlink()
    stage.wait(lambda: service.restarts == 1 and service.ready_since)
    assert ComponentState.ERRORED in stage.states()


def test_a_ready_component_that_misses_one_probe_goes_on(stage: Stage) -> None:
    sick, asked = stage.root / "sick", stage.root / "asked"
    probe = step(f"echo >> {asked}; test ! -e {sick} || {{ rm {sick}; exit 1; }}", timeout=10.0)
    service = stage.ready(run=SLEEPER, probe=probe)
    sick.touch()
    count = len(asked.read_text())
    stage.wait(lambda: not sick.exists() and len(asked.read_text()) >= count + 3)
    assert (service.restarts, service.state) == (0, ComponentState.RUNNING)


def test_golden_inputs_run_once_when_ready_and_tell_the_report(stage: Stage) -> None:
    ready, count = stage.root / "ready", stage.root / "count"
    golden = f"test -e {ready} && echo >> {count} && echo '{{\"images\": 4}}'"
    service = stage.start(run=f"touch {ready}; {SLEEPER}", probe=f"test -e {ready}", goldeninputs=golden)
    stage.wait(lambda: service.ready_since)
    assert service.probe == {"golden": "matched", "images": 4}
    stage.supervisor.by_hand.restart("app")
    stage.wait(lambda: service.restarts == 1 and service.ready_since)
    assert count.read_text() == "\n"


@pytest.mark.parametrize("golden", ["exit 1", 'echo \'{"golden": "mismatched"}\'', "sleep 1000"])
def test_golden_inputs_that_fail_are_fatal(stage: Stage, golden: str) -> None:
    service = stage.start(run=SLEEPER, goldeninputs=step(golden, timeout=0.3))
    stage.wait(lambda: service.state is ComponentState.BROKEN)
    assert service.error is not None
    assert service.error.code == "component.golden_mismatch"
    assert service.restarts == 0


def test_the_soak_time_of_a_recipe_is_waited_for(stage: Stage) -> None:
    service = stage.ready(soak=0.5)
    stage.supervisor.settle(0.01, 15.0)
    assert service.ready_since is not None
    assert time.monotonic() - service.ready_since >= 0.5


def test_a_component_that_dies_within_the_soak_time_is_not_settled(stage: Stage) -> None:
    stage.start(run="sleep 0.1; exit 5")
    with pytest.raises(LinesideError, match="exit status 5"):
        stage.supervisor.settle(5.0, 60.0)


def test_a_component_that_is_not_ready_for_a_moment_is_asked_again_before_it_is_settled(
    stage: Stage, server: Server
) -> None:
    server.status = 200
    stage.ready(run=SLEEPER, probe=step("", http=server.url))
    server.status = 503
    before = server.asked
    with ThreadPoolExecutor(1) as thread:
        settled = thread.submit(stage.supervisor.settle, 0.01, 15.0)
        stage.wait(lambda: settled.done() or server.asked >= before + 2)
        assert not settled.done()
        server.status = 200
        settled.result()


def test_a_component_that_is_not_ready_any_more_is_not_settled(stage: Stage, server: Server) -> None:
    server.status = 200
    stage.ready(run=SLEEPER, probe=step("", http=server.url, timeout=3.0))
    server.status = 503
    with pytest.raises(LinesideError, match=r"not ready within 3 s \((HTTP status 503|no answer)\)"):
        stage.supervisor.settle(0.01, 15.0)


def test_a_probe_that_prints_without_end_is_bounded(stage: Stage) -> None:
    service = stage.ready(run=SLEEPER, probe="head -c 3000000 /dev/zero | tr '\\0' x; echo; echo '{\"n\": 1}'")
    assert service.probe == {"n": 1}
