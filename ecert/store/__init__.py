"""The database: the only import of SQLAlchemy."""

from ecert.store.reading import (
    TILE,
    TILE_LEVELS,
    ClientRow,
    CopyRow,
    DocumentRow,
    Filter,
    KeyRow,
    Reading,
    Visibility,
)
from ecert.store.store import Store
from ecert.store.trees import LOG, TRAIL, Tree
from ecert.store.writing import IMPORT, NewCertificate, Transaction, client_columns

__all__ = [
    "IMPORT",
    "LOG",
    "TILE",
    "TILE_LEVELS",
    "TRAIL",
    "ClientRow",
    "CopyRow",
    "DocumentRow",
    "Filter",
    "KeyRow",
    "NewCertificate",
    "Reading",
    "Store",
    "Transaction",
    "Tree",
    "Visibility",
    "client_columns",
]
