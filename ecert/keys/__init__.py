"""Keys: signers that cannot export, suites, X.509 chains, and the trust file."""

from ecert.keys.chain import (
    Role,
    VerifiedKey,
    certificate_window,
    leaf_thumbprint,
    make_leaf,
    make_request,
    make_root,
    sign_der,
    verify_chain,
)
from ecert.keys.der import split_chain
from ecert.keys.file import FileSigner, destroy_file, make_file, make_signer
from ecert.keys.passphrase import derive, make_secret, open_secret, passphrase_from
from ecert.keys.signer import Signer, SigningKey, open_signer
from ecert.keys.suite import (
    EDDSA,
    ES256,
    SUITES,
    PublicKey,
    parse_jwk,
    public_jwk,
    suite_of,
    thumbprint,
    verify,
)
from ecert.keys.trust import (
    ClosedLog,
    Compromise,
    KeyStanding,
    Snapshot,
    Trust,
    TrustedAgency,
    TrustedLog,
    TrustedRegistry,
)
from ecert.keys.trust_file import parse_trust

__all__ = [
    "EDDSA",
    "ES256",
    "SUITES",
    "ClosedLog",
    "Compromise",
    "FileSigner",
    "KeyStanding",
    "PublicKey",
    "Role",
    "Signer",
    "SigningKey",
    "Snapshot",
    "Trust",
    "TrustedAgency",
    "TrustedLog",
    "TrustedRegistry",
    "VerifiedKey",
    "certificate_window",
    "derive",
    "destroy_file",
    "leaf_thumbprint",
    "make_file",
    "make_leaf",
    "make_request",
    "make_root",
    "make_secret",
    "make_signer",
    "open_secret",
    "open_signer",
    "parse_jwk",
    "parse_trust",
    "passphrase_from",
    "public_jwk",
    "sign_der",
    "split_chain",
    "suite_of",
    "thumbprint",
    "verify",
    "verify_chain",
]
