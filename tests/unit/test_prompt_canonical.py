"""One prompt has one canonical form, whatever it passed through; what has none is refused with a remedy."""

from __future__ import annotations

import hashlib
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasegate.engine.core.errors import BadInput
from phasegate.engine.prompts.canonical import HEADER_END, PROMPT_BYTES_MAX, canonical_prompt, header_of

NOTHING = hashlib.sha256(b"").hexdigest()
CANONICAL = "caf\u00e9\n\n    indented\n"


@pytest.mark.parametrize(
    "raw",
    [
        CANONICAL,
        "\ufeff" + CANONICAL,
        CANONICAL.replace("\n", "\r\n"),
        CANONICAL.replace("\n", "\r"),
        unicodedata.normalize("NFD", CANONICAL),
        CANONICAL.replace("\n", " \t\u00a0\n"),
        CANONICAL + "\n\n   \n",
        CANONICAL.removesuffix("\n"),
    ],
)
def test_what_editors_and_transports_change_is_the_same_prompt(raw: str) -> None:
    assert canonical_prompt(raw.encode()).text == CANONICAL
    assert canonical_prompt(raw) == canonical_prompt(raw.encode())
    assert canonical_prompt(raw).digest == hashlib.sha256(CANONICAL.encode()).hexdigest()


@pytest.mark.parametrize(
    "raw", ["caf\u00e9\n    indented\n", " caf\u00e9\n\n    indented\n", "CAF\u00c9\n\n    indented\n"]
)
def test_what_can_carry_meaning_is_another_prompt(raw: str) -> None:
    assert canonical_prompt(raw).digest != canonical_prompt(CANONICAL).digest


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "is empty"),
        (b" \n\t\r\n", "is empty"),
        (b"a\xff", "byte 1"),
        (b"\xed\xa0\x80", "byte 0"),
        (b"a\nb\x07", "U+0007 in line 2"),
        (b"a\x00", "U+0000 in line 1"),
        ("a\x85".encode(), "U+0085 in line 1"),
        (b"a" * (PROMPT_BYTES_MAX + 1), "bytes or more"),
        ("a\ud800", "U+D800 in line 1"),
    ],
)
def test_what_has_no_canonical_form_is_refused(raw: bytes | str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        canonical_prompt(raw)
    assert message in caught.value.message
    assert caught.value.remedy


def test_a_prompt_that_grows_past_the_limit_by_normalisation_is_refused() -> None:
    growing = "\ufb2c" * (PROMPT_BYTES_MAX // 3)
    assert len(growing.encode()) <= PROMPT_BYTES_MAX
    with pytest.raises(BadInput):
        canonical_prompt(growing.encode())


@settings(max_examples=200)
@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_the_canonical_form_of_a_canonical_form_is_itself(raw: str) -> None:
    try:
        once = canonical_prompt(raw)
    except BadInput:
        return
    assert canonical_prompt(once.content) == once
    assert once.text.endswith("\n")
    assert not once.text.endswith("\n\n")


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_have_a_form_or_are_refused(raw: bytes) -> None:
    try:
        prompt = canonical_prompt(raw)
    except BadInput:
        return
    assert prompt.digest == hashlib.sha256(prompt.content).hexdigest()


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("no marker\n", ""),
        (f"head\n{HEADER_END}\nbody\n", "head\n"),
        (f"{HEADER_END}\nbody\n", ""),
        (f"head\n {HEADER_END}\nbody\n", ""),
        (f"head {HEADER_END}\nbody\n", ""),
        (f"head\n{HEADER_END}\nbody\n{HEADER_END}\nmore\n", "head\n"),
    ],
)
def test_the_header_is_what_stands_before_the_first_marker_line(text: str, header: str) -> None:
    assert header_of(text) == header
    expected = hashlib.sha256(header.encode()).hexdigest() if header else NOTHING
    assert canonical_prompt(text).header_digest == expected
