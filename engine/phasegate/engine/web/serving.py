"""Running the server: where it listens, what it refuses, how it stops."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn

from phasegate.engine.app.engine import Engine
from phasegate.engine.core.errors import BadInput
from phasegate.engine.web.app import create_app
from phasegate.engine.web.service import Service
from phasegate.engine.web.settings import Settings

STOP_S = 15
HEADER_BYTES_MAX = 64 * 1024
IDLE_S = 15


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens.

    Attributes:
        host: address of a network interface.
        port: its port; 0 for a free one.
        uds: a Unix socket instead.
        certificate: TLS certificate, PEM.
        key: its private key, PEM.
        insecure: whether to listen beyond this machine without TLS all the same.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    uds: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    insecure: bool = False

    def demand_safe(self) -> None:
        """Refuse to send tokens in the clear beyond this machine.

        Raises:
            BadInput: it would.
        """
        if (self.certificate is None) != (self.key is None):
            raise BadInput("a certificate and its key go together", "give `--tls-cert` and `--tls-key`")
        for file in (self.certificate, self.key):
            if file is not None and not file.is_file():
                raise BadInput(f"there is no file `{file}`", "give the PEM files of certificate and key")
        if (
            self.uds is None
            and self.certificate is None
            and not self.insecure
            and not _is_loopback(self.host)
        ):
            raise BadInput(
                f"`{self.host}` can be reached from elsewhere, and tokens would go in the clear",
                "give `--tls-cert` and `--tls-key`; or `--insecure` behind a proxy that does TLS",
            )


class _Server(uvicorn.Server):
    """Tells where it listens, and ends event streams before it waits for connections to close."""

    def __init__(self, config: uvicorn.Config, service: Service, tell: Callable[[str], None]) -> None:
        super().__init__(config)
        self._service = service
        self._tell = tell

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say where."""
        await super().startup(sockets=sockets)
        if self.started:
            self._tell(_told(self))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; at the second time at once. Unlike uvicorn's own it does not die of the signal."""
        del sig, frame
        self.force_exit = self.should_exit
        self.should_exit = True
        self._service.stopping.set()


def serve(engine: Engine, settings: Settings, place: Place, tell: Callable[[str], None]) -> None:
    """Serve until a signal says to stop; then finish what was begun.

    Args:
        engine: an engine that can write.
        settings: limits.
        place: where to listen.
        tell: says where, once it does.

    Raises:
        BadInput: the place is not safe, or cannot be listened at.
        Conflict: another server serves this home.
    """
    place.demand_safe()
    app = create_app(engine, settings)
    config = uvicorn.Config(
        app,
        host=place.host,
        port=place.port,
        uds=str(place.uds) if place.uds else None,
        ssl_certfile=place.certificate,
        ssl_keyfile=place.key,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=STOP_S,
        h11_max_incomplete_event_size=HEADER_BYTES_MAX,
        http="h11",
        ws="none",
    )
    try:
        _Server(config, app.state.service, tell).run()
    except SystemExit:
        app.state.service.close()
        where = place.uds or f"{place.host}:{place.port}"
        raise BadInput(f"cannot listen at `{where}`", "another program may; choose another place") from None


def _told(server: uvicorn.Server) -> str:
    config = server.config
    if config.uds:
        return f"unix:{config.uds}"
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if config.is_ssl else 'http'}://{name}:{port}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
