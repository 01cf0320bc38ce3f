"""Pages of the groups room: all groups, one group, and the forms that change groups and labels."""

from __future__ import annotations

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect

from lineside.contract.group import GroupChange, GroupRequest, LabelsChange, Which
from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.devices.listing import Filter
from lineside.server.devices.service import Devices
from lineside.server.groups.service import Groups
from lineside.server.web.render import AnyRequest, Page, page, see

_OPERATE = needs(Permission.OPERATE)
_A_PAGE = 100


class GroupForm(msgspec.Struct, frozen=True, kw_only=True):
    """A new group."""

    name: str
    selector: str = ""
    description: str = ""


class ChangeForm(msgspec.Struct, frozen=True, kw_only=True):
    """What a group shall be from now on."""

    selector: str = ""
    description: str = ""


class WhichForm(msgspec.Struct, frozen=True, kw_only=True):
    """Devices by name, with spaces or commas between."""

    devices: str = ""


class LabelForm(msgspec.Struct, frozen=True, kw_only=True):
    """A label."""

    key: str
    value: str = ""


@get("/groups", sync_to_thread=True, include_in_schema=False)
def groups_page(request: AnyRequest, groups: NamedDependency[Groups]) -> Page:
    """Every group."""
    return page(request, "groups/list.html", here="/groups", groups=groups.all())


@get("/groups/{group:str}", sync_to_thread=True, include_in_schema=False)
def group_page(
    request: AnyRequest,
    group: FromPath[str],
    groups: NamedDependency[Groups],
    devices: NamedDependency[Devices],
    after: FromQuery[str] = "",
) -> Page:
    """One group: how it is made up, what is deployed to it, and its devices, a page of them."""
    found, members = groups.get(group), Filter(group=group)
    counts = devices.counts(members).all
    return page(
        request,
        "groups/page.html",
        here="/groups",
        group=found,
        counts=counts,
        members=devices.page(members, after, _A_PAGE, sum(counts.values())),
        after=after,
    )


@post("/groups", sync_to_thread=True, include_in_schema=False, opt=_OPERATE)
def create_on_page(data: URLEncodedBody[GroupForm], groups: NamedDependency[Groups]) -> Redirect:
    """Make a group."""
    selector = data.selector.strip() or None
    made = groups.create(GroupRequest(name=data.name.strip(), selector=selector, description=data.description))
    return see(f"/groups/{made.name}")


@post("/groups/{group:str}", sync_to_thread=True, include_in_schema=False, opt=_OPERATE)
def change_on_page(group: FromPath[str], data: URLEncodedBody[ChangeForm], groups: NamedDependency[Groups]) -> Redirect:
    """Change what it selects and says."""
    groups.change(group, GroupChange(selector=data.selector, description=data.description))
    return see(f"/groups/{group}")


@post("/groups/{group:str}/delete", sync_to_thread=True, include_in_schema=False, opt=_OPERATE)
def delete_on_page(group: FromPath[str], groups: NamedDependency[Groups]) -> Redirect:
    """Forget it."""
    groups.delete(group)
    return see("/groups")


@post("/groups/{group:str}/add", sync_to_thread=True, include_in_schema=False, opt=_OPERATE)
def add_on_page(group: FromPath[str], data: URLEncodedBody[WhichForm], groups: NamedDependency[Groups]) -> Redirect:
    """Put devices into it."""
    groups.add(group, _named(data))
    return see(f"/groups/{group}")


@post("/groups/{group:str}/remove", sync_to_thread=True, include_in_schema=False, opt=_OPERATE)
def take_out_on_page(
    group: FromPath[str], data: URLEncodedBody[WhichForm], groups: NamedDependency[Groups]
) -> Redirect:
    """Take devices out of it."""
    groups.remove(group, _named(data))
    return see(f"/groups/{group}")


@post("/devices/{name:str}/labels", sync_to_thread=True, include_in_schema=False, opt=_OPERATE)
def label_on_page(name: FromPath[str], data: URLEncodedBody[LabelForm], groups: NamedDependency[Groups]) -> Redirect:
    """Set a label of a device."""
    groups.label(LabelsChange(which=Which(devices=(name,)), set={data.key.strip(): data.value.strip()}))
    return see(f"/devices/{name}")


@post("/devices/{name:str}/labels/remove", sync_to_thread=True, include_in_schema=False, opt=_OPERATE)
def unlabel_on_page(name: FromPath[str], data: URLEncodedBody[LabelForm], groups: NamedDependency[Groups]) -> Redirect:
    """Take a label of a device away."""
    groups.label(LabelsChange(which=Which(devices=(name,)), remove=(data.key,)))
    return see(f"/devices/{name}")


def _named(form: WhichForm) -> Which:
    return Which(devices=tuple(form.devices.replace(",", " ").split()))


routes = [
    groups_page,
    group_page,
    create_on_page,
    change_on_page,
    delete_on_page,
    add_on_page,
    take_out_on_page,
    label_on_page,
    unlabel_on_page,
]
