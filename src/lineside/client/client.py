"""Every operation of people's API, one method each. Raises what `Connection` raises."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Self

from lineside.client.approvals import Approvals
from lineside.client.audit import AuditTrail
from lineside.client.broker import Brokers
from lineside.client.captures import Capturing
from lineside.client.connection import Connection, path
from lineside.client.datasets import Datasets
from lineside.client.deliveries import Delivering
from lineside.client.deploying import Deploying
from lineside.client.drifting import Drifting
from lineside.client.fleet import Fleet
from lineside.client.groups import Groups
from lineside.client.inspecting import Inspecting
from lineside.client.loops import Looping
from lineside.client.measures import Measuring
from lineside.client.models import Models
from lineside.client.people import People
from lineside.client.review import Reviewing
from lineside.client.rollouts import Rollouts
from lineside.client.runs import Running
from lineside.client.saving import saved
from lineside.client.secrets import Secrets
from lineside.client.trust import Trust
from lineside.client.twins import Twins
from lineside.client.webhooks import Telling
from lineside.contract.blob_pack import before, unpacked
from lineside.contract.component import AddComponent, Component, ComponentDetails, ComponentPage
from lineside.contract.deployment import Deployment, DeploymentDocument, DeploymentPage
from lineside.contract.event import EventPage
from lineside.contract.export import ExportPage
from lineside.contract.ids import digest_of
from lineside.contract.overview import Overview
from lineside.contract.result import ResultPage
from lineside.contract.worker import ATTEMPT


class Client(
    Approvals,
    Brokers,
    Capturing,
    Datasets,
    Delivering,
    Deploying,
    Drifting,
    Fleet,
    Groups,
    Looping,
    Inspecting,
    People,
    Reviewing,
    Rollouts,
    Running,
    Trust,
    AuditTrail,
    Secrets,
    Telling,
    Twins,
    Measuring,
    Models,
):
    """A control plane, seen through its API. It keeps connections open until `close`, or the end of its `with`."""

    def __init__(self, url: str, token: str | None = None, ca: str | None = None, attempt: str | None = None) -> None:
        """Without `token` only what strangers may see is answered; `ca`: see `Connection`. `attempt` (`RUN NUMBER`): a
        worker speaks about that run only, see `lineside.contract.worker`."""
        self.connection = Connection(url, token, ca, {} if attempt is None else {ATTEMPT: attempt})

    @property
    def url(self) -> str:
        return self.connection.url

    def close(self) -> None:
        """Close what is open. A later call opens it again."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- the whole ------------------------------------------------------------------------------------------------

    def overview(self) -> Overview:
        """The loop with a live count at each stage, and what needs a person."""
        return self.connection.call("GET", "/overview", Overview)

    def events(self, *, before: int | None = None, limit: int = 100, kind: str | None = None) -> EventPage:
        """What happened, newest first."""
        return self.connection.call("GET", "/events", EventPage, query={"before": before, "limit": limit, "kind": kind})

    # --- blobs ----------------------------------------------------------------------------------------------------

    def blobs_missing(self, digests: list[str]) -> list[str]:
        """Which of these the control plane does not have yet."""
        return self.connection.call("POST", "/blobs/missing", dict[str, list[str]], body={"digests": digests})[
            "missing"
        ]

    def put_blob(self, data: bytes) -> str:
        """Store bytes; answers their digest."""
        digest = digest_of(data)
        self.connection.send("PUT", path("blobs", digest), data=data)
        return digest

    def put_blob_file(self, file: Path, digest: str) -> str:
        """Store a file, streamed, under the digest the caller computed."""
        with file.open("rb") as stream:
            self.connection.send("PUT", path("blobs", digest), data=stream)
        return digest

    def put_blobs(self, files: Mapping[str, Path]) -> None:
        """Store many small files in one request, each under the digest the caller computed; all are read at once."""
        data = bytearray()
        for digest, file in files.items():
            content = file.read_bytes()
            data += before(digest, len(content)) + content
        self.connection.send("POST", "/blobs", data=bytes(data))

    def get_blob(self, digest: str) -> bytes:
        """The bytes of a blob."""
        return self.connection.send("GET", path("blobs", digest))

    def get_blobs(self, digests: list[str]) -> Generator[tuple[str, Iterator[bytes]], None, None]:
        """The bytes of 50 blobs at most, in pieces; each is taken before the next is asked for. Who does not take all
        closes it."""
        with closing(self.connection.stream("/blobs/pack", body={"digests": digests})) as pieces:
            yield from unpacked(pieces)

    def fetch_blob(self, digest: str, target: Path) -> Path:
        """A blob as a file: written beside it, checked by the caller's reader, renamed in."""
        return saved(self.connection.stream(path("blobs", digest)), target)

    # --- components, deployments, rollouts ------------------------------------------------------------------------

    def component_page(self, *, name: str | None = None, offset: int = 0, limit: int = 100) -> ComponentPage:
        """Component versions, newest first: all, or those of one name."""
        query = {"name": name, "offset": offset, "limit": limit}
        return self.connection.call("GET", "/components", ComponentPage, query=query)

    def components(self, *, name: str | None = None) -> list[Component]:
        """All of them, page by page; see `component_page`."""
        page = self.component_page(name=name, limit=1000)
        found = list(page.components)
        while page.components and len(found) < page.total:
            page = self.component_page(name=name, offset=len(found), limit=1000)
            found += page.components
        return found

    def component(self, name: str, version: str) -> ComponentDetails:
        """One component version: its recipe, who signed it, which devices run it."""
        return self.connection.call("GET", path("components", name, version), ComponentDetails)

    def add_component(self, request: AddComponent) -> Component:
        """Add a component of one's own; see `lineside.client.own_component` for a recipe file with its artifacts."""
        return self.connection.call("POST", "/components", Component, body=request)

    def deploy(self, document: DeploymentDocument) -> Deployment:
        """Deploy components to a group; the same document again answers with the deployment that is there."""
        return self.connection.call("POST", "/deployments", Deployment, body=document)

    def deployments(self, *, group: str | None = None, before: str | None = None, limit: int = 100) -> DeploymentPage:
        """Deployments, newest first: of one group or of all; `before` is `next` of the page before."""
        query = {"group": group, "before": before, "limit": limit}
        return self.connection.call("GET", "/deployments", DeploymentPage, query=query)

    def deployment(self, deployment: str) -> Deployment:
        """One deployment."""
        return self.connection.call("GET", path("deployments", deployment), Deployment)

    def bundle(self, target: Path, *, device: str | None = None, group: str | None = None) -> Path:
        """What a device should run, or the devices of a group, as one signed file to be carried by hand."""
        return saved(self.connection.stream("/bundles", {"device": device, "group": group}), target)

    # --- what the fleet saw ---------------------------------------------------------------------------------------

    def results(self, *, after: int | None = None, device: str | None = None, limit: int = 100) -> ResultPage:
        """Results after an id, oldest first; without `after` the newest `limit`."""
        return self.connection.call(
            "GET", "/results", ResultPage, query={"after": after, "device": device, "limit": limit}
        )

    def device_exports(self, name: str, *, offset: int = 0, limit: int = 100) -> ExportPage:
        """Files that a device's components exported, newest first; the content is the blob `record.digest`."""
        query = {"offset": offset, "limit": limit}
        return self.connection.call("GET", path("devices", name, "exports"), ExportPage, query=query)
