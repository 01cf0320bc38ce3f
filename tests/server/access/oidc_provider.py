"""Two OpenID providers: one that others wrote, as a process, and one of our own that lies when it is told to."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.eventually import PATIENCE

_SERVE = """
import socket, sys
import oidc_provider_mock, uvicorn
bound = socket.create_server(("127.0.0.1", 0))
print(bound.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(oidc_provider_mock.app(require_nonce=True), interface="wsgi")).run(sockets=[bound])
"""


@contextmanager
def third_party() -> Iterator[str]:
    """The issuer of an `oidc-provider-mock` from PyPI, in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-c", _SERVE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


Answer = tuple[int, dict[str, str], bytes]


class Provider:
    """A provider that keeps to OpenID Connect and checks what it is sent; tests replace what it answers."""

    def __init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.client, self.secret = "lineside on line 4", "s3cret: with/signs"
        self.key = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
        self.reset()

    def reset(self) -> None:
        """Honest again."""
        self.asked: dict[str, str] = {}
        self.person: dict[str, Any] = {"preferred_username": "ann", "groups": ["line-leads"]}
        self.more: dict[str, Any] = {"sub": "1234"}  # what userinfo says
        self.claims: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
        self.sign: Callable[[dict[str, Any]], str] = lambda claims: jwt.encode(
            {"alg": "RS256", "kid": self.key.kid}, claims, self.key
        )
        self.replaced: dict[str, Answer] = {}
        self.described: dict[str, Any] = {}
        self.refusals: list[str] = []

    def back(self, url: str) -> str:
        """A browser comes with `url`, its person agrees, and it is sent back: where to."""
        parts = urlsplit(url)
        assert url.startswith(self.issuer + "/authorize?")
        self.asked = dict(parse_qsl(parts.query))
        return self.asked["redirect_uri"] + "?" + urlencode({"code": "the code", "state": self.asked["state"]})

    def answer(self, path: str, headers: Any, fields: dict[str, str]) -> Answer:
        """What it answers to our control plane."""
        if path in self.replaced:
            return self.replaced[path]
        if path == "/.well-known/openid-configuration":
            return _json(self._description())
        if path == "/jwks":
            return _json({"keys": [self.key.as_dict(private=False), {"kty": "oct", "k": "AAAA"}]})
        if path == "/userinfo" and headers["Authorization"] == "Bearer the access token":
            return _json(self.more)
        if path == "/token":
            return self._tokens(headers, fields)
        return 404, {}, b""

    def _description(self) -> dict[str, Any]:
        ends = {f"{name}_endpoint": f"{self.issuer}/{name}" for name in ("token", "userinfo")}
        ends["authorization_endpoint"] = f"{self.issuer}/authorize"
        return {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks", **ends, **self.described}

    def _tokens(self, headers: Any, fields: dict[str, str]) -> Answer:
        challenge = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        expected = {
            "Authorization": "Basic " + base64.b64encode(b"lineside+on+line+4:s3cret%3A+with%2Fsigns").decode(),
            "code": "the code",
            "redirect_uri": self.asked["redirect_uri"],
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
        }
        given = {"Authorization": headers["Authorization"], "code_challenge": self.asked["code_challenge"]}
        given |= {name: fields.get(name, "") for name in ("code", "redirect_uri")}
        self.refusals += [name for name, value in expected.items() if given[name] != value]
        if self.refusals or self.asked["code_challenge_method"] != "S256":
            return 400, {}, b'{"error": "invalid_grant"}'
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": self.client, "sub": "1234", "iat": now, "exp": now + 300}
        claims |= {"nonce": self.asked["nonce"], **self.person}
        token = self.sign(self.claims(claims))
        return _json({"access_token": "the access token", "token_type": "Bearer", "id_token": token})


@contextmanager
def own_provider() -> Iterator[Provider]:
    """A provider of our own on a free port."""
    provider = Provider()
    thread = threading.Thread(target=provider.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.server.shutdown()
        provider.server.server_close()
        thread.join(PATIENCE)


def _json(value: Any) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer(dict(parse_qsl(body)))

        def _answer(self, fields: dict[str, str]) -> None:
            status, headers, body = provider.answer(urlsplit(self.path).path, self.headers, fields)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *values: Any) -> None:
            pass

    return Handler
