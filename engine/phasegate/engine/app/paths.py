"""Paths as an entry can hold them."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

_PLAIN_IN_PATHS = "/ !#$&'()*+,:;=?@[]~"


def encode_path(path: Path) -> str:
    """A path as an entry can hold it: every byte beyond plain ASCII percent-encoded."""
    return quote(os.fsencode(path), safe=_PLAIN_IN_PATHS)


def decode_path(text: str) -> Path:
    """Inverse of `encode_path`."""
    return Path(os.fsdecode(unquote_to_bytes(text)))
