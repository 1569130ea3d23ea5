"""What a verification found: seven steps, each with a reason, and one verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ecert._encoding import instant, rfc3339
from ecert.model import FALLEN_WORDS


class Outcome(StrEnum):
    """How a step ended; what could not be checked is never called failed or passed."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not_checked"


class Verdict(StrEnum):
    """The one answer."""

    VALID = "valid"
    INVALID = "invalid"
    UNDETERMINED = "undetermined"


STEPS = ("read", "signature", "type", "time", "log", "status", "agreement")
_DECISIVE = frozenset({"read", "signature", "type", "time", "status"})

# code -> (outcome, Chinese, English). Every reason that a report can give stands here once.
REASONS: dict[str, tuple[Outcome, str, str]] = {
    "read_credential": (Outcome.PASSED, "已读取电子凭证", "a credential was read"),
    "read_seal": (Outcome.PASSED, "已读取签章码", "a seal was read"),
    "read_receipt": (Outcome.PASSED, "已读取存证回执", "a receipt was read"),
    "read_evidence": (Outcome.PASSED, "已读取证据包", "an evidence bundle was read"),
    "unreadable": (Outcome.FAILED, "不是证照、签章码或证据包，或已损坏", "not a credential, seal or evidence bundle, or damaged"),
    "no_code": (Outcome.NOT_CHECKED, "图片中没有可识别的二维码", "no code could be read in the picture"),
    "several_seals": (Outcome.NOT_CHECKED, "图片中有几个不同的签章码，无法判定核验哪一个", "the picture shows several different seals, so none of them can be the answer"),
    "read_document": (Outcome.PASSED, "已读取证照文件", "a document was read"),
    "document_encrypted": (Outcome.FAILED, "文件已加密，不是签发时的文件", "the file is encrypted, so it is not the one that was issued"),
    "document_truncated": (Outcome.FAILED, "文件不完整", "the file is cut short"),
    "document_rewritten": (Outcome.FAILED, "文件被其他程序另存或合并过，不是签发时的原文件", "another program saved the file again or merged it: it is not the file that was issued"),
    "document_unsigned": (Outcome.FAILED, "PDF没有签发机构的电子签名；打印件请扫描二维码", "the PDF carries no signature of an agency; of a print-out, scan the code"),
    "document_parts": (Outcome.FAILED, "文件内没有完整的证照记录", "the record inside the file is missing or damaged"),
    "seal_host_mismatch": (Outcome.FAILED, "二维码网址与签发登记机构不符", "the code's address is not that of the registry inside it"),
    "not_reached": (Outcome.NOT_CHECKED, "前一步未通过，未核验", "not checked, because an earlier step did not pass"),
    "signature_good": (Outcome.PASSED, "签名有效，签发机构可信", "the signature holds and the agency is trusted"),
    "signature_bad": (Outcome.FAILED, "签名无效或签发机构身份不符", "the signature does not hold, or the signer is not this agency"),
    "agency_unknown": (Outcome.FAILED, "信任文件中该登记机构没有此签发机构", "the trust file lists no such agency for this registry"),
    "document_signature_bad": (Outcome.FAILED, "文件的电子签名无效：内容被改动，或签名者不是该机构", "the file's signature does not hold: it was changed, or the signer is not this agency"),
    "document_updated": (Outcome.FAILED, "文件在签名之后被改动", "the file was changed after it was signed"),
    "document_signer": (Outcome.FAILED, "文件的签名机构不是证照的签发机构", "the file was signed by another agency than the one that issued the certificate"),
    "signer_unknown": (Outcome.NOT_CHECKED, "信任文件中没有该文件的签名机构", "the agency that signed the file is not in the trust file"),
    "copy_bad": (Outcome.FAILED, "加注件记录无效，或属于另一证照", "the copy's record does not hold, or belongs to another certificate"),
    "registry_unknown": (Outcome.NOT_CHECKED, "信任文件中没有该登记机构", "the registry is not in the trust file"),
    "no_certificates": (Outcome.NOT_CHECKED, "信任文件中没有该机构的签名证书", "the trust file lists no signing certificate of this agency"),
    "key_retired": (Outcome.FAILED, "签名密钥在签发前已停用", "the key was retired before this was signed"),
    "key_compromised": (Outcome.NOT_CHECKED, "签名密钥已泄露，无法证明签发在泄露之前", "the key is compromised, and nothing proves that this was signed before"),
    "key_compromised_after": (Outcome.FAILED, "签名密钥在入链前已泄露", "the key was compromised before this entered the log"),
    "signed_later": (Outcome.NOT_CHECKED, "签发时间晚于核验方的时钟", "it was signed later than the verifier's clock shows"),
    "no_signature": (Outcome.NOT_CHECKED, "回执本身没有签发机构签名", "a receipt alone carries no agency's signature"),
    "type_good": (Outcome.PASSED, "证照类型已知，内容符合类型", "the type is known and the fields fit it"),
    "type_bad": (Outcome.FAILED, "内容与证照类型不符", "the contents do not fit the type"),
    "identifier_bad": (Outcome.FAILED, "证照标识与内容不符", "the identifier does not fit the contents"),
    "not_competent": (Outcome.FAILED, "签发机构在签发时无权签发此类证照", "the agency had no right to issue this type when it signed"),
    "issuer_name": (Outcome.FAILED, "证照上的机构名称不是该机构签发时的名称", "the issuer's name is not the one that the agency had when it signed"),
    "trust_too_old": (Outcome.NOT_CHECKED, "信任文件早于签发时间，无法判定当时的名录", "the trust file is older than the signature, and does not know the register of that day"),
    "competence_unproven": (Outcome.NOT_CHECKED, "签发机构的职权已终止，无法证明签发在终止之前", "the agency's right has ended, and nothing proves that this was signed before"),
    "type_unknown": (Outcome.NOT_CHECKED, "核验方没有该证照类型", "the verifier does not have this type"),
    "type_differs": (Outcome.NOT_CHECKED, "核验方的类型定义与签发时不同", "the verifier's copy of the type differs from the one issued under"),
    "time_good": (Outcome.PASSED, "在有效期内", "within its validity"),
    "not_yet_valid": (Outcome.FAILED, "尚未生效", "not valid yet"),
    "expired": (Outcome.FAILED, "已过有效期", "the validity has ended"),
    "copy_lapsed": (Outcome.FAILED, "加注件已过期失效", "the annotated copy has lapsed"),
    "dates_disagree": (Outcome.FAILED, "有效期的两种写法不一致", "the two spellings of the validity disagree"),
    "no_time": (Outcome.NOT_CHECKED, "回执没有有效期", "a receipt has no validity"),
    "log_good": (Outcome.PASSED, "已证明记入登记日志", "proved to be in the registry's log"),
    "log_bad": (Outcome.FAILED, "存证回执与证照或日志不符", "the receipt does not fit the certificate or the log"),
    "no_receipt": (Outcome.NOT_CHECKED, "未附存证回执", "no receipt was shown"),
    "log_unknown": (Outcome.NOT_CHECKED, "信任文件中没有该日志", "the log is not in the trust file"),
    "unknown_here": (Outcome.FAILED, "本站没有签发过此证：密钥可能被盗用", "this registry never issued it: a key may have been stolen"),
    "not_looked_up": (Outcome.NOT_CHECKED, "本站的数据不完整，未能查询是否签发", "this registry's data may be incomplete, so it was not looked up"),
    "status_good": (Outcome.PASSED, "状态有效", "in force"),
    "status_suspended": (Outcome.FAILED, "已暂扣", "suspended"),
    "status_superseded": (Outcome.FAILED, "已被新版本取代", "superseded by a newer version"),
    "status_cancelled": (Outcome.FAILED, "已注销", "cancelled"),
    "status_withdrawn": (Outcome.FAILED, "已撤销", "withdrawn"),
    "status_revoked": (Outcome.FAILED, "已吊销", "revoked"),
    "status_ended": (Outcome.FAILED, "已终止", "ended"),
    "status_index": (Outcome.FAILED, "状态序号不在状态列表内", "the status index lies outside its list"),
    "offline": (Outcome.NOT_CHECKED, "离线核验，未取得状态", "verified offline, without a status list"),
    "status_unreachable": (Outcome.NOT_CHECKED, "无法取得状态列表", "the status list could not be fetched"),
    "status_unusable": (Outcome.NOT_CHECKED, "取得的状态列表不可信", "the status list that was fetched cannot be trusted"),
    "status_stale": (Outcome.NOT_CHECKED, "状态列表已过期", "the status list is too old"),
    "status_history": (Outcome.NOT_CHECKED, "当前状态不能证明过去某日的状态", "today's status does not prove that of a past date"),
    "status_future": (Outcome.NOT_CHECKED, "当前状态不能证明将来某日的状态", "today's status does not prove that of a future date"),
    "no_status": (Outcome.NOT_CHECKED, "回执没有状态", "a receipt has no status"),
    "agreement_good": (Outcome.PASSED, "按文件内的记录重新生成版面，逐字节相同", "the page drawn again from the record inside is the same, byte for byte"),
    "agreement_text": (Outcome.PASSED, "版面由另一版本程序生成；文字与二维码均与记录一致", "another version drew the page; its words and its code agree with the record"),
    "page_differs": (Outcome.FAILED, "版面与文件内的记录不一致", "the page does not say what the record inside says"),
    "page_changed": (Outcome.FAILED, "签名时在版面之外加入了其他内容", "something besides a signature was added to the page before it was signed"),
    "page_unlike": (Outcome.NOT_CHECKED, "版面由另一版本程序生成，文字一致而样子不同，无法判定", "another version drew the page: the words agree, but it looks different, so nothing is certain"),
    "seal_differs": (Outcome.FAILED, "二维码不属于该证照", "the code does not belong to this certificate"),
    "template_unknown": (Outcome.NOT_CHECKED, "核验方没有签发时的版式，无法比对版面", "the verifier does not have the template that the page was drawn with"),
    "agreement_none": (Outcome.NOT_CHECKED, "没有可比对的PDF文件", "there is no document to compare"),
}  # fmt: skip


