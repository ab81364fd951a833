"""The terms an export is verified by: what cannot be checked is no success, what cannot be is wrong usage."""

import pytest
from exported_ledgers import LOG, WITNESSES, Signer, forged_tiles, jsonl_file
from tampered_exports import DATAS, KEYS, NOTE, WITNESS_KEYS

from phasegate.ledger.__main__ import main
from phasegate.ledger.note_keys import Algorithm
from phasegate.ledger.offline.terms import Terms
from phasegate.ledger.offline.verifying import verify_path

pytestmark = pytest.mark.attack


def test_one_witness_under_two_names_is_refused_before_it_is_counted(capsys):
    twin = Signer("twin.example", 10, Algorithm.COSIGNATURE)
    own = Signer("own.example", 1, Algorithm.COSIGNATURE)
    for one, other in ((WITNESSES[0], twin), (WITNESSES[0], WITNESSES[0])):
        arguments = ["--witness", one.public_vkey, "--witness", other.public_vkey]
        assert main(["verify", "nowhere", *arguments]) == 2
        assert "named twice" in capsys.readouterr().err
    assert main(["verify", "nowhere", "--key", LOG.public_vkey, "--witness", own.public_vkey]) == 2
    assert "another party" in capsys.readouterr().err


def test_what_is_demanded_and_cannot_be_checked_is_not_a_success(tmp_path):
    bare = forged_tiles(tmp_path / "tiles", DATAS)
    lines = jsonl_file(tmp_path / "l", DATAS)
    for path in (bare, lines):
        for terms in (Terms(keys=KEYS), Terms(witnesses=WITNESS_KEYS, quorum=2)):
            report = verify_path(path, terms)
            assert (report.exit_code, report.ok, len(report.not_evaluated)) == (3, False, 1)
    # An older checkpoint does not stand in for the one that was taken out of the folder.
    assert verify_path(bare, Terms(keys=KEYS, previous=(NOTE,))).exit_code == 3
    assert verify_path(lines, Terms(keys=KEYS, previous=(NOTE,))).exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere"],
        ["/dev/null"],
        [".", "--key", "no such file"],
        [".", "--key", "a+b+c"],
        [".", "--key", "PRIVATE+KEY+x+00000000+AAAA"],
        [".", "--key", WITNESSES[0].public_vkey],
        [".", "--witness", LOG.public_vkey],
        [".", "--quorum", "1"],
        [".", "--witness", WITNESSES[0].public_vkey, "--quorum", "2"],
        [".", "--witness", WITNESSES[0].public_vkey, "--quorum", "0"],
        [".", "--previous", "no such file"],
        [".", "--checkpoint", "/"],
    ],
)
def test_terms_that_cannot_be_are_wrong_usage(arguments, capsys):
    assert main(["verify", *arguments]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert "PRIVATE+KEY" not in said.err.replace(" ".join(arguments), "")
    assert said.out == ""
