"""The whole way: an agent runs its stream manager, a component written with AWS's `stream_manager` package exports."""

from __future__ import annotations

import socket
from pathlib import Path

from lineside.contract.deployment import ConfigurationUpdate
from lineside.contract.desired import DesiredComponent
from lineside.contract.recipes.builtin import STREAM_MANAGER, builtin_digest, builtin_target, builtin_version
from lineside.contract.reported import Phase
from tests.agent.agents import AgentProcess
from tests.agent.components import recipe
from tests.agent.control_plane import ControlPlane
from tests.eventually import PATIENCE, eventually

WRITER = """
import pathlib, time
from stream_manager import *
path = pathlib.Path("batch.csv")
path.write_text("1,2,3")
client = StreamManagerClient()
export = ExportDefinition(s3_task_executor=[S3ExportTaskExecutorConfig(identifier="s3")])
client.create_message_stream(
    MessageStreamDefinition(
        name="tasks", strategy_on_full=StrategyOnFull.OverwriteOldestData, export_definition=export
    )
)
task = S3ExportTaskDefinition(input_url=path.resolve().as_uri(), bucket="line-7", key="batch.csv")
client.append_message("tasks", Util.validate_and_serialize_to_json_bytes(task))
client.delete_message_stream("tasks")
path.unlink()
time.sleep(1000)
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def stream_manager(port: int) -> DesiredComponent:
    """The built-in component as a desired document names it."""
    return DesiredComponent(
        name=STREAM_MANAGER,
        version=builtin_version(STREAM_MANAGER) or "",
        target=builtin_target(STREAM_MANAGER) or "",
        recipe_digest=builtin_digest(STREAM_MANAGER) or "",
        configuration_update=ConfigurationUpdate(merge={"STREAM_MANAGER_SERVER_PORT": port}),
    )


def test_stream_manager_as_a_component_of_the_agent(plane: ControlPlane, agent: AgentProcess, tmp_path: Path) -> None:
    (tmp_path / "writer.py").write_text(WRITER)
    document = recipe(
        "writer",
        dependencies={STREAM_MANAGER: "^2.0.0"},
        Setenv={"STREAM_MANAGER_SERVER_PORT": f"{{{STREAM_MANAGER}:configuration:/STREAM_MANAGER_SERVER_PORT}}"},
        Run=f'exec "$LINESIDE_PYTHON" {tmp_path / "writer.py"}',
    )
    revision = plane.want(stream_manager(free_port()), plane.release(document))
    agent.start()
    report = plane.wait_report(revision, Phase.HEALTHY, Phase.ROLLED_BACK, timeout=PATIENCE)
    assert report.phase is Phase.HEALTHY, report.error
    eventually(lambda: plane.exports and set(plane.exports) <= set(plane.uploaded))
    ((id, record),) = plane.exports.items()
    assert (record.device, record.bucket, record.key) == ("cell-1", "line-7", "batch.csv")
    assert plane.uploaded[id] == b"1,2,3"
