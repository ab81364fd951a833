"""Serving the HTTP API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.options import HomeOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="Port; 0 for a free one.")] = 8765,
    uds: Annotated[
        Path | None, typer.Option("--uds", metavar="SOCKET", help="Listen at a Unix socket instead.")
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate for TLS, PEM.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="Its key, PEM.")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen beyond this machine without TLS, behind a proxy.")
    ] = False,
    separated: Annotated[
        bool,
        typer.Option("--separated", help="No agent runs as this user: checked as far as can be seen."),
    ] = False,
    witness: Annotated[
        bool, typer.Option("--witness", help="Run commands for agents, as this user; see docs/http.md.")
    ] = False,
    process: Annotated[
        list[Path] | None,
        typer.Option("--process", metavar="FILE.yaml", help="A process to offer beside the shipped ones."),
    ] = None,
    repositories: Annotated[
        list[Path] | None,
        typer.Option("--repositories", metavar="DIR", help="Folder below which tasks may name repositories."),
    ] = None,
    rate: Annotated[
        float, typer.Option("--rate", min=0, help="Requests a second of one token; 0 for no limit.")
    ] = 50.0,
    burst: Annotated[int, typer.Option("--burst", min=1, help="Requests of one token at once.")] = 100,
    body_limit: Annotated[
        int, typer.Option("--body-limit", min=1024, metavar="BYTES", help="Size of a request's body.")
    ] = 8 * 1024 * 1024,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, metavar="S", help="Seconds a request may take.")
    ] = 30.0,
    home: HomeOption = None,
) -> None:
    """Serve the HTTP API until interrupted; callers come with tokens of `engine token create`."""
    from phasegate.engine.cli import serve as commands

    commands.serve(
        home,
        commands.Listen(host, port, uds, tls_cert, tls_key, insecure),
        commands.Offer(separated, witness, tuple(process or ()), tuple(repositories or ())),
        commands.Limits(rate, burst, body_limit, timeout),
    )
