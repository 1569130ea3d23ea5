"""Make worked.json once: a credential and a statement, each with its receipt, from a real registry.

Run from the root of the repository: ``python -m tests.vectors.receipt.make_worked``. Every run
makes other keys and salts; what is in worked.json is checked by tests/unit/test_receipt.py with
hashlib and cryptography alone.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519

from ecert.config import Plan
from ecert.keys import Role, public_jwk
from ecert.model import Agency, Basis, Operation
from ecert.testing import OPERATOR, temporary_registry

ORIGIN = (
    "made for this project by tests/vectors/receipt/make_worked.py with ecert 0.1.0: a trial registry, the "
    "eight shipped examples, one withdrawal; c2sp.org/tlog-proof@v1 with the extra line of design.md §6. "
    "People and companies are fictional. The witness's seed is the published one of "
    "tests/vectors/log/checkpoint.json; no other private key was kept"
)
AGENCY = Agency("11440114MA00000928", "花都区规划和自然资源局（演示）", "440114")
WITNESS = "witness.example.org/w1"
SEED = bytes(range(0x20, 0x40))
TIME = 1772415060


def cosign(receipt: str) -> str:
    """Add a witness's cosignature, as a witness would answer it (tlog-cosignature v1)."""
    head, _, note = receipt.partition("\n\n")
    key = ed25519.Ed25519PrivateKey.from_private_bytes(SEED)
    text = note[: note.rindex("\n\n") + 1]
    stamp = TIME.to_bytes(8, "big")
    signature = key.sign(f"cosignature/v1\ntime {TIME}\n{text}".encode())
    key_id = bytes.fromhex("f3c080b6")
    blob = base64.b64encode(key_id + stamp + signature).decode()
    return f"{head}\n\n{note}\u2014 {WITNESS} {blob}\n"


def make() -> dict[str, Any]:
    """Issue, withdraw, publish, and take the two receipts."""
    with temporary_registry(Plan("http://127.0.0.1:8000", AGENCY, trial=True)) as registry:
        records = {}
        for kind in registry.catalogue:
            records[kind.slug] = registry.certificates.issue(
                kind.slug, dict(kind.example), by=OPERATOR
            ).record
        chosen = records["construction-works-planning-permit"]
        basis = Basis("申请材料虚假", "穗规划资源撤〔2026〕1号（演示）", "赵六")
        registry.certificates.operate(chosen.id, Operation.WITHDRAW, basis=basis, by=OPERATOR)
        registry.log.publish()
        event = registry.certificates.history(chosen.id, by=OPERATOR)[-1]
        key = registry.keys.ring.signing_key(Role.AGENCY, AGENCY.code).signer.public_key
        signed = {
            "credential": (chosen.log_index, chosen.credential.partition("~")[0]),
            "statement": (event.log_index, event.token),
        }
        return {
            "origin": ORIGIN,
            "log_vkey": registry.trusted().logs[0].vkey,
            "witness_vkey": "witness.example.org/w1+f3c080b6+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X",
            "agency_jwk": public_jwk(key),
            "issuer": AGENCY.code,
            "type": chosen.slug,
            "credential_digest": base64.urlsafe_b64encode(chosen.digest).rstrip(b"=").decode(),
            "cases": [
                {
                    "name": name,
                    "signed": token,
                    "index": index,
                    "receipt": cosign(str(registry.log.receipt(index))),
                }
                for name, (index, token) in signed.items()
            ],
        }


if __name__ == "__main__":
    text = json.dumps(make(), ensure_ascii=False, indent=1)
    Path(__file__).with_name("worked.json").write_text(text + "\n", "utf-8")
