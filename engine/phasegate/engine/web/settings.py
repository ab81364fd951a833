"""What a server may be told about its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from phasegate.engine.app.results import TRUST_EMBEDDED
from phasegate.policies.model import Process


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits of a server, and what it offers.

    Attributes:
        trust: what it may promise; see `serving.trust`.
        trust_reasons: why not more.
        rate: requests a second of one token; 0 for no limit.
        burst: requests of one token at once.
        body_bytes_max: size of a request's body.
        timeout_s: seconds a request may take; what it does goes on, and its answer is kept under its key.
        witness_timeout_s: the same for a witnessed command.
        threads: engine calls at once.
        streams_max: event streams of one token at once.
        poll_s: seconds between two looks at the ledger for event streams.
        heartbeat_s: seconds between two signs of life on an event stream.
        settle_s: seconds between two rounds of due checkpoints and telemetry.
        processes: processes under which tasks may be opened, by name, beside the shipped ones.
        repositories: folders below which tasks may name a repository.
        witness: whether commands may be witnessed; they run as the server's user.
        secure: whether clients come by TLS.
    """

    trust: str = TRUST_EMBEDDED
    trust_reasons: tuple[str, ...] = ()
    rate: float = 50.0
    burst: int = 100
    body_bytes_max: int = 8 * 1024 * 1024
    timeout_s: float = 30.0
    witness_timeout_s: float = 3600.0
    threads: int = 16
    streams_max: int = 8
    poll_s: float = 0.2
    heartbeat_s: float = 15.0
    settle_s: float = 5.0
    processes: Mapping[str, Process] = field(default_factory=dict)
    repositories: tuple[Path, ...] = ()
    witness: bool = False
    secure: bool = False
