"""Signed notes, checkpoints and cosignatures: read strictly, written as C2SP defines them."""

import base64
from hashlib import sha256

import pytest

from phasegate.ledger.checkpoint import Checkpoint, cosigned_text, parse_checkpoint
from phasegate.ledger.errors import NoteError
from phasegate.ledger.notes import Note, Signature, parse_note

# The example of the signed-note specification (https://c2sp.org/signed-note), whole.
EXAMPLE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ROOT = sha256(b"").digest()
BODY = f"example.com/log\n20852163\n{base64.b64encode(ROOT).decode()}\n"


def test_given_the_specifications_example_then_it_is_read_and_written_byte_for_byte():
    note = parse_note(EXAMPLE.encode())
    assert note.text.splitlines()[1] == "then you don't know what your problem is."
    assert [signature.name for signature in note.signatures] == ["PeterNeumann"]
    assert note.signatures[0].key_hash.hex() == "c74f20a3"
    assert len(note.signatures[0].data) == 64
    assert note.encoded() == EXAMPLE


@pytest.mark.parametrize(
    "spoiled",
    [
        "",
        "text\n",
        "text\n\n",
        "\n\n\u2014 name AAAAAAA=\n",
        EXAMPLE[:-1],
        EXAMPLE.replace("\u2014", "-"),
        EXAMPLE.replace("PeterNeumann", "Peter+Neumann"),
        EXAMPLE.replace("PeterNeumann", ""),
        EXAMPLE.replace("PeterNeumann ", "PeterNeumann  "),
        EXAMPLE.replace("x08go/", "x08go_"),
        EXAMPLE.replace("JnAM=", "JnAN="),
        EXAMPLE.replace("JnAM=", "JnAM"),
        EXAMPLE.replace("then", "then\t"),
        EXAMPLE.replace("then", "then\r"),
        EXAMPLE.replace("then", "then\x00"),
        EXAMPLE + "\u2014 short AAAA\n",
        EXAMPLE + "trailing\n",
        EXAMPLE + "\n",
        "text\n\n" + "\u2014 n AAAAAAA=\n" * 101,
    ],
)
def test_given_anything_but_a_note_then_it_is_refused(spoiled):
    with pytest.raises(NoteError):
        parse_note(spoiled.encode())


def test_given_bytes_that_are_not_utf_8_or_without_end_then_they_are_refused():
    for data in (EXAMPLE.encode().replace(b"then", b"\xff\xfe"), b"a" * 1_000_001):
        with pytest.raises(NoteError):
            parse_note(data)


def test_given_more_signatures_then_the_text_stays_and_none_is_doubled():
    note = parse_note(EXAMPLE.encode())
    more = Signature("witness.example/w", b"\x01\x02\x03\x04", b"x" * 72)
    twice = note.signed([more]).signed([more, *note.signatures])
    assert twice == Note(note.text, (*note.signatures, more))
    assert parse_note(twice.encoded().encode()) == twice


@pytest.mark.parametrize("extensions", [(), ("one", "two words")])
def test_given_a_checkpoint_then_it_is_read_as_it_was_written(extensions):
    checkpoint = Checkpoint("example.com/log", 20852163, ROOT, extensions)
    assert checkpoint.text() == BODY + "".join(f"{line}\n" for line in extensions)
    assert parse_checkpoint(checkpoint.text()) == checkpoint


@pytest.mark.parametrize(
    "spoiled",
    [
        "example.com/log\n20852163\n",
        BODY.replace("20852163", "020852163"),
        BODY.replace("20852163", "-1"),
        BODY.replace("20852163", "+1"),
        BODY.replace("20852163", "\u0661"),
        BODY.replace("20852163", "9" * 17),
        BODY.replace("20852163", ""),
        BODY.replace("=", ""),
        BODY.replace("FU=", "FV="),
        BODY.replace("\n4", "\nA4"),
        BODY.replace("example.com/log", ""),
        BODY + "\nlater\n",
        BODY[:-1],
    ],
)
def test_given_anything_but_a_checkpoint_then_it_is_refused(spoiled):
    with pytest.raises(NoteError):
        parse_checkpoint(spoiled)


def test_given_a_cosignature_then_time_and_body_are_signed_together():
    assert cosigned_text(BODY, 1679315147) == b"cosignature/v1\ntime 1679315147\n" + BODY.encode()
