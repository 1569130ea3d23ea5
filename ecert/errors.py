"""Everything that can go wrong, as one tree. Each class has a stable ``code``; no HTTP lives here.

::

    EcertError                       never raised itself
    ├── InputError                   input_invalid         what was handed in cannot be used
    │   ├── JsonError                json_malformed        not JSON as RFC 8259 and we demand it
    │   ├── TooLarge                 too_large             beyond a bound in size, depth or count
    │   ├── IdentifierError          identifier_invalid    an identifier or code breaks a named rule
    │   ├── DraftError               draft_does_not_fit    a draft breaks its type; all errors at once
    │   ├── TypeFolderError          type_folder_invalid   a type folder is incomplete or wrong
    │   ├── TokenError               token_malformed       not a token we understand
    │   ├── SealError                seal_malformed        not a seal, or no code in the picture
    │   ├── ReceiptError             receipt_malformed     not a receipt
    │   ├── DocumentError            document_malformed    not a PDF that an agency signed
    │   ├── NoteError                note_malformed        not a signed note or checkpoint
    │   ├── MatterError              matter_invalid        a matter breaks its schema or contradicts itself
    │   └── IdempotencyMismatch      idempotency_mismatch  the key was used for another body
    ├── SignatureError               signature_invalid     a signature, proof or chain does not hold
    ├── NotFound                     not_found             absent, or not for this caller to see
    ├── Forbidden                    forbidden             known caller, but not allowed to do this
    │   ├── GrantNotValid            grant_not_valid       no such grant, or ended, or another agency's
    │   ├── ConsentOfAnother         consent_of_another    the grant is of another person or project
    │   ├── FieldNotAllowed          field_not_allowed     neither rule nor grant allows this field
    │   ├── IdTokenRefused           id_token_refused      the holder's ID token is not acceptable
    │   │   └── SignInAgain          sign_in_again         the sign-in is too old for this
    │   ├── UseCodeRefused           use_code_refused      a use code that is wrong, used or too late
    │   ├── AddressNotAllowed        address_not_allowed   the client may not call from this address
    │   └── NotCompetent             not_competent         the agency may not issue this type on that day
    ├── QuotaExceeded                quota_exceeded        the quota of this day is used up
    ├── Refused                      refused               understood, and against a rule
    │   ├── TransitionRefused        transition_refused    the life table does not allow it
    │   ├── NotInForce               not_in_force          it would rest on a permit not in force
    │   ├── NumberTaken              number_taken          another current certificate has the number
    │   ├── CounterFull              counter_full          the number pattern has no room left
    │   ├── TypeNotIssuable          type_not_issuable     draft or deprecated, or its code provisional
    │   ├── TypeChanged              type_changed          a used version's folder was edited
    │   ├── AlreadyExists            already_exists        such an agency, client or key is there
    │   ├── StillRunning             still_running         the same request is being worked on
    │   ├── SettingFixed             setting_fixed         may not change after the first issue
    │   ├── CompetenceOverlaps       competence_overlaps   two periods of one agency and type overlap
    │   ├── Transferred              transferred           another agency acts upon it now
    │   └── IssuedAfter              issued_after          certificates were issued in that time
    ├── RenderError                  cannot_be_drawn       a page cannot be drawn; the character is named
    ├── KeyUnavailable               key_unavailable       no key, or it cannot be opened
    ├── FileError                    file_unusable         a file cannot be read, written or understood
    ├── HomeError                    home_invalid          the registry's home is missing or wrong
    ├── TimeStampUnavailable         time_stamp_unavailable  the time-stamp authority did not answer
    ├── ForkGuard                    log_would_fork        the log is behind what was published
    ├── ReadOnly                     read_only             the database is a copy, or not the home's any more
    ├── RegisterUnsigned             register_unsigned     competences wait for ecert upgrade
    ├── NotPublished                 not_published         no checkpoint covers the entry yet
    └── StoreBusy                    store_busy            the database did not answer in time
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with a body: where (JSON Pointer, RFC 6901), which rule, and why in words."""

    pointer: str
    rule: str
    zh: str
    en: str

    def to_json(self) -> dict[str, Any]:
        """Give the shape of ``errors[]`` in a problem document."""
        message = {"zh": self.zh, "en": self.en}
        return {"pointer": self.pointer, "rule": self.rule, "message": message}


class EcertError(Exception):
    """Base of every error that ecert raises on purpose."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.errors = tuple(errors)


class InputError(EcertError):
    """What was handed in cannot be used."""

    code = "input_invalid"


class JsonError(InputError):
    """The text is not JSON, repeats a key, or holds NaN."""

    code = "json_malformed"


class TooLarge(InputError):
    """The input is beyond a bound in size, depth or count."""

    code = "too_large"


class IdentifierError(InputError):
    """An identifier or code breaks a rule; ``rule`` names it."""

    code = "identifier_invalid"

    def __init__(self, rule: str, zh: str, en: str) -> None:
        super().__init__(en)
        self.rule, self.zh, self.en = rule, zh, en


class DraftError(InputError):
    """A draft does not fit its certificate type; ``errors`` lists everything at once."""

    code = "draft_does_not_fit"


class TypeFolderError(InputError):
    """A certificate type's folder is incomplete or contradicts itself."""

    code = "type_folder_invalid"


