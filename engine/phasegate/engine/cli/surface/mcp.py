"""Serving agents over the Model Context Protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.options import HomeOption, LeaseOption
from phasegate.engine.cli.surface.tools import PersonaOption

group = typer.Typer(help="Meet agents over the Model Context Protocol.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="mcp")


@group.command("serve")
def serve(
    http: Annotated[
        bool, typer.Option("--http", help="Serve streamable HTTP with tokens, instead of stdio.")
    ] = False,
    host: Annotated[str, typer.Option("--host", help="Address to listen at, with --http.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=1, max=65_535, help="Port to listen at, with --http.")
    ] = 8766,
    witness: Annotated[
        bool, typer.Option("--witness", help="With --http: run commands for agents, as this user.")
    ] = False,
    process: Annotated[
        list[Path] | None,
        typer.Option("--process", metavar="FILE.yaml", help="With --http: a process to offer besides."),
    ] = None,
    repositories: Annotated[
        list[Path] | None,
        typer.Option(
            "--repositories", metavar="DIR", help="With --http: folder below which repositories may lie."
        ),
    ] = None,
    prefix: Annotated[
        str,
        typer.Option(
            "--prefix", metavar="TEXT", help="What the names of its tools begin with; else nothing."
        ),
    ] = "",
    home: HomeOption = None,
) -> None:
    """Serve the engine's commands as MCP tools: by stdio to the local user, or by HTTP to holders of tokens.

    A client starts it itself, for instance with `claude mcp add engine -- engine mcp serve`.
    """
    from phasegate.engine.cli import mcp as commands

    if not http:
        commands.serve_stdio(home, prefix)
        return
    commands.serve_http(
        home, host, port, prefix, tuple(process or ()), tuple(repositories or ()), witness=witness
    )


@group.command("proxy")
def proxy(
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[-- COMMAND...]", help="Command that starts the server.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option("--task", "-t", metavar="TASK", help="Task; without one only read-only tools pass."),
    ] = None,
    persona: PersonaOption = None,
    server: Annotated[
        list[str] | None,
        typer.Option(
            "--server", metavar="NAME=COMMAND", help="One of several servers; its tools become NAME__TOOL."
        ),
    ] = None,
    url: Annotated[
        list[str] | None,
        typer.Option("--url", metavar="[NAME=]URL", help="A server over streamable HTTP."),
    ] = None,
    bearer: Annotated[
        str | None,
        typer.Option("--bearer", metavar="VARIABLE", help="Environment variable with the token for --url."),
    ] = None,
    lease: LeaseOption = None,
    home: HomeOption = None,
) -> None:
    """Stand before MCP servers by stdio: tools are listed and called only as the task's phase allows.

    For instance `engine mcp proxy --task IMP-27 -- npx @modelcontextprotocol/server-filesystem .`. A call is
    judged with its arguments, and recorded with its outcome. Servers run in the task's repository.
    """
    from phasegate.engine.cli import mcp_proxy as commands

    commands.proxy(home, task, persona, lease, command or [], server or [], url or [], bearer)
