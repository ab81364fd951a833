"""The commands that meet agents over the Model Context Protocol."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phasegate.engine.cli.output import say
from phasegate.engine.cli.session import session
from phasegate.engine.core.errors import BadInput
from phasegate.policies.loader import load_process


def serve_stdio(home: Path | None) -> None:
    """Serve the local user until the client goes."""
    with extra():
        from phasegate.engine.mcp.serving import serve_stdio as serve
    with session(home) as engine:
        serve(engine)


def serve_http(
    home: Path | None,
    host: str,
    port: int,
    processes: tuple[Path, ...],
    repositories: tuple[Path, ...],
    *,
    witness: bool,
) -> None:
    """Serve holders of tokens until a signal says to stop."""
    with extra():
        from phasegate.engine.mcp.caller import Offered
        from phasegate.engine.mcp.serving import serve_http as serve
    if not _is_here(host):
        raise BadInput(
            f"`{host}` is reached from other machines, and this server speaks no TLS",
            "listen at 127.0.0.1 and put a proxy that speaks TLS before it",
        )
    named = {loaded.process: loaded for loaded in map(load_process, map(str, processes))}
    offered = Offered(named, tuple(folder.resolve() for folder in repositories), witness)
    with session(home) as engine:
        serve(engine, offered, host, port, lambda where: say(f"serving {engine.store.ledger} at {where}"))


@contextmanager
def extra() -> Iterator[None]:
    """Say what to install where the SDK is not."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in {"mcp", "mcp_types", "anyio", "starlette", "uvicorn"}:
            raise
        raise BadInput("MCP needs the extra `mcp`", "install it: `pip install 'phasegate[mcp]'`") from None


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
