"""The command that signs what a server gives to sign; it needs no home, and the key stays where it is."""

from __future__ import annotations

import base64
import binascii
import sys
from pathlib import Path
from typing import Final

import orjson

from phasegate.engine.app.people.key_files import load_key
from phasegate.engine.cli.output import say
from phasegate.engine.core.errors import BadInput
from phasegate.engine.statements.approval import Approval
from phasegate.engine.statements.catalogue import parse_statement
from phasegate.engine.statements.dsse import ENVELOPE_BYTES_MAX, sign_payload

_REMEDY: Final = "give the answer of `/v1/tasks/TASK/statement` or `/v1/flags/statement` as it came"


def sign(file: Path, key: Path) -> None:
    """Say what is signed, sign it, and print the envelope.

    Raises:
        BadInput: it is no decision, or one of somebody else.
        KeyRefused: the key cannot be read.
    """
    payload = _payload(file)
    statement = parse_statement(payload)
    said = statement.predicate
    if not isinstance(said, Approval):
        raise BadInput(f"the statement is a `{said.TYPE}`, and no decision", _REMEDY)
    signer = load_key(key)
    if said.actor != signer.name:
        text = f"the decision is one of `{said.actor}`, and the key that of `{signer.name}`"
        raise BadInput(text, "let whoever decides sign with their own key")
    say(f"{said.decision} of {said.task} {said.phase}, attempt {said.attempt}, as {said.role}: {said.reason}")
    for subject in statement.subject:
        say(f"  {subject.name} {subject.digest}")
    sys.stdout.write(sign_payload(payload, signer).decode() + "\n")


def _payload(file: Path) -> bytes:
    try:
        text = sys.stdin.buffer.read(ENVELOPE_BYTES_MAX * 2) if str(file) == "-" else file.read_bytes()
        return base64.b64decode(orjson.loads(text)["payload"], validate=True)
    except OSError as error:
        raise BadInput(f"cannot read `{file}`: {error.strerror}", "give an existing file") from error
    except (orjson.JSONDecodeError, binascii.Error, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"`{file}` holds no statement to sign", _REMEDY) from error
