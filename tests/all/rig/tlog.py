"""A reader of transparency logs written by others (tlog-scales) against the published ledger.

Arguments: address, folder of the certificates, the ledger's public key, the witness's, a checkpoint
from before, the proof of an entry. Prints a line for each step and each forgery it was shown; exits
with 1 at the first that is not as it should be.
"""
import base64
import dataclasses
import sys
from pathlib import Path

import requests
from tlog_scales import tiles
from tlog_scales.reader import TilesReader
from tlog_scales.signing import NoteSignature, Vkey, VkeySet
from tlog_scales.tlog import Checkpoint, ConsistencyProof, InclusionProof

BASE, CERTS, LEDGER, WITNESS, EARLIER, PROOF = sys.argv[1:7]


class Published:
    """The ledger as a department reads it."""

    def __init__(self):
        self.session = requests.Session()
        # What the machine trusts or sends through is not what is tested here.
        self.session.trust_env = False
        self.session.verify = f"{CERTS}/ca.pem"
        name = "civil-affairs-clerk"
        self.session.cert = (f"{CERTS}/{name}.pem", f"{CERTS}/{name}.key")

    def get(self, *path):
        reply = self.session.get(f"{BASE}/v1/ledger/{'/'.join(path)}")
        return reply.content if reply.status_code == 200 else None


class Spoilt(Published):
    """The same with one bit changed of each row of hashes."""

    def get(self, *path):
        found = super().get(*path)
        return flipped(found) if found and path[0] == "tile" else found


def flipped(data):
    return bytes([data[0] ^ 1]) + data[1:]


def refused(what, attempt):
    try:
        held = attempt()
    except Exception as error:
        print(f"refused {what}: {type(error).__name__}")
        return
    sys.exit(f"ACCEPTED {what}: {held}")


def read(text):
    """The parts of a proof, C2SP tlog-proof."""
    head, _, note = text.partition("\n\n")
    _, extra, index, *path = head.split("\n")
    entry = base64.b64decode(extra.removeprefix("extra "))
    hashes = [base64.b64decode(line) for line in path]
    return entry, int(index.removeprefix("index ")), hashes, Checkpoint.from_text(note)


ledger = Vkey.from_string(Path(LEDGER).read_text().strip())
witness = Vkey.from_string(Path(WITNESS).read_text().strip())
log = TilesReader(Published())
now = log.get_checkpoint()
now.verify(ledger)
print(f"checkpoint of {now.size}, {len(now.signatures)} signatures")
by = {vkey.name for vkey, _ in VkeySet(ledger, witness).verify(now.signatures, now)}
if by != {ledger.name, witness.name}:
    sys.exit(f"signed by {by} alone")
print("cosignature")
if log.calculate_root_hash() != now.root_hash:
    sys.exit("the tiles do not lead to the root")
print("tiles")
before = Checkpoint.from_text(Path(EARLIER).read_text())
before.verify(ledger)
growth = log.get_consistency_proof(before.size, now.size)
growth.check(before.root_hash, now.root_hash)
print(f"consistency from {before.size}")
entry, index, path, signed = read(Path(PROOF).read_text())
signed.verify(ledger)
leaf = tiles.leaf_hash(entry)
proof = InclusionProof(index, signed.size, path)
proof.check(leaf, signed.root_hash)
if log.get_inclusion_proof(index, signed.size) != proof:
    sys.exit("the proof is not the one the tiles lead to")
print(f"inclusion of {index}")

# Each forgery is one change of something that held.
changed = dataclasses.replace
root = flipped(now.root_hash)
refused("another root", lambda: changed(now, root_hash=root).verify(ledger))
refused("another size", lambda: changed(now, size=now.size + 1).verify(ledger))
refused("another ledger's name", lambda: changed(now, origin="other.example").verify(ledger))
for vkey in (ledger, witness):
    bad = [changed(one, payload=one.payload[:-1] + flipped(one.payload[-1:]))
           if vkey.match(one) else one for one in now.signatures]
    spoilt = changed(now, signatures=bad)
    refused(f"a signature of {vkey.name}", lambda: spoilt.verify(vkey))
    gone = [one for one in now.signatures if not vkey.match(one)]
    refused(f"none of {vkey.name}", lambda: changed(now, signatures=gone).verify(vkey))
later = [NoteSignature(one.name, one.key_id, flipped(one.payload)) if witness.match(one) else one
         for one in now.signatures]
refused("another time of the witness", lambda: changed(now, signatures=later).verify(witness))
refused("another entry", lambda: proof.check(tiles.leaf_hash(entry[:-1]), signed.root_hash))
refused("another number", lambda: changed(proof, leaf_index=index - 1).check(leaf, signed.root_hash))
for at in range(len(path)):
    wrong = [*path[:at], flipped(path[at]), *path[at + 1:]]
    bad = InclusionProof(index, signed.size, wrong)
    refused(f"another hash {at} of the path", lambda: bad.check(leaf, signed.root_hash))
refused("a shorter path",
        lambda: InclusionProof(index, signed.size, path[:-1]).check(leaf, signed.root_hash))
refused("another history", lambda: growth.check(flipped(before.root_hash), now.root_hash))
for at in range(len(growth.node_hashes)):
    hashes = growth.node_hashes
    wrong = [*hashes[:at], flipped(hashes[at]), *hashes[at + 1:]]
    bad = ConsistencyProof(before.size, now.size, wrong)
    refused(f"another hash {at} of the growth",
            lambda: bad.check(before.root_hash, now.root_hash))
other = TilesReader(Spoilt())
other.get_checkpoint()
if other.calculate_root_hash() == now.root_hash:
    sys.exit("ACCEPTED other tiles")
print("refused other tiles")
