"""The environment of a witnessed command: no credential, and nothing that changes outcomes unseen.

Only variables that are known to be harmless are passed on, and the home is a folder of its own. A variable
that the tests need stands in the command, where it is recorded: `env PYTHONPATH=src pytest`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

from phasegate.engine.app.witnessing.runner_environment import allowed

DROPPED_MAX = 32

_DROPPED = re.compile(
    r"PYTEST_.*|PY_COLORS|PY_IGNORE_IMPORTMISMATCH|COV_CORE_.*|PYTHON(?:PATH|HOME|STARTUP|BREAKPOINT|USERBASE|WARNINGS|INSPECT|PLATLIBDIR|EXECUTABLE"
    r"|PYCACHEPREFIX|OPTIMIZE|SAFEPATH|NOUSERSITE)|COVERAGE_.*|HYPOTHESIS_.*|TOX_.*|NOX_.*|LD_.*|CDPATH|IFS|PS4|SHELLOPTS|BASHOPTS"
    r"|PERL5?(?:OPT|LIB|DB)|RUBY(?:OPT|LIB)|(?:JAVA_TOOL|_JAVA|JDK_JAVA)_OPTIONS|CLASSPATH|MAVEN_.*|GRADLE_.*"
    r"|GO(?:ENV|PATH|TOOLCHAIN|ROOT_FINAL|EXPERIMENT)|CARGO_HOME|CARGO_TARGET_.*|CARGO_ENCODED_.*|NEXTEST_.*|RUSTC|PHPRC|PHP_INI_.*|DOTNET_.*"
    r"|MAKEFILES|GNUMAKEFLAGS|(?:NPM_CONFIG|npm_config)_.*|GCONV_PATH"
    r"|DYLD_.*|NODE_(?:OPTIONS|PATH)|TS_NODE_.*|BUN_OPTIONS|JEST_.*|VITEST.*|GOFLAGS|CARGO_BUILD_.*|RUSTC_WRAPPER|RUSTFLAGS|RUSTDOCFLAGS"
    r"|MAKEFLAGS|GIT_.*|BASH_ENV|ENV|PROMPT_COMMAND|BASH_FUNC_.*"
)


def passed_on(environ: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables a witnessed command gets, and the names of those it does not, at most `DROPPED_MAX`."""
    kept = {name: value for name, value in allowed(environ).items() if not is_dropped(name)}
    dropped = sorted(set(environ) - set(kept))
    return kept, tuple(name.encode("ascii", "replace").decode()[:200] for name in dropped[:DROPPED_MAX])


def is_dropped(name: str) -> bool:
    """Whether a variable is one that changes outcomes unseen."""
    return _DROPPED.fullmatch(name) is not None


def digest_of(environ: Mapping[str, str]) -> str:
    """Digest of names and values, so that nothing secret is kept in the clear."""
    text = json.dumps(sorted(environ.items()), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
