"""The application: routes, the headers of every answer, and its description."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import anyio.to_thread
from fastapi import FastAPI, Request, Security
from fastapi.openapi.utils import get_openapi
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phasegate.engine.app.engine import Engine
from phasegate.engine.web.offering import ACTION, answer_to
from phasegate.engine.web.problems import PROBLEM_JSON
from phasegate.engine.web.routes import health, ledger, people, policy, steering, system, tasks, work
from phasegate.engine.web.service import Service
from phasegate.engine.web.settings import Settings

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}
SECURE_HEADERS = {"Strict-Transport-Security": "max-age=31536000"}
_DESCRIPTION = """
Every route is a method of the engine, which decides; a refused command is a problem with status 409, and is
recorded. Send `Idempotency-Key` with what writes, `If-Match` with the task's ETag where its version matters,
and `Phasegate-Lease` with the epoch of the lease you work under.
"""


def create_app(engine: Engine, settings: Settings | None = None) -> FastAPI:
    """The application over an engine that can write. It closes what it opens, and not the engine.

    Raises:
        Conflict: another server serves this home.
    """
    service = Service(engine, settings or Settings())
    app = FastAPI(
        title="phasegate",
        version=version("phasegate"),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        exception_handlers={HTTPException: _on_error, Exception: _on_error},
    )
    app.state.service = service
    app.include_router(health.router)
    bearer = Security(HTTPBearer(auto_error=False, description="`engine token create` makes one."))
    for module in (system, tasks, work, policy, people, steering, ledger):
        app.include_router(module.router, dependencies=[bearer])
    app.add_middleware(_Headers, headers={**HEADERS, **(SECURE_HEADERS if service.settings.secure else {})})
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    anyio.to_thread.current_default_thread_limiter().total_tokens = service.settings.threads
    settling = asyncio.create_task(service.keep_settling())
    try:
        yield
    finally:
        service.stopping.set()
        await settling
        await service.drain()
        await asyncio.to_thread(service.settle)
        service.close()


async def _on_error(request: Request, error: Exception) -> Response:
    return answer_to(request.app.state.service, error)


class _Headers:
    """Puts the same headers on every answer."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)


def _described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document: problems under their own media type, and what a token must be allowed."""
    if app.openapi_schema:
        return app.openapi_schema
    made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    for path in made["paths"].values():
        for operation in path.values():
            operation.pop("x-slow", None)
            action = operation.get(ACTION)
            if action:
                operation["description"] = f"{operation.get('description', '')}\n\nNeeds `{action}`.".strip()
            for code, response in operation["responses"].items():
                if int(code) >= 400 and "application/json" in response.get("content", {}):  # noqa: PLR2004
                    response["content"] = {PROBLEM_JSON: response["content"]["application/json"]}
    app.openapi_schema = made
    return made
