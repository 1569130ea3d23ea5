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
from ecert.store.writing import IMPORT, NewCertificate, Transaction, client_columns

__all__ = [
    "IMPORT",
    "TILE",
    "TILE_LEVELS",
    "ClientRow",
    "CopyRow",
    "DocumentRow",
    "Filter",
    "KeyRow",
    "NewCertificate",
    "Reading",
    "Store",
    "Transaction",
    "Visibility",
    "client_columns",
]
