"""The same check-in written the usual way: FastAPI and SQLAlchemy, one transaction a request.

The same routes, tables, token check (joserfc, the same keys), TLS certificate, database settings (WAL,
synchronous=FULL) and HTTP server (uvicorn with uvloop and httptools). `python -m benchmarks.fleet.usual ROOT PORT`;
ROOT is the root of a control plane that is not running.
"""

import hashlib
import json
import sys
from base64 import urlsafe_b64decode as _decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Response
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey
from pydantic import BaseModel
from sqlalchemy import JSON, Connection, Engine, create_engine, event, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

LIFETIME = 600


class Base(DeclarativeBase):
    """The columns of Lineside's tables that a check-in needs."""


class Device(Base):
    __tablename__ = "devices"
    name: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    key: Mapped[str]
    last_seen: Mapped[str | None]
    sequence: Mapped[int]
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    revision: Mapped[int]
    phase: Mapped[str]
    outcome: Mapped[str | None]
    healthy_since: Mapped[str | None]
    restarts: Mapped[int]
    counted: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class Wanted(Base):
    __tablename__ = "desired_documents"
    device: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int]
    content: Mapped[str]


class Content(Base):
    __tablename__ = "desired_contents"
    digest: Mapped[str] = mapped_column(primary_key=True)
    components: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    deployment: Mapped[str | None]


class Inquiry(Base):
    __tablename__ = "inquiries"
    id: Mapped[str] = mapped_column(primary_key=True)
    device: Mapped[str]
    expires_at: Mapped[str]
    done: Mapped[bool]


class Assertion(Base):
    __tablename__ = "used_assertions"
    device: Mapped[str] = mapped_column(primary_key=True)
    jti: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[str]


class TokenRequest(BaseModel):
    client_assertion: str


class Running(BaseModel):
    name: str
    version: str
    recipe_digest: str
    state: str
    artifacts: dict[str, str] = {}
    probe: dict[str, Any] = {}
    restarts: int = 0
    error: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    limits: str = ""


class Report(BaseModel):
    device: str
    sequence: int
    at: str
    revision: int
    phase: str
    running: list[Running] = []
    error: dict[str, Any] | None = None
    conditions: list[dict[str, Any]] = []
    facts: dict[str, Any] = {}


class ReportsRequest(BaseModel):
    reports: list[Report]


class Component(BaseModel):
    name: str
    version: str
    target: str
    recipe_digest: str


class Desired(BaseModel):
    device: str
    revision: int
    components: list[Component]
    deployment: str | None
    poll_seconds: float = 60.0
    soak_seconds: float = 5.0


app = FastAPI()
_opened: dict[str, Any] = {}


def transaction() -> Iterator[Session]:
    """One for each request."""
    with _opened["sessions"].begin() as session:
        yield session


Transaction = Annotated[Session, Depends(transaction)]


def authenticated(session: Transaction, authorization: Annotated[str, Header()]) -> Device:
    """The device whose token it is."""
    try:
        token = authorization.removeprefix("Bearer ")
        claims = jwt.decode(token, _opened["secret"], algorithms=["HS256"]).claims
    except (JoseError, ValueError) as error:
        raise HTTPException(401, "token") from error
    if claims["exp"] < datetime.now(UTC).timestamp() or claims["aud"] != "lineside-device":
        raise HTTPException(401, "token")
    device = session.get(Device, claims["sub"])
    if device is None or device.state not in ("accepted", "quarantined"):
        raise HTTPException(403, "device")
    return device


Caller = Annotated[Device, Depends(authenticated)]


