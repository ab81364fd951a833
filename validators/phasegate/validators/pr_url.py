"""Is the address of a pull request one?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.parameters import strings
from phasegate.validators.quoting import quoted
from phasegate.validators.text import read_text

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_MAX_URL_CHARS = 2_048
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,62})(?:\.[a-z0-9](?:[a-z0-9-]{0,62})){0,20}")
_SEGMENTS = r"/[A-Za-z0-9._~%-]{1,200}(?:/[A-Za-z0-9._~%-]{1,200}){0,10}"
# GitHub, Gitea and Forgejo, GitLab, Bitbucket, Azure DevOps.
_PATH = re.compile(_SEGMENTS + r"/(?:pull|pulls|merge_requests|pull-requests|pullrequest)/[1-9][0-9]{0,17}/?")


def pr_url(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that the artifact is the https address of one pull or merge request and nothing else.

    Parameters: `hosts` (optional), the hosts it may be on.

    Findings: `pr_url.empty`, `pr_url.malformed`, `pr_url.not_https`, `pr_url.not_a_pull_request`,
    `pr_url.foreign_host`, and those of `text.read_text`.

    Raises:
        BadParameterError: `hosts` is not a list of strings.
    """
    hosts = strings(context.params, "hosts")
    text, findings = read_text(artifact)
    if findings:
        return findings
    code, message = _fault(text.strip(), hosts)
    if not code:
        return ()
    remedy = (
        "write the address as the code host shows it, such as `https://github.com/owner/repository/pull/12`"
    )
    return (Finding(code, artifact.name, "line 1", message, remedy),)


def _fault(url: str, hosts: tuple[str, ...]) -> tuple[str, str]:
    if not url:
        return "pr_url.empty", "the file holds no address"
    if len(url) > _MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url:
        return "pr_url.malformed", f"{quoted(url)} is not one address on one line"
    try:
        parts = urlsplit(url)
        plain = "@" not in parts.netloc and parts.port is None and parts.hostname is not None
    except ValueError:
        return "pr_url.malformed", f"{quoted(url)} is not an address"
    if parts.scheme != "https":
        return "pr_url.not_https", f"{quoted(url)} is not an https address"
    return _place_fault(parts, hosts, plain=plain)


def _place_fault(parts: SplitResult, hosts: tuple[str, ...], *, plain: bool) -> tuple[str, str]:
    host = parts.hostname or ""
    if not plain or not _HOST.fullmatch(host):
        return "pr_url.malformed", f"{quoted(parts.netloc)} is not a plain host name"
    if not _PATH.fullmatch(parts.path):
        return "pr_url.not_a_pull_request", f"{quoted(parts.path)} does not lead to a pull or merge request"
    if hosts and host not in {allowed.lower() for allowed in hosts}:
        return "pr_url.foreign_host", f"{quoted(host)} is not one of {', '.join(map(quoted, hosts))}"
    return "", ""
