"""The database: the only import of SQLAlchemy. One file a noun, functions over a Reading or a Transaction."""

from ecert.store.certificates import Filter, NewCertificate, Visibility
from ecert.store.checks import CheckRow
from ecert.store.clients import ClientRow
from ecert.store.connection import Reading, Transaction
from ecert.store.documents import CopyRow, DocumentRow
from ecert.store.dossiers import DossierRow
from ecert.store.grants import DelegationRow, GrantRow, RequestRow
from ecert.store.idempotency import IMPORT
from ecert.store.keys import KeyRow
from ecert.store.objections import ObjectionRow
from ecert.store.receptions import ReceptionRow
from ecert.store.rules import RuleRow
from ecert.store.store import Store
from ecert.store.trees import LOG, TILE, TILE_LEVELS, TRAIL, Tree
from ecert.store.webhooks import WebhookRow

__all__ = [
    "IMPORT",
    "LOG",
    "TILE",
    "TILE_LEVELS",
    "TRAIL",
    "CheckRow",
    "ClientRow",
    "CopyRow",
    "DelegationRow",
    "DocumentRow",
    "DossierRow",
    "Filter",
    "GrantRow",
    "KeyRow",
    "NewCertificate",
    "ObjectionRow",
    "Reading",
    "ReceptionRow",
    "RequestRow",
    "RuleRow",
    "Store",
    "Transaction",
    "Tree",
    "Visibility",
    "WebhookRow",
]
