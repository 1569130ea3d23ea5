"""The registry: ``registry.<noun>.<verb>``, each verb audited, each delegating.

What verbs take and give is named here too, so that whoever calls them imports from one place.
"""

from ecert.formats.id_token import Provider, SignedIn
from ecert.formats.status_list import TTL
from ecert.ids import ROOT
from ecert.issuance import Idempotency, Issued
from ecert.issuance.copies import CopyWish
from ecert.ledger.access import ANYBODY, METRICS, SCOPES, refusal
from ecert.ledger.acting import Charter
from ecert.ledger.log import tile_path
from ecert.ledger.rules import Mode
from ecert.ledger.trail import AuditEntry, DeferredTrail, Trail
from ecert.registry.agency_versions import check_agency
from ecert.registry.certificates import Found, IssueRequest, Query
from ecert.registry.checks import ALL, NIGHTLY, Checked
from ecert.registry.clients import is_allowed_from
from ecert.registry.document_maker import TimeStamping
from ecert.registry.dpop import ProofError
from ecert.registry.registry import Premises, Registry
from ecert.registry.tokens import (
    ASSERTION_TYPE,
    INVALID_CLIENT,
    Caller,
    TokenExpired,
    TokenRefused,
)
from ecert.registry.webhooks import WEBHOOK_URL
from ecert.reuse.application import OwnQuestion
from ecert.reuse.grant import GrantWish, grant_json, request_json
from ecert.reuse.graph import Graph
from ecert.reuse.matter import MAX_MATTER_BYTES
from ecert.reuse.objection import Complaint, objection_json
from ecert.reuse.sharing import new_rule, rule_json
from ecert.reuse.supervision import figures_csv
from ecert.store import TILE, DocumentRow, GrantRow, WebhookRow

__all__ = [
    "ALL",
    "ANYBODY",
    "ASSERTION_TYPE",
    "INVALID_CLIENT",
    "MAX_MATTER_BYTES",
    "METRICS",
    "NIGHTLY",
    "ROOT",
    "SCOPES",
    "TILE",
    "TTL",
    "WEBHOOK_URL",
    "AuditEntry",
    "Caller",
    "Charter",
    "Checked",
    "Complaint",
    "CopyWish",
    "DeferredTrail",
    "DocumentRow",
    "Found",
    "GrantRow",
    "GrantWish",
    "Graph",
    "Idempotency",
    "IssueRequest",
    "Issued",
    "Mode",
    "OwnQuestion",
    "Premises",
    "ProofError",
    "Provider",
    "Query",
    "Registry",
    "SignedIn",
    "TimeStamping",
    "TokenExpired",
    "TokenRefused",
    "Trail",
    "WebhookRow",
    "check_agency",
    "figures_csv",
    "grant_json",
    "is_allowed_from",
    "new_rule",
    "objection_json",
    "refusal",
    "request_json",
    "rule_json",
    "tile_path",
]
