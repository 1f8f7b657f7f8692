"""The service's application: parts, routes, and what happens around every request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.api import audit, health, holds, identifiers, messages, ops, problems, rates, sessions, tenants, tokens
from app.api.parts import Parts
from app.api.readiness import Readiness
from app.api.settings import ServiceSettings
from app.api.traffic import Traffic

ROUTERS = (messages, sessions, holds, rates, audit, tenants, identifiers, tokens, health, ops)


def create_app(settings: ServiceSettings | None = None) -> FastAPI:
    """Make the application; settings come from the environment where none are given."""
    told = settings or ServiceSettings()

    @asynccontextmanager
    async def lifespan(application: FastAPI) -> AsyncIterator[None]:
        parts = Parts(told)
        application.state.parts, application.state.readiness = parts, Readiness(parts)
        parts.start()
        try:
            yield
        finally:
            await parts.close()

    application = problems.Described(
        title="Agente Hotelero IA",
        version="1.0",
        description="Takes in guests' messages for hotels, and keeps conversations, room holds and an audit trail.",
        lifespan=lifespan,
        redirect_slashes=False,
        redoc_url=None,
        generate_unique_id_function=_name,
    )
    problems.install(application)
    application.add_middleware(Traffic, largest_body=told.http_largest_body, body_timeout=told.http_body_timeout)
    for module in ROUTERS:
        application.include_router(module.router)
    return application


def _name(route: APIRoute) -> str:
    """What programs made from OpenAPI call an operation."""
    return f"{route.tags[0]}_{route.name}"
