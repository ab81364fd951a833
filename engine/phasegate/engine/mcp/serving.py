"""Running the server: over stdio for the local user, over streamable HTTP for holders of tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import anyio
import anyio.to_thread
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.requests import Request

from phasegate.engine.app.access.tokens import Grant, TokenRefused
from phasegate.engine.app.engine import Engine
from phasegate.engine.mcp.caller import Caller, Offered
from phasegate.engine.mcp.server import Context, Serving

PATH: Final = "/mcp"
BODY_BYTES_MAX: Final = 8 * 1024 * 1024
_BEARER: Final = "bearer "


def serve_stdio(engine: Engine, prefix: str = "") -> None:
    """Serve the local user over standard input and output until the client goes."""
    caller = Caller(engine)
    anyio.run(_stdio, Serving(lambda _context: caller, prefix))


async def _stdio(serving: Serving) -> None:
    server = serving.server()
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


class EngineTokens(TokenVerifier):
    """Knows the ledger's bearer tokens.

    Args:
        engine: whose they are.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def verify_token(self, token: str) -> AccessToken | None:
        """What a token is good for; None for nothing."""
        try:
            grant = await anyio.to_thread.run_sync(self._engine.tokens.grant, token)
        except TokenRefused:
            return None
        return AccessToken(token=token, client_id=grant.actor, scopes=[grant.role])


def http_app(engine: Engine, offered: Offered, host: str, port: int, prefix: str = "") -> Starlette:
    """The server as an ASGI application at `/mcp`; each request comes with a token of its own."""

    def caller_of(context: Context) -> Caller:
        # Looked up anew for each call: a token that was revoked is worth nothing in a session either.
        return Caller(engine, _grant_of(engine, context), offered)

    at = f"http://{host}:{port}"
    places = [f"{name}:*" for name in {host, "127.0.0.1", "localhost", "[::1]"}]
    return (
        Serving(caller_of, prefix)
        .server()
        .streamable_http_app(
            streamable_http_path=PATH,
            max_request_body_size=BODY_BYTES_MAX,
            auth=AuthSettings(issuer_url=AnyHttpUrl(at), resource_server_url=None),
            token_verifier=EngineTokens(engine),
            transport_security=TransportSecuritySettings(
                enable_dns_rebinding_protection=True,
                allowed_hosts=places,
                allowed_origins=[f"http://{place}" for place in places],
            ),
        )
    )


def _grant_of(engine: Engine, context: Context) -> Grant:
    request = context.request
    header = request.headers.get("authorization", "") if isinstance(request, Request) else ""
    if not header.lower().startswith(_BEARER):
        raise TokenRefused("the request has no token", "send `Authorization: Bearer TOKEN`")
    return engine.tokens.grant(header[len(_BEARER) :].strip())


def serve_http(
    engine: Engine, offered: Offered, host: str, port: int, prefix: str, tell: Callable[[str], None]
) -> None:
    """Serve holders of tokens over streamable HTTP until a signal says to stop.

    Args:
        engine: an engine that can write.
        offered: what calls may name.
        host: address to listen at.
        port: port to listen at.
        prefix: what the names of its tools begin with.
        tell: told where it listens.
    """
    import uvicorn  # noqa: PLC0415 - only here

    tell(f"http://{host}:{port}{PATH}")
    config = uvicorn.Config(
        http_app(engine, offered, host, port, prefix),
        host=host,
        port=port,
        log_level="warning",
        server_header=False,
    )
    uvicorn.Server(config).run()