class TokenError(InputError):
    """A token is malformed, or of another kind than expected."""

    code = "token_malformed"


class SealError(InputError):
    """The text is no seal, or the picture shows no readable code."""

    code = "seal_malformed"


class ReceiptError(InputError):
    """The text is no receipt."""

    code = "receipt_malformed"


class DocumentError(InputError):
    """The file is not a signed document; ``reason`` is the code that a report gives for it."""

    code = "document_malformed"

    def __init__(self, reason: str) -> None:
        super().__init__(f"not a document that an agency signed ({reason})")
        self.reason = reason


class NoteError(InputError):
    """The text is no signed note or no checkpoint (C2SP)."""

    code = "note_malformed"


class MatterError(InputError):
    """A matter does not fit its schema, or names what does not exist; ``errors`` lists all of it."""

    code = "matter_invalid"


class IdempotencyMismatch(InputError):
    """The Idempotency-Key was used before with another body."""

    code = "idempotency_mismatch"


class SignatureError(EcertError):
    """A signature, a certificate chain or a Merkle proof does not hold."""

    code = "signature_invalid"


class NotFound(EcertError):
    """It is absent, or not for this caller to see; the two look alike."""

    code = "not_found"


class Forbidden(EcertError):
    """The caller is known but lacks the scope."""

    code = "forbidden"


class GrantNotValid(Forbidden):
    """There is no such grant, it has ended, or it was given to another agency; all look alike."""

    code = "grant_not_valid"


class ConsentOfAnother(Forbidden):
    """The grant was given by another holder, or for another matter or case, than is asked about."""

    code = "consent_of_another"


class FieldNotAllowed(Forbidden):
    """Neither the sharing rule nor the grant allows a field that is asked for."""

    code = "field_not_allowed"


class IdTokenRefused(Forbidden):
    """The holder's ID token does not fit: issuer, signature, audience, nonce, time or level."""

    code = "id_token_refused"


class SignInAgain(IdTokenRefused):
    """The holder signed in too long ago for this, or his provider does not say when."""

    code = "sign_in_again"


class UseCodeRefused(Forbidden):
    """The use code is wrong, was used, or came too late."""

    code = "use_code_refused"


class AddressNotAllowed(Forbidden):
    """The client calls from an address that was not registered for it."""

    code = "address_not_allowed"


class NotCompetent(Forbidden):
    """The agency has no competence to issue this type on that day."""

    code = "not_competent"


class QuotaExceeded(EcertError):
    """The quota of this day is used up: of the client, or of the sharing rule."""

    code = "quota_exceeded"


class Refused(EcertError):
    """The request was understood and is against a rule."""

    code = "refused"


class TransitionRefused(Refused):
    """The table of operations does not allow this from the present status."""

    code = "transition_refused"


class NotInForce(Refused):
    """The certificate would rest on one that is not in force."""

    code = "not_in_force"


class NumberTaken(Refused):
    """Another current certificate of this issuer and type carries the number."""

    code = "number_taken"


class CounterFull(Refused):
    """The number pattern has no room left for another serial."""

    code = "counter_full"


class TypeNotIssuable(Refused):
    """The type is a draft, is deprecated, or its code is only provisional."""

    code = "type_not_issuable"


class TypeChanged(Refused):
    """A type version that was already used has been edited; add a version instead."""

    code = "type_changed"


class AlreadyExists(Refused):
    """Such an agency, client or key is registered already."""

    code = "already_exists"


class StillRunning(Refused):
    """The same request is being worked on at this moment."""

    code = "still_running"


class SettingFixed(Refused):
    """This setting may not change once a certificate has been issued."""

    code = "setting_fixed"


class CompetenceOverlaps(Refused):
    """Another period of the same agency and type has a day in common with this one."""

    code = "competence_overlaps"


class Transferred(Refused):
    """What the agency issued was transferred; its successor acts upon it now."""

    code = "transferred"


class IssuedAfter(Refused):
    """Certificates were issued in the time that would be taken back; withdraw them one by one."""

    code = "issued_after"


class RenderError(EcertError):
    """A page cannot be drawn: no font has the character, or the face is wrong."""

    code = "cannot_be_drawn"


class KeyUnavailable(EcertError):
    """There is no such key, or it cannot be opened with what was given."""

    code = "key_unavailable"


class FileError(EcertError):
    """A file that was named cannot be read, written, or understood."""

    code = "file_unusable"


class HomeError(EcertError):
    """The registry's home is missing, incomplete or in the way."""

    code = "home_invalid"


class TimeStampUnavailable(EcertError):
    """The time-stamp authority did not answer; the document waits."""

    code = "time_stamp_unavailable"


class ForkGuard(EcertError):
    """The log is behind or beside what it once published; it must not sign."""

    code = "log_would_fork"


class ReadOnly(EcertError):
    """This database is a copy, was restored, or is no longer the home's: it is read, never written."""

    code = "read_only"


class RegisterUnsigned(EcertError):
    """Competences taken over from an older version wait for the registry's signature."""

    code = "register_unsigned"


class NotPublished(EcertError):
    """No published checkpoint covers this entry yet; ask again shortly."""

    code = "not_published"


class StoreBusy(EcertError):
    """The database did not answer in time; nothing was changed."""

    code = "store_busy"
