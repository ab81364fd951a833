"""The allowlist of the outbox: what it covers, what it refuses, and where tokens come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from phasegate.engine.app.outbox.policy import (
    OUTBOX_POLICY,
    Destination,
    OutboxPolicy,
    load_outbox_policy,
    parse_target,
)
from phasegate.engine.core.errors import BadInput


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org/",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@example.org/",
        "https://user:secret@example.org/",
        "https://example.org/a/../b",
        "https://example.org/a/%2e%2e/b",
        "https://example.org/./b",
        "https://example.org/a#b",
        "https://example.org\\@evil.example/",
        "https://example.org/%5c..",
        "https://example.org/a b",
        "https://example.org/\r\nX: y",
        "https://example.org:0/",
        "https://example.org:99999/",
        "https://example.org:x/",
        "https://[::1/",
        "https://ex\u00e4mple.org/",
        "https://example.org/" + "a" * 500,
    ],
)
def test_what_is_no_destination(url: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_target(url)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Example.ORG", ("https", "example.org", 443, "/", "")),
        ("http://example.org:8080/a/b?c=d", ("http", "example.org", 8080, "/a/b", "c=d")),
        ("https://[::1]:1/x", ("https", "::1", 1, "/x", "")),
    ],
)
def test_a_destination_in_its_parts(url: str, expected: tuple[str, str, int, str, str]) -> None:
    assert parse_target(url) == expected


@pytest.mark.parametrize(
    ("entry", "url", "covered"),
    [
        ("https://example.org/", "https://example.org/anything", True),
        ("https://example.org", "https://example.org", True),
        ("https://example.org/repos/a", "https://example.org/repos/a", True),
        ("https://example.org/repos/a", "https://example.org/repos/a/pulls", True),
        ("https://example.org/repos/a/", "https://example.org/repos/a/pulls", True),
        ("https://example.org/repos/a", "https://example.org/repos/ab", False),
        ("https://example.org/repos/a/", "https://example.org/repos/a", False),
        ("https://example.org/", "https://example.org:443/x", True),
        ("https://example.org/", "https://EXAMPLE.org/x", True),
        ("https://example.org/", "https://example.org:8443/x", False),
        ("https://example.org/", "http://example.org/x", False),
        ("https://example.org/", "https://example.org.evil.example/x", False),
        ("https://example.org/", "https://sub.example.org/x", False),
        ("https://example.org/a", "https://example.org/A", False),
    ],
)
def test_an_entry_covers_what_lies_at_or_below_it(entry: str, url: str, *, covered: bool) -> None:
    assert Destination(url=entry).covers(parse_target(url)) is covered


def test_nothing_is_allowed_by_default(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="`https://example.org` is not on the allowlist"):
        load_outbox_policy(tmp_path).destination("webhook", "https://example.org/x")


def test_an_entry_may_take_some_effects_only() -> None:
    policy = OutboxPolicy(
        destinations=(
            Destination(url="https://example.org/", effects=("comment",)),
            Destination(url="https://example.org/pulls", effects=("open_pr",)),
        )
    )

    assert policy.destination("comment", "https://example.org/pulls").effects == ("comment",)
    assert policy.destination("open_pr", "https://example.org/pulls").effects == ("open_pr",)
    with pytest.raises(BadInput, match="takes no `open_pr`"):
        policy.destination("open_pr", "https://example.org/x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("destinations: 5", "outbox.yaml:1"),
        ("destinations:\n  - url: ftp://x/", "is no destination"),
        ("destinations:\n  - url: https://x/?a=b", "has a query"),
        ("destinations:\n  - url: https://x/\n    token: secret", "outbox.yaml:3"),
        ("destinations:\n  - url: http://x/\n    token_env: A", "not sent over plain http"),
        ("destinations:\n  - url: https://x/\n    token_env: A\n    token_file: /b", "not both"),
        ("destinations:\n  - url: https://x/\n    headers: {Authorization: x}", "set by the outbox itself"),
        ("destinations:\n  - url: https://x/\n    headers: {idempotency-key: x}", "set by the outbox itself"),
        ('destinations:\n  - url: https://x/\n    headers: {X: "a\\r\\nY: b"}', "outbox.yaml:3"),
        ("allow: everything", "outbox.yaml:1"),
        ("timeout_s: 0", "outbox.yaml:1"),
        ("{", "outbox.yaml"),
    ],
)
def test_a_policy_that_does_not_hold_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / OUTBOX_POLICY).write_text(text)

    with pytest.raises(BadInput, match=said) as caught:
        load_outbox_policy(tmp_path)
    assert "docs/outbox.md" in caught.value.remedy


def test_a_token_goes_over_plain_http_on_this_machine_only() -> None:
    for url in ("http://127.0.0.1:1/", "http://localhost:1/", "http://[::1]:1/"):
        assert Destination(url=url, token_env="A").has_token


def test_a_token_from_a_variable() -> None:
    entry = Destination(url="https://x/", token_env="TOKEN")

    assert entry.token({"TOKEN": "t0ken"}) == "t0ken"
    for environ in ({}, {"TOKEN": ""}, {"TOKEN": "two words"}, {"TOKEN": "a\nb"}, {"TOKEN": "x" * 5_000}):
        with pytest.raises(BadInput, match="variable `TOKEN` holds no token") as caught:
            entry.token(environ)
        assert "two words" not in str(caught.value)


def test_a_token_from_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    file = tmp_path / "token"
    entry = Destination(url="https://x/", token_file=str(file))

    with pytest.raises(BadInput, match="cannot read the token file"):
        entry.token({})
    file.write_text("t0ken\n")
    file.chmod(0o640)
    with pytest.raises(BadInput, match="open to others"):
        entry.token({})
    file.chmod(0o600)
    assert entry.token({}) == "t0ken"
    file.write_text("\n")
    with pytest.raises(BadInput, match="holds no token"):
        entry.token({})


def test_a_policy_that_cannot_be_read_allows_nothing(tmp_path: Path) -> None:
    (tmp_path / OUTBOX_POLICY).mkdir()

    with pytest.raises(BadInput, match="cannot read"):
        load_outbox_policy(tmp_path)
