"""The environment of what an agent runs: an allowlist, a home of its own, and no way to credentials.

Runners never have write credentials for version control. Variables are let through by name, so that a token
under any name stays out; the home is a scratch folder, so that `~/.netrc`, `~/.git-credentials` and the like
are not found; and git is told to ask nobody and to use no key.

What this does not do: a command of the same user can still open the real home by its absolute path. Where
that matters the engine runs as a user of its own (`trust: separated`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

ALLOWED: Final = frozenset(
    {
        "PATH",
        "PWD",
        "SHELL",
        "USER",
        "LOGNAME",
        "TMPDIR",
        "TERM",
        "COLUMNS",
        "LINES",
        "NO_COLOR",
        "FORCE_COLOR",
    }
    | {"LANG", "LANGUAGE", "TZ", "CI", "SOURCE_DATE_EPOCH", "SSL_CERT_DIR", "SSL_CERT_FILE", "SYSTEMROOT"}
    | {"VIRTUAL_ENV", "ASDF_DATA_DIR", "ASDF_DIR", "GOMODCACHE", "GOROOT", "JAVA_HOME", "NVM_DIR"}
    | {"PYENV_ROOT", "PYENV_VERSION", "RBENV_ROOT", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"}
)
"""Variables that are let through; besides them the locale's, which begin with `LC_`."""
TOOL_HOMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ASDF_DATA_DIR": ".asdf",
        "GOMODCACHE": "go/pkg/mod",
        "NVM_DIR": ".nvm",
        "PYENV_ROOT": ".pyenv",
        "RBENV_ROOT": ".rbenv",
        "RUSTUP_HOME": ".rustup",
    }
)
"""Where tools look in a home for what is installed there; none of these folders holds a credential."""
_GIT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "false",
        "SSH_ASKPASS": "false",
        # Whatever the repository's own settings name as a helper: an empty value ends the list before it.
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "credential.helper",
        "GIT_CONFIG_VALUE_0": "",
        # ssh finds the keys of the user's real home whatever HOME says.
        "GIT_SSH_COMMAND": "false",
    }
)


def runner_environment(environ: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """The environment of a runner.

    Args:
        environ: the engine's own.
        scratch: an empty folder that becomes its home.
    """
    return {**allowed(environ), **of_scratch(scratch)}


def allowed(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that are let through, and where tools are installed in the home that is not."""
    kept = {name: value for name, value in environ.items() if is_allowed(name)}
    home = environ.get("HOME", "")
    installed = {name: Path(home, folder) for name, folder in TOOL_HOMES.items()} if home else {}
    found = {name: str(folder) for name, folder in installed.items() if folder.is_dir()}
    return {**found, **kept}


def is_allowed(name: str) -> bool:
    """Whether a variable is let through."""
    return name in ALLOWED or name.startswith("LC_")


def of_scratch(scratch: Path) -> dict[str, str]:
    """The variables that make a folder the home, and those that keep git from looking for credentials.

    Data of an earlier coverage run, and compiled modules that lie beside the sources, are not looked at: both
    could tell of other sources than those that stand.
    """
    return {
        "HOME": str(scratch),
        "COVERAGE_FILE": str(scratch / ".coverage"),
        "PYTHONPYCACHEPREFIX": str(scratch / ".pycache"),
        "XDG_CACHE_HOME": str(scratch / ".cache"),
        "XDG_CONFIG_HOME": str(scratch / ".config"),
        "XDG_DATA_HOME": str(scratch / ".local" / "share"),
        "XDG_STATE_HOME": str(scratch / ".local" / "state"),
        **_GIT,
    }
