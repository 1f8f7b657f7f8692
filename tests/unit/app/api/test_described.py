"""What OpenAPI says: errors, examples that fit, tokens, and bounds on everything that is listed."""

import inspect
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from app.api.settings import ServiceSettings
from app.main import ROUTERS, create_app


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(ServiceSettings(_env_file=None)).openapi()  # type: ignore[call-arg]  # pydantic's, not a field


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What hotels' programs and operators call; not what those who run the service ask it."""
    for path, methods in document["paths"].items():
        if path.startswith("/v1/"):
            yield from ((f"{method} {path}", operation) for method, operation in methods.items())


def test_every_operation_asks_for_a_token_and_names_its_errors(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert operation["security"], name
        assert operation["responses"].keys() >= {"400", "401", "422", "500", "503"}, name
        for status, answer in operation["responses"].items():
            if status >= "400":
                assert list(answer["content"]) == ["application/problem+json"], f"{name} {status}"


def test_operations_have_names_of_their_own_and_say_what_they_do(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert [name for name, operation in operations(document) if not operation.get("description")] == []


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in references(document):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_body_that_makes_something_has_an_example_that_fits(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in ("Message", "NewHold", "NewTenant", "NewIdentifier", "NewToken", "Answer", "ShownSession", "ShownHold"):
        examples = schemas[name]["examples"]
        assert examples, name
        for example in examples:
            jsonschema.validate(example, {**schemas[name], "components": document["components"]})


def test_no_body_takes_what_it_does_not_know(document: dict[str, Any]) -> None:
    bodies = {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for _, operation in operations(document)
        if "requestBody" in operation
    }
    assert len(bodies) >= 7
    schemas = document["components"]["schemas"]
    assert [name for name in sorted(bodies) if schemas[name].get("additionalProperties") is not False] == []


def calls(dependant: Dependant) -> Iterator[object]:
    """A route's function, and all that it depends on."""
    yield dependant.call
    for inner in dependant.dependencies:
        yield from calls(inner)


def test_no_request_waits_for_a_thread() -> None:
    """FastAPI calls plain functions in a thread each: twice the time of a request that PostgreSQL answers at once."""
    routes = [route for module in ROUTERS for route in module.router.routes if isinstance(route, APIRoute)]
    called = {call for route in routes for call in calls(route.dependant)}
    plain = [
        call
        for call in called
        if not inspect.iscoroutinefunction(call) and not inspect.iscoroutinefunction(type(call).__call__)
    ]
    assert len(called) > len(routes)
    assert plain == []


def test_every_list_is_bounded(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        bounds = [
            parameter["schema"]["maximum"]
            for parameter in operation.get("parameters", ())
            if parameter["name"] in ("limit", "page_size")
        ]
        if name.startswith("get") and not name.endswith(("}", "export", "rates")):
            assert bounds == [500], name
