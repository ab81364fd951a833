"""Where the outbox may send to: an allowlist in the home's `outbox.yaml`, off by default.

    destinations:
      - url: https://api.github.com/repos/acme/app/
        effects: [open_pr, comment]
        token_file: /etc/phasegate/github-token
    timeout_s: 30

A destination is allowed when scheme, host and port are those of an entry and its path lies at or below the
entry's. Tokens are read when something is sent and kept nowhere: not in the ledger, the objects or the rows.
"""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from phasegate.engine.app.home_policy import load_home_policy
from phasegate.engine.core.delivering import Patience
from phasegate.engine.core.errors import BadInput

OUTBOX_POLICY: Final = "outbox.yaml"
URL_CHARS_MAX: Final = 500
TOKEN_CHARS_MAX: Final = 4_096

_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}
_URL: Final = re.compile(r"https?://[!-~]+")
_TOKEN: Final = re.compile(r"[!-~]+")
_READ_BY_OTHERS: Final = 0o077
_OWN_HEADERS: Final = frozenset(
    {"authorization", "connection", "content-length", "content-type", "cookie", "host", "idempotency-key"}
    | {"transfer-encoding", "proxy-authorization", "upgrade", "te", "trailer", "expect"}
)

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
_Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
_HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
_HeaderValue = Annotated[str, StringConstraints(pattern=r"^[!-~]([ -~]{0,298}[!-~])?$")]


class Target(NamedTuple):
    """A URL in its parts; `path` begins with a slash, `query` includes what follows the question mark."""

    scheme: str
    host: str
    port: int
    path: str
    query: str

    @property
    def is_local(self) -> bool:
        """Whether it lies on this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def parse_target(url: str) -> Target:
    """Take a URL apart.

    Raises:
        BadInput: it is no plain http(s) URL: with a user, a fragment, dot segments or other characters.
    """
    try:
        parts = urlsplit(url) if _URL.fullmatch(url) and len(url) <= URL_CHARS_MAX else None
        host, port = (parts.hostname or "", parts.port) if parts else ("", None)
    except ValueError:
        parts, host, port = None, "", None
    segments = unquote(parts.path).split("/") if parts else []
    if parts is None or not host or "@" in parts.netloc or "#" in url or "\\" in url or port == 0:
        raise BadInput(f"`{url[:URL_CHARS_MAX]}` is no destination", "give a plain https:// URL")
    if {".", ".."} & set(segments) or "\\" in "".join(segments):
        raise BadInput(f"`{url}` is no destination: its path goes up", "give the URL without dot segments")
    return Target(parts.scheme, host.lower(), port or _PORTS[parts.scheme], parts.path or "/", parts.query)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Destination(_Model):
    """One entry of the allowlist.

    Attributes:
        url: scheme, host, port and the path that destinations must lie at or below.
        effects: effects it takes; all when there are none.
        token_env: environment variable with the token; empty for none.
        token_file: file with the token, readable by its owner only; empty for none.
        token_scheme: what stands before the token in the header `Authorization`.
        headers: further headers.
    """

    url: str
    effects: tuple[_Name, ...] = ()
    token_env: _Variable | Literal[""] = ""
    token_file: str = ""
    token_scheme: Literal["Bearer", "token", "Basic"] = "Bearer"  # noqa: S105 - a word, no secret
    headers: dict[_HeaderName, _HeaderValue] = Field(default_factory=dict, max_length=16)

    @model_validator(mode="after")
    def _holds(self) -> Self:
        try:
            target = parse_target(self.url)
        except BadInput as error:
            raise ValueError(error.message) from error
        if target.query:
            raise ValueError("`url` has a query; name a path that destinations lie below")
        if self.token_env and self.token_file:
            raise ValueError("give `token_env` or `token_file`, not both")
        if self.has_token and target.scheme == "http" and not target.is_local:
            raise ValueError("a token is not sent over plain http; use https")
        own = sorted(name for name in self.headers if name.lower() in _OWN_HEADERS)
        if own:
            raise ValueError(f"the header `{own[0]}` is set by the outbox itself")
        return self

    @property
    def has_token(self) -> bool:
        """Whether a token is sent along."""
        return bool(self.token_env or self.token_file)

    def covers(self, target: Target) -> bool:
        """Whether a URL lies at or below this entry's."""
        own = parse_target(self.url)
        below = own.path if own.path.endswith("/") else f"{own.path}/"
        inside = target.path == own.path or target.path.startswith(below)
        return inside and (own.scheme, own.host, own.port) == (target.scheme, target.host, target.port)

    def token(self, environ: Mapping[str, str]) -> str:
        """The token as it is now; empty when none is sent.

        Raises:
            BadInput: it is not there, could be read by others, or is malformed.
        """
        if self.token_env:
            text = environ.get(self.token_env, "")
            where, remedy = f"variable `{self.token_env}`", f"set `{self.token_env}` for the deliverer only"
        elif self.token_file:
            text, where = _read_token(Path(self.token_file)), f"file `{self.token_file}`"
            remedy = "write the token into it, one line"
        else:
            return ""
        if not _TOKEN.fullmatch(text) or len(text) > TOKEN_CHARS_MAX:
            raise BadInput(f"the {where} holds no token", remedy)
        return text


class OutboxPolicy(_Model):
    """What the outbox may do.

    Attributes:
        destinations: the allowlist; empty allows nothing.
        timeout_s: seconds one try may take.
        backoff_base_ms, backoff_cap_ms, attempts_max: see `Patience`.
    """

    destinations: Annotated[tuple[Destination, ...], Field(max_length=256)] = ()
    timeout_s: Annotated[int, Field(ge=1, le=600)] = 30
    backoff_base_ms: Annotated[int, Field(ge=1, le=3_600_000)] = 1_000
    backoff_cap_ms: Annotated[int, Field(ge=1, le=86_400_000)] = 3_600_000
    attempts_max: Annotated[int, Field(ge=1, le=1_000)] = 20

    @property
    def patience(self) -> Patience:
        """How often and how fast a delivery is tried again."""
        return Patience(self.backoff_base_ms, self.backoff_cap_ms, self.attempts_max)

    def destination(self, effect: str, url: str) -> Destination:
        """The entry that allows an effect at a URL.

        Raises:
            BadInput: none does.
        """
        target = parse_target(url)
        covering = [entry for entry in self.destinations if entry.covers(target)]
        for entry in covering:
            if not entry.effects or effect in entry.effects:
                return entry
        if covering:
            text, remedy = f"`{url}` takes no `{effect}`", f"add `{effect}` to its `effects`"
        else:
            text, remedy = f"`{target.scheme}://{target.host}` is not on the allowlist", f"add `{url}` to it"
        raise BadInput(text, f"{remedy} in the home's `{OUTBOX_POLICY}`")


def load_outbox_policy(home: Path) -> OutboxPolicy:
    """The home's policy; one that allows nothing where there is no file.

    Raises:
        BadInput: the file cannot be read, or is refused; the message has the line.
    """
    return load_home_policy(home, OUTBOX_POLICY, OutboxPolicy, "an outbox policy", "docs/outbox.md")


def _read_token(path: Path) -> str:
    remedy = f"`chmod 600 {path}`"
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_mode & _READ_BY_OTHERS:
                raise BadInput(f"the token file `{path}` is open to others, or no plain file", remedy)
            return file.read(TOKEN_CHARS_MAX + 2).decode("ascii", "replace").strip()
    except OSError as error:
        raise BadInput(f"cannot read the token file `{path}`: {error.strerror}", remedy) from error
