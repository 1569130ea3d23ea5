"""The database: the only import of SQLAlchemy."""

from ecert.store.clients import ClientRow, WebhookRow
from ecert.store.dossiers import DossierRow, ObjectionRow
from ecert.store.reading import (
    TILE,
    TILE_LEVELS,
    CopyRow,
    DocumentRow,
    Filter,
    KeyRow,
    Reading,
    Visibility,
)
from ecert.store.sharing import DelegationRow, GrantRow, RequestRow, RuleRow
from ecert.store.store import Store
from ecert.store.trees import LOG, TRAIL, Tree
from ecert.store.writing import IMPORT, NewCertificate, Transaction

__all__ = [
    "IMPORT",
    "LOG",
    "TILE",
    "TILE_LEVELS",
    "TRAIL",
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
    "RequestRow",
    "RuleRow",
    "Store",
    "Transaction",
    "Tree",
    "Visibility",
    "WebhookRow",
]
