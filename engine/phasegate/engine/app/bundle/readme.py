"""The words a bundle brings along, so that it can be checked without this software."""

from __future__ import annotations

from phasegate.engine.app.bundle.content import Manifest

_TEXT = """\
# Evidence bundle of task {task}

From ledger `{ledger}`, {entries} entries, head `{head}`.

With the software:

    validate_checkpoint FILE --key ENGINE.vkey --policy POLICY.yaml --repo .

Take `ENGINE.vkey` and `POLICY.yaml` from where the change under review cannot reach, such as the protected
base branch. The key in `keys/` is the one the bundle claims; a forged bundle claims a forged one.

By hand, with common tools:

1. `tar -xf FILE && sha256sum -c SHA256SUMS`: the members are those that were packed.
2. The chain: the SHA-256 of each line of `ledger/entries.jsonl`, without its line end, is the `prev` of the
   next; the first has 64 zeros. The hash of the last is the head named above. For entry N:
   `sed -n Np ledger/entries.jsonl | tr -d '\\n' | sha256sum`
3. Evidence: each `evidence.added` entry of the task names a `digest`; `sha256sum objects/DIGEST` is the same.
4. The process: `sha256sum processes/*.json` is the `process_digest` of the task's `task.opened` entry.
5. Statements: `statements/DIGEST.json` are DSSE envelopes over in-toto statements (Ed25519). Each
   `gate.passed` and `witness.recorded` entry names one, and so does what people signed; whose keys count, and
   for what, stands in the `key.registered` entries.
6. Against an earlier copy: the task was opened after entry {prior_entries}, whose hash was
   `{prior}`. Compare that with a bundle or a head that you kept.

A chain that verifies has not been edited within. It does not show entries cut off at its end, or a whole
chain written anew by who holds the key: for that, compare heads with copies kept elsewhere.
"""


def readme(manifest: Manifest) -> bytes:
    """The README of a bundle."""
    ledger, prior = manifest.ledger, manifest.prior
    return _TEXT.format(
        task=manifest.task,
        ledger=ledger.id,
        entries=ledger.head.entries,
        head=ledger.head.hash,
        prior=prior.hash,
        prior_entries=prior.entries,
    ).encode()
