"""A department's session with a registry: tokens, proofs of its key, retries, refusals."""

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from ecert._encoding import b64url, sha256, to_json, utc_now
from ecert.formats._jws import CLIENT_ASSERTION, DPOP_PROOF, sign_jws
from ecert.keys import Signer, public_jwk

TIMEOUT_SECONDS = 5.0
CALL_SECONDS = 30.0
WAIT_SECONDS = 25
ATTEMPTS = 5
MAX_WAIT_SECONDS = 10.0
_EARLY_SECONDS = 30  # a token is renewed this long before it ends
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_AGAIN = frozenset({502, 503, 504})


class Problem(Exception):
    """The registry refused a call: ``code`` is stable, ``detail`` is for people."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(body.get("code", "unknown"))
        self.detail = str(body.get("detail", ""))
        self.errors = body.get("errors", [])
        super().__init__(f"{status} {self.code}: {self.detail}")


class Session:
    """Calls a registry as one client; not for several threads."""

    def __init__(
        self,
        base: str,
        client_id: str,
        signer: Signer,
        *,
        dpop: Signer | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.base, self.client_id = base, client_id
        self._signer, self._dpop = signer, dpop
        self._http = httpx.Client(
            base_url=base, timeout=CALL_SECONDS, trust_env=False, transport=transport
        )
        self._token = ""
        self._token_ends = 0.0

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def json(self, method: str, address: str, **members: Any) -> dict[str, Any]:
        """Call, and give the answer's JSON. Raises: Problem."""
        found: dict[str, Any] = self.call(method, address, **members).json()
        return found

    def call(
        self, method: str, address: str, *, once: bool = False, **members: Any
    ) -> httpx.Response:
        """Call until there is an answer; what may not be done twice is sent once. Raises: Problem.

        A 401 did nothing, so even then a fresh token is tried.
        """
        headers = dict(members.pop("headers", {}))

        def send() -> httpx.Response:
            authorised = {**headers, **self._authorised(method, address)}
            return self._http.request(method, address, headers=authorised, **members)

        answer = self._patiently(send, attempts=1 if once else ATTEMPTS)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._token_ends = 0.0  # a token key may have been rotated
            answer = self._patiently(send, attempts=1 if once else ATTEMPTS)
        return _checked(answer)

    @staticmethod
    def _patiently(send: Callable[[], httpx.Response], *, attempts: int) -> httpx.Response:
        """Send again what got no answer, or one that says: later."""
        for attempt in range(attempts):
            is_last = attempt == attempts - 1
            try:
                answer = send()
            except httpx.TransportError:
                if is_last:
                    raise
                time.sleep(0.2 * 2**attempt)
                continue
            if answer.status_code not in _AGAIN or is_last:
                return answer
            time.sleep(_wait_of(answer))
        raise AssertionError("there is at least one attempt")

    def _authorised(self, method: str, address: str) -> dict[str, str]:
        token = self._fresh_token()
        if self._dpop is None:
            return {"Authorization": f"Bearer {token}"}
        proof = self._proof(method, address, token)
        return {"Authorization": f"DPoP {token}", "DPoP": proof}

    def _fresh_token(self) -> str:
        if time.monotonic() >= self._token_ends:
            answer = _checked(self._patiently(self._ask_token, attempts=ATTEMPTS)).json()
            self._token = str(answer["access_token"])
            self._token_ends = time.monotonic() + answer["expires_in"] - _EARLY_SECONDS
        return self._token

    def _ask_token(self) -> httpx.Response:
        """Ask for a token; assertion and proof are fresh each time, for they serve once."""
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._assertion(),
        }
        proof = {} if self._dpop is None else {"DPoP": self._proof("POST", "/oauth/token")}
        return self._http.post("/oauth/token", data=form, headers=proof)

    def _assertion(self) -> str:
        now = int(utc_now().timestamp())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.base,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
        }
        return sign_jws(to_json(claims), self._signer, typ=CLIENT_ASSERTION)

    def _proof(self, method: str, address: str, token: str | None = None) -> str:
        assert self._dpop is not None  # noqa: S101 - asked for only where there is a key
        claims: dict[str, Any] = {
            "htm": method,
            "htu": self.base + address.partition("?")[0],
            "iat": int(utc_now().timestamp()),
            "jti": secrets.token_urlsafe(16),
        }
        if token is not None:
            claims["ath"] = b64url(sha256(token.encode()))
        key = public_jwk(self._dpop.public_key)
        return sign_jws(to_json(claims), self._dpop, typ=DPOP_PROOF, jwk=key)


def _wait_of(answer: httpx.Response) -> float:
    """Say how long to wait, in seconds; a date or nonsense in Retry-After counts as one second."""
    wanted = answer.headers.get("Retry-After", "1")
    return min(float(wanted), MAX_WAIT_SECONDS) if wanted.isdigit() else 1.0


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        body = answer.json()
    except ValueError:
        body = {}
    raise Problem(answer.status_code, body if isinstance(body, dict) else {})
