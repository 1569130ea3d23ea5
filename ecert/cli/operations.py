"""The life of a certificate: suspend, resume, cancel, withdraw, revoke; change, renew, replace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from ecert._encoding import parse_json
from ecert.cli._console import (
    Identifier,
    Json,
    Operator,
    actor,
    opened,
    read_input,
    show,
    system_user,
    verbs,
)
from ecert.cli.certificates import describe
from ecert.model import Basis, Operation

Reason = Annotated[str, typer.Option(help="Why, in words.")]
BasisDocument = Annotated[str, typer.Option("--basis", help="The basis document 依据文书.")]
DraftFile = Annotated[
    str, typer.Argument(metavar="DRAFT.json", help="The new draft, or - for standard input.")
]


def _operate(operation: Operation, identifier: str, basis: Basis, as_json: bool) -> None:
    with opened(publishes=True) as registry:
        record = registry.certificates.operate(
            identifier, operation, basis=basis, by=actor(basis.operator)
        )
    shown = record.to_json()
    show(shown, as_json, [f"{record.id}  {record.status}"])


def _succeed(
    operation: Operation, identifier: str, draft: str, basis: Basis, as_json: bool
) -> None:
    content = parse_json(read_input(draft))
    with opened(publishes=True) as registry:
        issued = registry.certificates.succeed(
            identifier, operation, content, basis=basis, by=actor(basis.operator)
        )
    show(issued.to_json(), as_json, describe(issued.to_json(), brief=True))


def _basis(reason: str, basis: str, operator: str | None) -> Basis:
    return Basis(reason, basis, operator or system_user())


_ACTS = {  # operation: what it does, and an example's reason and basis
    Operation.SUSPEND: ("Suspend a certificate 暂扣.", "停工整改", "穗建停〔2026〕3号"),
    Operation.RESUME: ("Give a suspended certificate back 恢复.", "整改合格", "穗建复〔2026〕3号"),
    Operation.CANCEL: ("End a certificate formally 注销.", "企业申请注销", "注销申请"),
    Operation.WITHDRAW: (
        "Withdraw a certificate that should not have been granted 撤销.",
        "申请材料虚假",
        "穗规划资源撤〔2026〕1号",
    ),
    Operation.REVOKE: ("Revoke a certificate as a penalty 吊销.", "严重违法", "穗建罚〔2026〕7号"),
}
_SUCCESSIONS = {
    Operation.CHANGE: (
        "Change a certificate 变更: the next version is issued and this one superseded, at once.",
        "设计变更",
        "变更批复",
    ),
    Operation.RENEW: ("Renew a certificate 延续, also an expired one.", "延续", "延续批复"),
    Operation.REPLACE: ("Replace a lost or damaged certificate 补发.", "遗失", "遗失声明"),
}


def _acting(operation: Operation) -> Callable[..., None]:
    def verb(
        identifier: Identifier,
        reason: Reason,
        basis: BasisDocument,
        operator: Operator = None,
        as_json: Json = False,
    ) -> None:
        _operate(operation, identifier, _basis(reason, basis, operator), as_json)

    return verb


def _succeeding(operation: Operation) -> Callable[..., None]:
    def verb(
        identifier: Identifier,
        draft: DraftFile,
        reason: Reason,
        basis: BasisDocument,
        operator: Operator = None,
        as_json: Json = False,
    ) -> None:
        _succeed(operation, identifier, draft, _basis(reason, basis, operator), as_json)

    return verb


for _operation, (_words, _reason, _document) in _ACTS.items():
    _example = f"Example: `ecert {_operation} ID --reason {_reason} --basis {_document}`"
    verbs.command(_operation.value, help=f"{_words}\n\n{_example}")(_acting(_operation))
for _operation, (_words, _reason, _document) in _SUCCESSIONS.items():
    _example = f"Example: `ecert {_operation} ID draft.json --reason {_reason} --basis {_document}`"
    verbs.command(_operation.value, help=f"{_words}\n\n{_example}")(_succeeding(_operation))
