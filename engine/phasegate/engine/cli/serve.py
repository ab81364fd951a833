"""The command that serves the HTTP API."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from phasegate.engine.cli.output import say
from phasegate.engine.cli.session import session
from phasegate.engine.core.errors import BadInput
from phasegate.policies.loader import load_process


class Listen(NamedTuple):
    """Where to listen; see `web.serving.Place`."""

    host: str
    port: int
    uds: Path | None
    certificate: Path | None
    key: Path | None
    insecure: bool


class Offer(NamedTuple):
    """What is offered."""

    separated: bool
    witness: bool
    processes: tuple[Path, ...]
    repositories: tuple[Path, ...]


class Limits(NamedTuple):
    """What a caller may use up."""

    rate: float
    burst: int
    body_bytes_max: int
    timeout_s: float


def serve(home: Path | None, listen: Listen, offer: Offer, limits: Limits) -> None:
    """Serve until a signal says to stop."""
    try:
        from phasegate.engine.web.serving import Place
        from phasegate.engine.web.serving import serve as serve_
        from phasegate.engine.web.settings import Settings
        from phasegate.engine.web.trust import trust_of
    except ModuleNotFoundError as error:
        if error.name not in {"fastapi", "uvicorn", "starlette", "anyio"}:
            raise
        raise BadInput(
            "serving HTTP needs the extra `web`", "install it: `pip install 'phasegate[web]'`"
        ) from None

    place = Place(*listen)
    place.demand_safe()
    offered = [load_process(str(file)) for file in offer.processes]
    with session(home) as engine:
        trust, reasons = trust_of(engine.home, separated=offer.separated, witness=offer.witness)
        settings = Settings(
            trust=trust,
            trust_reasons=reasons,
            processes={process.process: process for process in offered},
            repositories=tuple(folder.resolve() for folder in offer.repositories),
            witness=offer.witness,
            secure=place.certificate is not None,
            **limits._asdict(),
        )

        def tell(where: str) -> None:
            say(f"serving {engine.store.ledger} at {where}")
            say(f"trust: {trust}" + "".join(f"\n  {reason}" for reason in reasons))

        serve_(engine, settings, place, tell)
