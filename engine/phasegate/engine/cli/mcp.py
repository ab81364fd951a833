"""The commands that meet agents over the Model Context Protocol."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from phasegate.engine.cli.output import say
from phasegate.engine.cli.session import session
from phasegate.engine.core.errors import BadInput
from phasegate.policies.loader import load_process

_PREFIX: Final = re.compile(r"[A-Za-z0-9_-]{0,32}", re.ASCII)


def serve_stdio(home: Path | None, prefix: str) -> None:
    """Serve the local user until the client goes."""
    _check_prefix(prefix)
    with extra():
        from phasegate.engine.mcp.serving import serve_stdio as serve
    with session(home) as engine:
        serve(engine, prefix)


def serve_http(
    home: Path | None,
    host: str,
    port: int,
    prefix: str,
    processes: tuple[Path, ...],
    repositories: tuple[Path, ...],
    *,
    witness: bool,
) -> None:
    """Serve holders of tokens until a signal says to stop."""
    _check_prefix(prefix)
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
        serve(
            engine,
            offered,
            host,
            port,
            prefix,
            lambda where: say(f"serving {engine.store.ledger} at {where}"),
        )


def _check_prefix(prefix: str) -> None:
    if not _PREFIX.fullmatch(prefix):
        raise BadInput(
            f"`{prefix[:80]}` cannot begin the name of a tool", "use at most 32 of a-z, A-Z, 0-9, `_` and `-`"
        )


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