@app.post("/device/v1/token")
def token(body: TokenRequest, session: Transaction) -> dict[str, Any]:
    """An access token for a client assertion."""
    payload = body.client_assertion.split(".")[1]
    name = json.loads(_decode(f"{payload}=="))["sub"]
    device = session.get(Device, name)
    if device is None or device.state not in ("accepted", "quarantined"):
        raise HTTPException(401, "device")
    try:
        claims = jwt.decode(body.client_assertion, ECKey.import_key(device.key), algorithms=["ES256"]).claims
    except (JoseError, ValueError) as error:
        raise HTTPException(401, "assertion") from error
    if claims["exp"] < datetime.now(UTC).timestamp() or session.get(Assertion, (name, claims["jti"])) is not None:
        raise HTTPException(401, "expired or replayed")
    until = datetime.fromtimestamp(claims["exp"], UTC) + timedelta(seconds=60)
    session.add(Assertion(device=name, jti=claims["jti"], until=text_of(until)))
    device.counted = {key: claims[key] for key in ("count", "nonce", "earlier")}
    seconds = int(datetime.now(UTC).timestamp())
    granted = {"sub": name, "aud": "lineside-device", "iat": seconds, "exp": seconds + LIFETIME}
    return {"access_token": jwt.encode({"alg": "HS256"}, granted, _opened["secret"]), "expires_in": LIFETIME}


@app.get("/device/v1/desired")
def desired(session: Transaction, device: Caller, if_none_match: Annotated[str, Header()] = "") -> Response:
    """What the device should run; 304 when it knows."""
    wanted = session.get_one(Wanted, device.name)
    asked = select(func.count()).select_from(Inquiry)
    asked = asked.where(Inquiry.device == device.name, Inquiry.done.is_(False), Inquiry.expires_at > text_of())
    count = session.scalar(asked)
    headers = {"Lineside-Asked": str(count)} if count else {}
    content = session.get_one(Content, wanted.content)
    components = [Component(**one) for one in content.components]
    document = Desired(
        device=device.name, revision=wanted.revision, components=components, deployment=content.deployment
    )
    body = document.model_dump_json()
    device.last_seen = text_of()  # last, so that SQLite's write lock is held for the commit only
    headers["ETag"] = f'"{hashlib.sha256(body.encode()).hexdigest()[:16]}"'
    if headers["ETag"] == if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


@app.post("/device/v1/reports")
def reports(body: ReportsRequest, session: Transaction, device: Caller) -> dict[str, int]:
    """What the device runs."""
    for report in sorted(body.reports, key=lambda report: report.sequence):
        if report.device != device.name:
            raise HTTPException(403, "not yours")
        if report.sequence <= device.sequence:
            continue
        wanted = session.get_one(Wanted, device.name)
        content = session.get_one(Content, wanted.content)
        runs = {one.name: one.recipe_digest for one in report.running}
        good = all(runs.get(one["name"]) == one["recipe_digest"] for one in content.components)
        device.outcome = "healthy" if good and report.phase == "healthy" else "installing"
        device.healthy_since = (device.healthy_since or text_of()) if device.outcome == "healthy" else None
        device.sequence, device.revision, device.phase = report.sequence, report.revision, report.phase
        device.restarts = sum(one.restarts for one in report.running)
        device.report = report.model_dump()
    device.last_seen = text_of()
    return {"accepted": device.sequence}


def text_of(moment: datetime | None = None) -> str:
    """RFC 3339, of now unless another moment is given."""
    return (moment or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _engine(root: Path) -> Engine:
    engine = create_engine(f"sqlite:///{root / 'lineside.db'}", pool_size=16, max_overflow=32)

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=60000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # each request writes; else SQLite answers "database is locked"

    return engine


def main(root: Path, port: int) -> None:
    """Serve until a signal ends it; prints a line when the port is bound."""
    _opened["sessions"] = sessionmaker(_engine(root))
    _opened["secret"] = OctKey.import_key((root / "keys" / "access-token.key").read_bytes())
    pem = root / "keys" / "server.pem"
    config = uvicorn.Config(
        app,
        port=port,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        ssl_certfile=pem,
        ssl_keyfile=pem,
        timeout_keep_alive=180,
    )
    bound = config.bind_socket()
    print("ready", flush=True)
    uvicorn.Server(config).run([bound])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
