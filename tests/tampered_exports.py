"""One ledger whose exports are tampered with, the terms that see most, and the problem a verifier names."""

from __future__ import annotations

from pathlib import Path

import orjson
from exported_ledgers import LOG, WITNESSES, datas_of, ledger_of, note_over

from phasegate.ledger.offline.terms import Terms
from phasegate.ledger.offline.verifying import verify_path

SIZE = 600
STORE = ledger_of(SIZE)
DATAS = datas_of(STORE)
NOTE = note_over(DATAS, witnesses=WITNESSES)
KEYS = (LOG.key,)
WITNESS_KEYS = tuple(witness.key for witness in WITNESSES)
FULL = Terms(keys=KEYS, witnesses=WITNESS_KEYS, quorum=3)


def code(path: Path, terms: Terms = Terms()) -> str | None:  # noqa: B008 - immutable
    """The problem's code; whoever reads the report is told of nothing else."""
    report = verify_path(path, terms)
    if report.chain.problem is None:
        assert report.exit_code in {0, 3}
        return None
    assert report.exit_code == 4
    assert report.checked == ()
    assert [doubt.partition(":")[0] for doubt in report.not_ruled_out] == ["truncation", "rewrite", "fork"]
    assert orjson.dumps(report.to_json())
    assert report.lines()
    return report.chain.problem.code
