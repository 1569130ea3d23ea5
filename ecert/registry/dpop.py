"""Proofs of possession (DPoP, RFC 9449): each call shows that its sender has the token's key."""

from __future__ import annotations

from ecert._encoding import Clock, b64url, sha256
from ecert.errors import EcertError
from ecert.formats._jws import DPOP_PROOF, parse_compact, verify_jws
from ecert.keys import parse_jwk, thumbprint
from ecert.store import Store, assertions

PROOF_SECONDS = 60
MAX_PROOF_CHARACTERS = 8192


class ProofError(Exception):
    """A DPoP proof that is not acceptable (RFC 9449 §4.3)."""

    def __init__(self, message: str, code: str = "invalid_dpop_proof") -> None:
        super().__init__(message)
        self.code = code


class Proofs:
    """Checks proofs, each of which serves once, on any node."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def check(self, proof: str, method: str, address: str, token: str | None = None) -> str:
        """Check a proof for one call (RFC 9449 §4.3), once; give its key's thumbprint.

        ``address`` is the called one without query; with ``token`` the proof must name it.
        Raises: ProofError.
        """
        try:
            jws = parse_compact(proof[:MAX_PROOF_CHARACTERS], typ=DPOP_PROOF)
            key = parse_jwk(jws.header.jwk)
            verify_jws(jws, key)
            claims = jws.unverified_claims()
        except EcertError as error:
            message = "the DPoP proof is malformed, or its signature does not hold"
            raise ProofError(message) from error
        now, at, jti = int(self._clock().timestamp()), claims.get("iat"), claims.get("jti")
        if claims.get("htm") != method or claims.get("htu") != address:
            raise ProofError("the DPoP proof is for another call")
        if type(at) is not int or abs(now - at) > PROOF_SECONDS:
            raise ProofError("the DPoP proof is not of this moment")
        if not isinstance(jti, str) or not 8 <= len(jti) <= 256:
            raise ProofError("the DPoP proof's jti has 8 to 256 characters")
        if token is not None and claims.get("ath") != b64url(sha256(token.encode())):
            raise ProofError("the DPoP proof is for another token")
        jkt = thumbprint(key)
        if not self.use_once(f"dpop {jkt}", jti, at + 2 * PROOF_SECONDS):
            raise ProofError("this DPoP proof was used before", "dpop_proof_replayed")
        return jkt

    def use_once(self, client: str, jti: str, expires_at: int) -> bool:
        """Use an identifier of an assertion or proof once; False when it was used before, anywhere."""
        now, digest = int(self._clock().timestamp()), sha256(jti.encode())
        return self._store.write(lambda tx: assertions.use(tx, client, digest, expires_at, now))
