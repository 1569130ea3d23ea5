"""The life of a certificate: suspend, resume, cancel, withdraw, revoke; change, renew, replace."""

from __future__ import annotations

from typing import Annotated

import typer

from ecert._encoding import parse_json
from ecert.cli._console import (
    Identifier,
    Json,
    Operator,
    actor,
    app,
    opened,
    read_input,
    show,
    system_user,
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
        record = registry.operate(identifier, operation, basis=basis, by=actor(basis.operator))
    shown = record.to_json()
    show(shown, as_json, [f"{record.id}  {record.status}"])


def _succeed(
    operation: Operation, identifier: str, draft: str, basis: Basis, as_json: bool
) -> None:
    content = parse_json(read_input(draft))
    with opened(publishes=True) as registry:
        issued = registry.succeed(
            identifier, operation, content, basis=basis, by=actor(basis.operator)
        )
    show(issued.to_json(), as_json, describe(issued.to_json(), brief=True))


def _basis(reason: str, basis: str, operator: str | None) -> Basis:
    return Basis(reason, basis, operator or system_user())


@app.command()
def suspend(
    identifier: Identifier,
    reason: Reason,
    basis: BasisDocument,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Suspend a certificate 暂扣.

    Example: `ecert suspend ID --reason 停工整改 --basis 穗建停〔2026〕3号`
    """
    _operate(Operation.SUSPEND, identifier, _basis(reason, basis, operator), as_json)


@app.command()
def resume(
    identifier: Identifier,
    reason: Reason,
    basis: BasisDocument,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Give a suspended certificate back 恢复.

    Example: `ecert resume ID --reason 整改合格 --basis 穗建复〔2026〕3号`
    """
    _operate(Operation.RESUME, identifier, _basis(reason, basis, operator), as_json)


@app.command()
def cancel(
    identifier: Identifier,
    reason: Reason,
    basis: BasisDocument,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """End a certificate formally 注销.

    Example: `ecert cancel ID --reason 企业申请注销 --basis 注销申请`
    """
    _operate(Operation.CANCEL, identifier, _basis(reason, basis, operator), as_json)


@app.command()
def withdraw(
    identifier: Identifier,
    reason: Reason,
    basis: BasisDocument,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Withdraw a certificate that should not have been granted 撤销.

    Example: `ecert withdraw ID --reason 申请材料虚假 --basis 穗规划资源撤〔2026〕1号`
    """
    _operate(Operation.WITHDRAW, identifier, _basis(reason, basis, operator), as_json)


@app.command()
def revoke(
    identifier: Identifier,
    reason: Reason,
    basis: BasisDocument,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Revoke a certificate as a penalty 吊销.

    Example: `ecert revoke ID --reason 严重违法 --basis 穗建罚〔2026〕7号`
    """
    _operate(Operation.REVOKE, identifier, _basis(reason, basis, operator), as_json)


@app.command()
def change(
    identifier: Identifier,
    draft: DraftFile,
    reason: Reason,
    basis: BasisDocument,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Change a certificate 变更: the next version is issued and this one superseded, at once.

    Example: `ecert change ID draft.json --reason 设计变更 --basis 变更批复`
    """
    _succeed(Operation.CHANGE, identifier, draft, _basis(reason, basis, operator), as_json)


@app.command()
def renew(
    identifier: Identifier,
    draft: DraftFile,
    reason: Reason,
    basis: BasisDocument,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Renew a certificate 延续, also an expired one.

    Example: `ecert renew ID draft.json --reason 延续 --basis 延续批复`
    """
    _succeed(Operation.RENEW, identifier, draft, _basis(reason, basis, operator), as_json)


@app.command()
def replace(
    identifier: Identifier,
    draft: DraftFile,
    reason: Reason,
    basis: BasisDocument,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Replace a lost or damaged certificate 补发.

    Example: `ecert replace ID draft.json --reason 遗失 --basis 遗失声明`
    """
    _succeed(Operation.REPLACE, identifier, draft, _basis(reason, basis, operator), as_json)
