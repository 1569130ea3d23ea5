"""The nouns of the registry as frozen values: holder, agency, draft, certificate, status, actor."""

from ecert.model.act import Actor, Basis, Event
from ecert.model.agency import Agency, AgencyVersion, version_of
from ecert.model.application import Application, FieldsAsked
from ecert.model.calendar import DEFAULT_ZONE, Validity, check_time_zone, civil_date, end_of_day
from ecert.model.certificate import (
    CREDIT_CODE,
    HOLDER_CODE_TYPES,
    ORGANISATION_CODE_TYPES,
    RESIDENT_NUMBER,
    Attachment,
    Certificate,
    Draft,
    Holder,
    Record,
    TypeRef,
    certificate_json,
)
from ecert.model.competence import PAPER, Competence
from ecert.model.foundation import (
    FALLEN,
    FALLEN_WORDS,
    FOUNDATION_FALLEN,
    FallenFoundation,
    gravest_first,
)
from ecert.model.status import (
    ENDED,
    SUCCESSIONS,
    TRANSITIONS,
    Operation,
    Status,
    check_transition,
    effective_status,
)
from ecert.model.text import LINE, is_line, mask_name

__all__ = [
    "CREDIT_CODE",
    "DEFAULT_ZONE",
    "ENDED",
    "FALLEN",
    "FALLEN_WORDS",
    "FOUNDATION_FALLEN",
    "HOLDER_CODE_TYPES",
    "LINE",
    "ORGANISATION_CODE_TYPES",
    "PAPER",
    "RESIDENT_NUMBER",
    "SUCCESSIONS",
    "TRANSITIONS",
    "Actor",
    "Agency",
    "AgencyVersion",
    "Application",
    "Attachment",
    "Basis",
    "Certificate",
    "Competence",
    "Draft",
    "Event",
    "FallenFoundation",
    "FieldsAsked",
    "Holder",
    "Operation",
    "Record",
    "Status",
    "TypeRef",
    "Validity",
    "certificate_json",
    "check_time_zone",
    "check_transition",
    "civil_date",
    "effective_status",
    "end_of_day",
    "gravest_first",
    "is_line",
    "mask_name",
    "version_of",
]