# code -> (Chinese, English): said beside a verdict, and never changing it.
WARNINGS: dict[str, tuple[str, str]] = {
    "competence_unlisted": ("信任文件是旧版，不含各机构的签发职权，未核验签发机构是否有权", "the trust file is of version 1 and does not say who may issue what: the right to issue was not checked"),
    "foundations_not_checked": ("状态列表没有说明所依据的证照是否有效，未核验", "the status list does not say whether what this rests on is in force: that was not checked"),
    **FALLEN_WORDS,
}  # fmt: skip


def warning(code: str, words: str | None = None, **more: str) -> dict[str, Any]:
    """Make a warning, in the words of its code or of another, with what else is to be said of it."""
    zh, en = WARNINGS[words or code]
    return {"code": code, **more, "reason": {"zh": zh, "en": en}}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one step found; ``evidence_at`` is the age of what it was judged by."""

    step: str
    code: str
    evidence_at: datetime | None = None

    @property
    def outcome(self) -> Outcome:
        """Passed, failed or not checked: the code decides."""
        return REASONS[self.code][0]

    def to_json(self) -> dict[str, Any]:
        """Give the shape of an entry of ``steps``."""
        outcome, zh, en = REASONS[self.code]
        return {
            "step": self.step,
            "outcome": outcome.value,
            "code": self.code,
            "reason": {"zh": zh, "en": en},
            "evidence_at": None if self.evidence_at is None else rfc3339(self.evidence_at),
        }


_GRAVITY = (Outcome.FAILED, Outcome.NOT_CHECKED, Outcome.PASSED)


def gravest(findings: Sequence[Finding]) -> Finding:
    """Give the finding that weighs most: failed before not checked before passed."""
    return min(findings, key=lambda one: _GRAVITY.index(one.outcome))


def found(step: str, code: str, evidence: int | None = None) -> Finding:
    """Make a finding; ``evidence`` in Unix seconds."""
    return Finding(step, code, None if evidence is None else instant(evidence))


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a verification: verdict, what was signed and shown, and every step."""

    verdict: Verdict
    certificate: Mapping[str, Any] | None
    status: str | None
    at: datetime
    checked_at: datetime
    steps: tuple[Finding, ...]
    warnings: tuple[Mapping[str, Any], ...] = ()

    def step(self, name: str) -> Finding:
        """Give what a step found, by its name."""
        return next(step for step in self.steps if step.step == name)

    def to_json(self) -> dict[str, Any]:
        """Give the ``report`` shape of the command line and the HTTP interface."""
        return {
            "verdict": self.verdict.value,
            "certificate": self.certificate,
            "status": self.status,
            "at": rfc3339(self.at),
            "checked_at": rfc3339(self.checked_at),
            "steps": [step.to_json() for step in self.steps],
            "warnings": list(self.warnings),
        }


def decide(steps: tuple[Finding, ...], *, is_document: bool, requires_log: bool) -> Verdict:
    """Draw the verdict from the steps (design §4)."""
    outcomes = {step.step: step.outcome for step in steps}
    if Outcome.FAILED in outcomes.values():
        return Verdict.INVALID
    decisive = _DECISIVE | ({"agreement"} if is_document else set())
    decisive |= {"log"} if requires_log else set()
    if any(outcomes[name] is Outcome.NOT_CHECKED for name in decisive):
        return Verdict.UNDETERMINED
    return Verdict.VALID
