"""The words a bundle brings along, so that it can be checked without this software."""

from __future__ import annotations

import base64

from phasegate.ledger.checkpoint import Checkpoint
from phasegate.ledger.offline.bundle_format import Manifest

_TEXT = """\
# Evidence bundle of {what}

From ledger `{ledger}`, {entries} entries, head `{head}`.
The checkpoint covers {covered} of them, under the Merkle root `{root}`.

With the software:

    python -m phasegate.ledger verify FILE --key ENGINE.vkey --previous KEPT    # needs cryptography, orjson
    validate_checkpoint FILE --key ENGINE.vkey --policy POLICY.yaml --previous KEPT --repo .

Take `ENGINE.vkey` and `POLICY.yaml` from where the change under review cannot reach, such as the protected
base branch, and `KEPT`, a checkpoint that you kept from an earlier bundle, from where the ledger's keeper
cannot. The keys in `keys/` are those the bundle claims; a forged bundle claims forged ones, and a README of
its own.

By hand, with common tools:

1. `tar -xf FILE && sha256sum -c SHA256SUMS`: the members are those that were packed.
2. The chain: the SHA-256 of each line of `ledger/entries.jsonl`, without its line end, is the `prev` of the
   next; the first has 64 zeros. The hash of the last is the head named above. For entry N:
   `sed -n Np ledger/entries.jsonl | tr -d '\\n' | sha256sum`
3. The checkpoint's signature (Ed25519, over the lines before the empty one, each with its line end):

       sed '/^$/,$d' ledger/checkpoint > body
       grep '^\u2014 {signer} ' ledger/checkpoint | cut -d' ' -f3 | base64 -d | tail -c +5 > signature
       openssl pkeyutl -verify -rawin -pubin -inkey {pem} -in body -sigfile signature

4. The root: SHA-256 of a zero byte and an entry is its leaf, SHA-256 of a one byte and two children a node
   (RFC 6962). This prints the root over the first {covered} entries, to compare with the third line of
   `ledger/checkpoint`, and tells whether every proof in `proofs/` leads there:

       python3 - <<'END'
{script}
       END

5. Evidence: each `evidence.added` entry names a `digest`; `sha256sum objects/DIGEST` is the same.
6. Processes: `sha256sum processes/*.json` is the `process_digest` of `task.opened` entries; states:
   `sha256sum states/*.json` is the `state` of the last entry of each task.
7. Statements: `statements/DIGEST.json` are DSSE envelopes over in-toto statements (Ed25519). Each
   `gate.passed` and `witness.recorded` entry names one, and so does what people signed; whose keys count, and
   for what, stands in the `key.registered` entries.
8. Against an earlier copy: {prior}
   A checkpoint that you kept says how many entries there were: take that number for the {covered} in the
   script of step 4, and compare the root.

A chain that verifies has not been edited within. It does not show entries cut off at its end, or a whole
chain written anew by who holds the key: for that, compare with checkpoints kept elsewhere.
"""
_SCRIPT = """\
import base64, glob, hashlib
def h(data): return hashlib.sha256(data).digest()
def root(leaves):
    if len(leaves) == 1: return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return h(b"\\1" + root(leaves[:k]) + root(leaves[k:]))
lines = open("ledger/entries.jsonl", "rb").read().splitlines()
leaves, size = [h(b"\\0" + line) for line in lines], SIZE
top = root(leaves[:size])
print(base64.b64encode(top).decode())
def path(at, last, node, steps):
    for step in steps:
        if at % 2 or at == last:
            node = h(b"\\1" + step + node)
            while at and not at % 2: at, last = at >> 1, last >> 1
        else:
            node = h(b"\\1" + node + step)
        at, last = at >> 1, last >> 1
    return node
for name in glob.glob("proofs/*"):
    _, index, *steps = open(name).read().partition("\\n\\n")[0].split("\\n")
    at = int(index.split()[1])
    if path(at, size - 1, leaves[at], map(base64.b64decode, steps)) != top:
        print("does not lead there:", name)\
"""
_PRIOR = """the task was opened after entry {entries}, whose hash was
   `{hash}`. Compare that with a bundle or a head that you kept.\
"""


def readme(manifest: Manifest, said: Checkpoint, signer: str, pem: str) -> bytes:
    """The README of a bundle.

    Args:
        manifest: what the bundle is about.
        said: its checkpoint.
        signer: name of the key that signed the checkpoint.
        pem: the member that is this key.
    """
    script = _SCRIPT.replace("SIZE", str(said.size))
    whole = "the ledger is here from its first entry."
    prior = _PRIOR.format(**manifest.prior._asdict()) if manifest.task else whole
    return _TEXT.format(
        what=f"task {manifest.task}" if manifest.task else "a whole ledger",
        ledger=manifest.ledger,
        entries=manifest.head.entries,
        head=manifest.head.hash,
        covered=said.size,
        root=base64.b64encode(said.root).decode(),
        signer=signer,
        pem=pem,
        script="\n".join(f"       {line}" for line in script.splitlines()),
        prior=prior,
    ).encode()
