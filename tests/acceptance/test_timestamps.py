"""A timestamp authority says when a checkpoint was there; a real one of openssl answers in these tests."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from checkpointed_homes import work
from engine_drivers import cli

from phasegate.engine.app.checkpoints.timestamps import check_timestamp, read_roots
from phasegate.engine.app.engine import Engine
from phasegate.engine.core.errors import BadInput, IntegrityError, NotEvaluated

pytest.importorskip("rfc3161_client", reason="the extra `timestamp` is not installed")
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

CONFIG = """[tsa]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


class Authority:
    """An authority with a root of its own, that answers as told."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.root = folder / "root.pem"
        self.replayed = b""
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(CONFIG.format(folder=folder))
        (folder / "ext.cnf").write_text(
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
            "extendedKeyUsage=critical,timeStamping\n"
        )
        root = ("-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=Root")
        self._openssl("req", *root, "-keyout", "root.key", "-out", "root.pem")
        tsa = ("-newkey", "rsa:2048", "-nodes", "-subj", "/CN=TSA")
        self._openssl("req", *tsa, "-keyout", "tsa.key", "-out", "tsa.csr")
        signed = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "30")
        self._openssl("x509", "-req", "-in", "tsa.csr", *signed, "-extfile", "ext.cnf", "-out", "tsa.pem")

    def answer(self, query: bytes) -> bytes:
        """The answer to a query, DER."""
        (self.folder / "query").write_bytes(query)
        self._openssl(
            "ts", "-reply", "-config", "tsa.cnf", "-section", "tsa", "-queryfile", "query", "-out", "reply"
        )
        return self.replayed or (self.folder / "reply").read_bytes()

    def verifies(self, data: Path, token: Path) -> bool:
        """Whether openssl itself accepts the token."""
        command = ("ts", "-verify", "-data", data, "-in", token, "-CAfile", self.root)
        return (
            subprocess.run(["openssl", *map(str, command)], capture_output=True, check=False).returncode == 0
        )

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, check=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa") / "authority")


@pytest.fixture
def url(authority: Authority) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            body = authority.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    authority.replayed = b""


@pytest.fixture
def note(tmp_path: Path) -> Path:
    """A signed checkpoint of a ledger with work in it."""
    home = tmp_path / "home"
    Engine.init(home).close()
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
    place = tmp_path / "checkpoint.note"
    place.write_text(cli("--home", str(home), "ledger", "checkpoint", "--note").out)
    return place


def test_an_authority_is_asked_and_what_it_said_holds_here_and_for_openssl(
    note: Path, url: str, authority: Authority
) -> None:
    asked = cli("ledger", "timestamp", str(note), "--tsa", url, "--root", str(authority.root), "--json")
    token = note.with_name("checkpoint.note.tsr")

    assert asked.code == 0, asked.err
    assert asked.json["at"].startswith("20")
    assert asked.json["at"].endswith("Z")
    assert authority.verifies(note, token)
    again = cli("ledger", "timestamp", str(note), "--root", str(authority.root))
    assert (again.code, "was there at" in again.out) == (0, True)


def test_other_bytes_another_root_and_a_changed_token_do_not_hold(
    note: Path, url: str, authority: Authority, tmp_path: Path
) -> None:
    assert cli("ledger", "timestamp", str(note), "--tsa", url).code == 0
    token = note.with_name("checkpoint.note.tsr")
    check = ("ledger", "timestamp", str(note), "--token", str(token))
    other = Authority(tmp_path / "other")

    assert cli(*check, "--root", str(other.root)).code == 4
    bytes_, changed = token.read_bytes(), bytearray(token.read_bytes())
    for place in range(len(changed) - 200, len(changed), 40):
        changed[place] ^= 1
        token.write_bytes(bytes(changed))
        assert cli(*check, "--root", str(authority.root)).code in {2, 4}
        assert not authority.verifies(note, token)
        changed[place] ^= 1
    token.write_bytes(bytes_)
    note.write_text(note.read_text() + "\n")
    assert cli(*check, "--root", str(authority.root)).code in {2, 4}


def test_a_token_with_a_byte_changed_anywhere_holds_as_it_was_or_is_named(
    note: Path, url: str, authority: Authority
) -> None:
    assert cli("ledger", "timestamp", str(note), "--tsa", url).code == 0
    data, token = note.read_bytes(), note.with_name("checkpoint.note.tsr").read_bytes()
    roots = read_roots(authority.root.read_bytes())
    said = check_timestamp(data, token, roots)
    refused = 0
    for place in range(0, len(token), 7):
        changed = token[:place] + bytes([token[place] ^ 4]) + token[place + 1 :]
        try:
            # Some bytes of a token are signed by nobody; what it says stays as it was.
            assert check_timestamp(data, changed, roots) == said
        except (BadInput, IntegrityError, NotEvaluated):
            refused += 1
    assert refused > len(token) // 8


def test_an_old_answer_to_a_new_request_is_refused(note: Path, url: str, authority: Authority) -> None:
    assert cli("ledger", "timestamp", str(note), "--tsa", url).code == 0
    authority.replayed = note.with_name("checkpoint.note.tsr").read_bytes()

    ran = cli("ledger", "timestamp", str(note), "--tsa", url)

    assert (ran.code, "another request" in ran.err) == (4, True)


def test_an_authority_that_is_away_leaves_the_checkpoint_without_a_token(note: Path) -> None:
    ran = cli("ledger", "timestamp", str(note), "--tsa", "http://127.0.0.1:9/")
    assert (ran.code, "remedy:" in ran.err) == (3, True)
    assert not note.with_name("checkpoint.note.tsr").exists()


def test_with_nothing_asked_for_it_says_what_can_be_asked(note: Path) -> None:
    ran = cli("ledger", "timestamp", str(note))
    assert (ran.code, "--tsa URL" in ran.err) == (2, True)
