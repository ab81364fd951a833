"""A witness behind HTTP, as C2SP `tlog-witness` has it; it can also be told to misbehave."""

from __future__ import annotations

import base64
import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from phasegate.ledger.checkpoint import parse_checkpoint
from phasegate.ledger.errors import WitnessRefused
from phasegate.ledger.note_keys import Algorithm, VerifierKey
from phasegate.ledger.note_signers import SeedSigner
from phasegate.ledger.notes import parse_note
from phasegate.ledger.witness import Witness

STATUS = {"unknown_log": 404, "not_signed": 403, "shrunk": 409, "fork": 409, "bad_proof": 422, "state": 500}


class WitnessServer:
    """One witness; `mode` is `well`, `down`, `slow`, `garbage` or `liar` (cosigns with another key)."""

    def __init__(self, state: Path, log: VerifierKey) -> None:
        self.signer = SeedSigner.from_seed("witness.example", bytes([5]) * 32, Algorithm.COSIGNATURE)
        self._liar = SeedSigner.from_seed("witness.example", bytes([6]) * 32, Algorithm.COSIGNATURE)
        self._state = state
        self._log = log
        self.mode = "well"
        self.asked = 0
        self.url = ""

    def answer(self, body: bytes) -> tuple[int, bytes]:
        self.asked += 1
        if self.mode == "down":
            return 503, b"not now"
        if self.mode == "slow":
            time.sleep(3)
        if self.mode == "garbage":
            return 200, b"\xff\xfe nothing\n"
        first, _, text = body.partition(b"\n\n")
        old, *steps = first.decode().splitlines()
        note = parse_note(text)
        witness = Witness(
            self._state, self._liar if self.mode == "liar" else self.signer, lambda: int(time.time())
        )
        witness.trust(self._log.name, self._log)
        held = witness.remembered(parse_checkpoint(note.text).origin).size
        if old != f"old {held}":
            return 409, b"%d\n" % held
        try:
            signature = witness.cosign(note, [base64.b64decode(step) for step in steps])
        except WitnessRefused as error:
            return STATUS[error.fault], b"%d\n" % error.held
        return 200, signature.line().encode()


@contextlib.contextmanager
def witness_server(state: Path, log: VerifierKey) -> Iterator[WitnessServer]:
    """A running witness."""
    witness = WitnessServer(state, log)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, body = witness.answer(self.rfile.read(int(self.headers["Content-Length"])))
            with contextlib.suppress(OSError):
                self.send_response(status if self.path == "/w/add-checkpoint" else 400)
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    witness.url = f"http://127.0.0.1:{server.server_port}/w/"
    try:
        yield witness
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
