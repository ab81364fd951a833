"""Text artifacts: bytes to lines, or findings that say why not."""

from __future__ import annotations

from phasegate.validators.interface import Artifact, Finding
from phasegate.validators.limits import LIMITS


def read_text(artifact: Artifact, max_bytes: int = LIMITS.max_text_bytes) -> tuple[str, tuple[Finding, ...]]:
    r"""Return the text of an artifact with `\n` line ends, and what is wrong with it.

    Findings: `text.too_large`, `text.not_utf8`, `text.control_character` (NUL).
    """
    content = artifact.content
    if len(content) > max_bytes:
        message = f"the document has {len(content)} bytes, more than the {max_bytes} allowed"
        return "", (Finding("text.too_large", artifact.name, "document", message, "shorten the document"),)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = f"byte {error.start}"
        finding = Finding(
            "text.not_utf8", artifact.name, place, "the document is not utf-8", "save the file as utf-8"
        )
        return "", (finding,)
    if "\0" in text:
        place = f"line {text.count(chr(10), 0, text.index(chr(0))) + 1}"
        message = "the document holds a NUL character"
        finding = Finding("text.control_character", artifact.name, place, message, "hand in a text file")
        return "", (finding,)
    return text.replace("\r\n", "\n").replace("\r", "\n"), ()
