"""A time-stamp authority on the loopback: a small server around ``openssl ts``, which may misbehave."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from asn1crypto import tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.conftest import need

REPLY = "application/timestamp-reply"
# what it may do instead of stamping: a misprint, a refusal, an error, silence, a wrong stamp
MISBEHAVIOURS = ["rubbish", "empty", "page", "error", "refused", "stale", "other", "silent"]
CONFIGURATION = """
[tsa]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/root.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


class TimeAuthority:
    """An authority with a root of its own; ``mode`` says what it does with the next request."""

    def __init__(self, folder: Path) -> None:
        self.openssl, self.folder = need("openssl"), folder
        self.anchor = _certify(folder)
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder))
        self.mode, self.asked = "good", 0
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._first: bytes | None = None
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                status, kind, body = authority.answer(self.rfile.read(length))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_words: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_words: Any) -> None:
                """A caller that lost patience is no news."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"

    def answer(self, request: bytes) -> tuple[int, str, bytes]:
        """Answer a request as the mode says."""
        with self._lock:
            self.asked += 1
            if self.mode == "good":
                return 200, REPLY, self.stamp(request)
            if self.mode == "other":
                return 200, REPLY, self.stamp(_of_something_else(request))
        if self.mode == "silent":
            self._closing.wait()
        if self.mode == "stale":
            assert self._first is not None
            return 200, REPLY, self._first
        return {
            "rubbish": (200, REPLY, b"\x30\x03\x02\x01"),
            "empty": (200, REPLY, b""),
            "page": (200, "text/html", b"<html>maintenance</html>"),
            "error": (500, "text/plain", b"out of order"),
            "refused": (200, REPLY, bytes.fromhex("30053003020102")),  # PKIStatus rejection
            "silent": (500, "text/plain", b""),
        }[self.mode]

    def stamp(self, request: bytes) -> bytes:
        """Make a time-stamp response (RFC 3161) with openssl."""
        query, reply = self.folder / "query.tsq", self.folder / "reply.tsr"
        query.write_bytes(request)
        words = ("-config", str(self.folder / "tsa.cnf"), "-section", "tsa", "-out", str(reply))
        command = [self.openssl, "ts", "-reply", "-queryfile", str(query), *words]
        subprocess.run(command, check=True, capture_output=True)
        made = reply.read_bytes()
        self._first = self._first or made
        return made

    def close(self) -> None:
        """Stop answering."""
        self._closing.set()
        self.server.shutdown()
        self.server.server_close()


def _of_something_else(request: bytes) -> bytes:
    """Change what a request wants stamped, and leave its nonce."""
    wish = tsp.TimeStampReq.load(request)
    wish["message_imprint"]["hashed_message"] = bytes(32)
    return bytes(wish.dump(force=True))


@contextmanager
def time_authority(folder: Path) -> Iterator[TimeAuthority]:
    """Run an authority."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = TimeAuthority(folder)
    threading.Thread(target=authority.server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield authority
    finally:
        authority.close()


def nobody() -> str:
    """Give an address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


def ask_for_stamps(home: Path, url: str, *, is_required: bool) -> None:
    """Set a home up for time-stamps, as its operator would."""
    settings = home / "settings.toml"
    kept = [
        line for line in settings.read_text("utf-8").splitlines() if not line.startswith("time_")
    ]
    required = str(is_required).lower()
    lines = [*kept, f'time_stamp_url = "{url}"', f"time_stamp_required = {required}"]
    settings.write_text("\n".join(lines) + "\n", "utf-8")


def _certify(folder: Path) -> bytes:
    """Make the authority's root and its certificate, whose one use is critical (RFC 3161 §2.3)."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    start = datetime.now(UTC) - timedelta(days=400)
    end = start + timedelta(days=4000)

    def name(words: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, words)])

    usage = dict.fromkeys(
        (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
            *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    root_name, own_name = name("Outside time root"), name("Outside time-stamp authority")
    root = (
        x509.CertificateBuilder(root_name, root_name, keys[0].public_key(), 1, start, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**{**usage, "key_cert_sign": True}), critical=True)
        .sign(keys[0], hashes.SHA256())
    )
    own = (
        x509.CertificateBuilder(root_name, own_name, keys[1].public_key(), 2, start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**{**usage, "digital_signature": True}), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .sign(keys[0], hashes.SHA256())
    )
    (folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    (folder / "tsa.pem").write_bytes(own.public_bytes(Encoding.PEM))
    private = keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "tsa.key").write_bytes(private)
    return root.public_bytes(Encoding.DER)
