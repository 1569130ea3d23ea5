"""A fault 异常: a row that does not say what was signed, logged or told, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ecert.store import Reading

_RESTORE = (
    "从最近的完好备份恢复该行，并查明由谁改动",
    "bring the row back from the last good backup, and find out who changed it",
)
_REBUILD = (
    "停止对外服务，从备份或镜像恢复日志；切勿删除检查点",
    "stop serving, and restore the log from a backup or a mirror; never remove a checkpoint",
)
_REISSUE = (
    "以备份中的签名原件恢复；若无备份，由签发机构补发",
    "bring the signed original back from a backup; without one, the agency replaces the certificate",
)
_RETELL = (
    "若改动属实，通过命令重新办理以留痕；否则从备份恢复",
    "if the change was meant, do it again by its command, so that the trail tells it; else restore a backup",
)

# ruff: noqa: E501 - one fault a line
# code -> (Chinese, English, what to do in Chinese, in English). Every fault stands here once.
FAULTS: Mapping[str, tuple[str, str, str, str]] = {
    "entry_changed": ("日志条目与其哈希不符", "an entry of the log or trail does not fit its hash", *_REBUILD),
    "entry_missing": ("日志缺少条目", "an entry of the log or trail is missing", *_REBUILD),
    "entry_beyond": ("日志在其末端之后还有条目", "there are entries beyond the end of the log or trail", *_REBUILD),
    "tile_changed": ("日志的内部哈希与条目不符", "a stored inner hash does not fit the entries", *_REBUILD),
    "head_changed": ("日志的末端与条目不符", "the head does not fit the entries", *_REBUILD),
    "checkpoint_changed": ("检查点的签名或树根与日志不符", "a checkpoint's signature or root does not fit the log", *_REBUILD),
    "checkpoint_missing": ("缺少已发布的检查点", "a published checkpoint is missing", *_REBUILD),
    "entry_without_row": ("日志条目没有对应的记录", "an entry of the log has no row", *_RESTORE),
    "certificate_changed": ("证照记录与签名的凭证不符", "a certificate's row does not say what was signed", *_REISSUE),
    "certificate_not_logged": ("证照与日志的承诺不符", "a certificate is not what the log commits to", *_REISSUE),
    "status_changed": ("状态与签名的操作声明不符", "a status does not follow from the signed statements", *_RESTORE),
    "statement_changed": ("操作声明的记录与签名不符", "a statement's row does not say what was signed", *_RESTORE),
    "statement_not_logged": ("操作声明与日志的承诺不符", "a statement is not what the log commits to", *_RESTORE),
    "copy_changed": ("加注件记录与签名不符", "a copy's row does not say what was signed", *_RESTORE),
    "copy_not_logged": ("加注件与日志的承诺不符", "a copy is not what the log commits to", *_RESTORE),
    "seal_changed": ("签章码与凭证不符", "a seal does not belong to its credential", *_REISSUE),
    "holder_changed": ("持证主体索引与凭证不符", "a holder's HMAC does not fit the credential", *_RESTORE),
    "foundation_changed": ("前置证照索引与凭证不符", "what a certificate rests on is not what was signed", *_RESTORE),
    "warning_changed": ("失效警示与操作声明不符", "a warning does not follow from the statements", *_RESTORE),
    "list_changed": ("状态列表的名额与证照不符", "a status list's places do not fit the certificates", *_RESTORE),
    "register_changed": ("名录记录与签名的名录声明不符", "the register does not say what was signed", *_RESTORE),
    "register_not_logged": ("名录声明与日志的承诺不符", "a register statement is not what the log commits to", *_RESTORE),
    "row_changed": ("管理记录与审计记录的摘要不符", "a row of administration was changed behind the trail's back", *_RETELL),
    "row_added": ("管理记录未见于审计记录", "a row of administration was added behind the trail's back", *_RETELL),
    "row_removed": ("审计记录所载的管理记录已不存在", "a row of administration was removed behind the trail's back", *_RETELL),
    "rows_unadopted": ("旧版的管理记录尚未计入审计记录", "rows of an older version are not told in the trail yet", "运行 ecert upgrade", "run: ecert upgrade"),
    "certificate_missing": ("记录所属的证照不存在", "a row belongs to a certificate that is not there", *_RESTORE),
    "unreadable": ("记录无法读取", "a row cannot be read, and hides others of its kind", *_RESTORE),
    "signature_bad": ("签名无效", "a signature does not hold", *_REISSUE),
    "document_changed": ("证照文件与其摘要或记录不符", "a document's file is not what was signed", *_REISSUE),
    "document_missing": ("缺少证照文件的内容", "a document's file is missing", *_REISSUE),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: its code (of ``FAULTS``), the row it was found in, and a hint of what differs."""

    code: str
    place: str
    hint: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give the fault with its words and what to do, in both languages."""
        zh, en, cure_zh, cure_en = FAULTS[self.code]
        return {
            "code": self.code,
            "place": self.place,
            "hint": self.hint,
            "reason": {"zh": zh, "en": en},
            "cure": {"zh": cure_zh, "en": cure_en},
        }

    def __str__(self) -> str:
        zh, en, _, cure = FAULTS[self.code]
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.code} {self.place}{hint}: {en} {zh}; {cure}"


Cursor = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Portion:
    """What a part looked at in one go: how far it is, where it goes on (None: done), what it found."""

    done: int
    total: int
    cursor: Cursor | None
    faults: tuple[Fault, ...] = ()


class Part(Protocol):
    """One kind of comparison; it keeps nothing that its cursor does not say, or begins again."""

    def look(self, reading: Reading, cursor: Cursor) -> Portion:
        """Look at the next portion in one snapshot; ``cursor`` is empty at first."""
