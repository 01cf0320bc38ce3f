"""People's API of the groups room."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from lineside.contract.group import Changed, Group, GroupChange, GroupRequest, LabelsChange, Which
from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.groups.service import Groups

_OPERATE = needs(Permission.OPERATE)


@get("/groups", sync_to_thread=True, summary="Groups")
def list_groups(groups: NamedDependency[Groups]) -> list[Group]:
    """By name; their devices are found with `GET /devices?group=`."""
    return groups.all()


@post("/groups", sync_to_thread=True, summary="Make a group", opt=_OPERATE)
def create_group(data: JSONBody[GroupRequest], groups: NamedDependency[Groups]) -> Group:
    """With a selector it has every device that the selector selects, now and later."""
    return groups.create(data)


@get("/groups/{group:str}", sync_to_thread=True, summary="One group")
def get_group(group: FromPath[str], groups: NamedDependency[Groups]) -> Group:
    """With the deployments that its devices follow."""
    return groups.get(group)


@post("/groups/{group:str}", sync_to_thread=True, status_code=200, summary="Change a group", opt=_OPERATE)
def change_group(group: FromPath[str], data: JSONBody[GroupChange], groups: NamedDependency[Groups]) -> Group:
    """Its selector, its description; what is not given stays."""
    return groups.change(group, data)


@post("/groups/{group:str}/delete", sync_to_thread=True, status_code=200, summary="Forget a group", opt=_OPERATE)
def delete_group(group: FromPath[str], groups: NamedDependency[Groups]) -> Group:
    """Refused while devices follow a deployment to it."""
    return groups.delete(group)


@post("/groups/{group:str}/add", sync_to_thread=True, status_code=200, summary="Put devices into it", opt=_OPERATE)
def add_to_group(group: FromPath[str], data: JSONBody[Which], groups: NamedDependency[Groups]) -> Changed:
    """By name, or all that a selector selects now."""
    return groups.add(group, data)


@post("/groups/{group:str}/remove", sync_to_thread=True, status_code=200, summary="Take devices out", opt=_OPERATE)
def remove_from_group(group: FromPath[str], data: JSONBody[Which], groups: NamedDependency[Groups]) -> Changed:
    """Refused for devices that the group's own selector selects."""
    return groups.remove(group, data)


@post("/devices/labels", sync_to_thread=True, status_code=200, summary="Label devices", opt=_OPERATE)
def label_devices(data: JSONBody[LabelsChange], groups: NamedDependency[Groups]) -> Changed:
    """Set labels on devices and take labels away, on many at once; groups follow."""
    return groups.label(data)


routes = [
    list_groups,
    create_group,
    get_group,
    change_group,
    delete_group,
    add_to_group,
    remove_from_group,
    label_devices,
]
