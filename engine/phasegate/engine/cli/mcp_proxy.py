"""The command that stands between an MCP client and servers."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from phasegate.engine.cli.mcp import extra
from phasegate.engine.cli.output import say
from phasegate.engine.cli.session import EXIT_FAILED, session
from phasegate.engine.core.errors import BadInput

if TYPE_CHECKING:
    from phasegate.engine.mcp.proxy.running import Behind

_NAMED: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{0,31})=(.+)", re.DOTALL)
_NAME_REMEDY: Final = "give NAME=..., a name of letters, digits and `-`, at most 32 of them"


def proxy(
    home: Path | None,
    task: str | None,
    persona: str | None,
    lease: int | None,
    command: Sequence[str],
    servers: Sequence[str],
    urls: Sequence[str],
    bearer: str | None,
) -> None:
    """Relay until the client goes; exit 1 when a server went before."""
    from phasegate.engine.mcp.proxy.guard import Guard
    from phasegate.engine.mcp.proxy.running import run_proxy

    behind = servers_behind(command, servers, urls, bearer)
    with extra(), session(home, lease=lease) as engine:
        whole = run_proxy(Guard(engine, task, persona), behind, say)
    if not whole:
        raise typer.Exit(EXIT_FAILED)


def servers_behind(
    command: Sequence[str], servers: Sequence[str], urls: Sequence[str], bearer: str | None = None
) -> list[Behind]:
    """The servers that are named, by one command, or as one of several.

    Args:
        command: the only one, or nothing.
        servers: `NAME=COMMAND` of each that is started.
        urls: `URL` or `NAME=URL` of each that is remote.
        bearer: environment variable with the token that the remote one wants.

    Raises:
        BadInput: none is named, one has no name among several, or two have one.
    """
    from phasegate.engine.mcp.proxy.running import Behind

    found = [Behind("", tuple(command))] if command else []
    for text in servers:
        name, rest = _named(text)
        found.append(Behind(name, _words(name, rest)))
    token = _token(bearer, len(urls))
    for text in urls:
        name, url = _named(text) if _NAMED.fullmatch(text) else ("", text)
        found.append(Behind(name, url=_url(url), token=token))
    names = [one.name for one in found]
    if not names:
        raise BadInput("no server is named", "give `-- COMMAND...`, --server NAME=COMMAND or --url URL")
    if len(names) > 1 and "" in names:
        raise BadInput("one of several servers has no name", _NAME_REMEDY)
    if len({name.casefold() for name in names}) < len(names):
        raise BadInput("two servers have one name", "give each a name of its own, other than by its case")
    return found


def _named(text: str) -> tuple[str, str]:
    matched = _NAMED.fullmatch(text)
    if matched is None:
        raise BadInput(f"`{text[:80]}` names no server", _NAME_REMEDY)
    return matched[1], matched[2]


def _words(name: str, text: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise BadInput(f"the command of `{name}` cannot be read: {error}", "close every quote") from None
    if not words:
        raise BadInput(f"the command of `{name}` is empty", "name a program")
    return words


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+(?:/\S*)?", text):
        raise BadInput(f"`{text[:80]}` is no URL of a server", "give http://... or https://...")
    return text


def _token(variable: str | None, urls: int) -> str:
    if variable is None:
        return ""
    if urls != 1:
        raise BadInput(
            "a token is for one server", "name one --url, and start a proxy for each of the others"
        )
    # No server that is started here gets to see it.
    found = os.environ.pop(variable, "").strip()
    if not found:
        raise BadInput(f"there is no token in `{variable[:80]}`", "name an environment variable that has it")
    return found
