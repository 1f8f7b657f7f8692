"""What requests may carry: parameters that the route knows, and bodies of JSON in UTF-8."""

import json
from collections.abc import Callable, Coroutine, Iterator
from http import HTTPStatus
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from app.core.errors import Invalid


class JsonRequest(Request):
    """A request whose body is JSON as RFC 8259 has it; Python's parser takes more."""

    async def json(self) -> Any:
        """Read the body. Raises HTTPException for one that is not in UTF-8, or nested so deep that none means it."""
        try:
            return json.loads((await self.body()).decode(), parse_constant=_refuse)
        except UnicodeDecodeError as error:
            raise HTTPException(HTTPStatus.BAD_REQUEST, "the body is not in UTF-8") from error
        except json.JSONDecodeError:
            raise
        except (RecursionError, ValueError) as error:  # numbers of thousands of digits, NaN
            raise HTTPException(HTTPStatus.BAD_REQUEST, "the body is not JSON that can be read") from error


class JsonRoute(APIRoute):
    """A route that takes no body but JSON, and no parameter that it does not know: a misspelled filter is an error."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Look at what comes before it is read."""
        handle = super().get_route_handler()
        known = set(_parameters(self.dependant))

        async def handle_json(request: Request) -> Response:
            if self.body_field is not None and not _is_json(request.headers.get("content-type", "")):
                raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a body is application/json here")
            if not known.issuperset(request.query_params):
                takes = ", ".join(sorted(known)) or "none"
                raise Invalid(f"there is a parameter in the address that is not known here, which are: {takes}")
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_json


def _parameters(dependant: Dependant) -> Iterator[str]:
    """Names of what a route, and all that it depends on, read from the address."""
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _parameters(inner)


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
