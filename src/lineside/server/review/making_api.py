"""People's API of dataset versions made of reviews, by hand and by rule."""

from __future__ import annotations

from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from lineside.contract.errors import LinesideError
from lineside.contract.people import Permission
from lineside.contract.review import MadeDataset, MakeDataset, ReviewRule
from lineside.server.access.permissions import needs
from lineside.server.review.making import Making
from lineside.server.review.rules import Rules


@post(
    "/review/datasets",
    sync_to_thread=True,
    status_code=200,
    summary="Make the next version of a dataset of what was reviewed",
    opt=needs(Permission.OPERATE),
)
def make_dataset(data: JSONBody[MakeDataset], review_making: NamedDependency[Making]) -> MadeDataset:
    """A share goes to the recent-field test set first. Called again with nothing new it changes nothing."""
    return review_making.make(data)


@get("/review/rules", sync_to_thread=True, summary="Datasets that take reviews of themselves")
def list_review_rules(review_rules: NamedDependency[Rules]) -> list[ReviewRule]:
    """By name."""
    return review_rules.all()


@put(
    "/review/rules/{name:str}",
    sync_to_thread=True,
    summary="Let a dataset take reviews of itself",
    opt=needs(Permission.OPERATE),
)
def apply_review_rule(
    name: FromPath[str], data: JSONBody[ReviewRule], review_rules: NamedDependency[Rules]
) -> ReviewRule:
    """The same again changes nothing."""
    if data.name != name:
        raise LinesideError("request.invalid", why="the name in the body is not the one in the path")
    return review_rules.apply(data)


@post(
    "/review/rules/{name:str}/remove",
    sync_to_thread=True,
    status_code=200,
    summary="Let a dataset take no more reviews of itself",
    opt=needs(Permission.OPERATE),
)
def remove_review_rule(name: FromPath[str], review_rules: NamedDependency[Rules]) -> ReviewRule:
    return review_rules.remove(name)


routes = [make_dataset, list_review_rules, apply_review_rule, remove_review_rule]
