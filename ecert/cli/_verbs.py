"""All verbs of the command line, each with the modules that hold it and one line of help.

A verb's modules are loaded when it is called, so that help and verification stay quick. A test holds
the lines to what the verbs say of themselves.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from typer import Typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command_name, get_group
from typer.models import CommandInfo


class Verb(NamedTuple):
    """Where a verb's code is, and what help says of it."""

    modules: tuple[str, ...]
    summary: str


VERBS = {
    "issue": Verb(
        ("certificates",), "Issue a certificate from a draft; prints its identifier and number."
    ),
    "show": Verb(("certificates",), "Show a certificate with its present status."),
    "find": Verb(
        ("certificates",), "Find certificates by holder, project, type, number or status."
    ),
    "history": Verb(
        ("certificates",),
        "List what was done to a certificate since it was issued, each a signed statement.",
    ),
    "credential": Verb(
        ("certificates",),
        "Give the signed credential (SD-JWT VC), whole or with chosen disclosures.",
    ),
    "receipt": Verb(
        ("certificates",), "Give the proof that a certificate is in the log (C2SP tlog-proof)."
    ),
    "evidence": Verb(
        ("certificates",),
        "Give everything that proves a certificate, as one ZIP that verifies offline.",
    ),
    "qr": Verb(
        ("certificates",), "Draw a certificate's QR code: a PNG with -o, else in the terminal."
    ),
    "init": Verb(
        ("setup",),
        "Make a registry: home, database, keys, first agency. Without --url a trial home.",
    ),
    "upgrade": Verb(
        ("setup",),
        "Finish an upgrade: sign what an older version had no register for, so that it issues again.",
    ),
    "check": Verb(
        ("checking",),
        "Compare everything stored with everything signed and logged 核对; exit code 1 names a fault.",
    ),
    "backup": Verb(
        ("backups",),
        "Copy everything but the passphrase into a new folder while the service runs.",
    ),
    "restore": Verb(
        ("backups",), "Restore a backup into a new home, which only reads until it is accepted."
    ),
    "accept": Verb(
        ("backups",),
        "Let this database be the registry from now on 接管: all its copies only read.",
    ),
    "document": Verb(
        ("documents",),
        "Give a certificate's signed original 原件: a PDF that carries its own record and proof.",
    ),
    "copy": Verb(
        ("documents",),
        "Make an annotated copy 加注件: for one recipient and purpose, worthless after a day.",
    ),
    "copies": Verb(("documents",), "List the annotated copies that were made of a certificate."),
    "import": Verb(
        ("importing",),
        "Issue many certificates from a file. Run it again after a stop: what is in is not issued twice.",
    ),
    "suspend": Verb(("operations",), "Suspend a certificate 暂扣."),
    "resume": Verb(("operations",), "Give a suspended certificate back 恢复."),
    "cancel": Verb(("operations",), "End a certificate formally 注销."),
    "withdraw": Verb(
        ("operations",), "Withdraw a certificate that should not have been granted 撤销."
    ),
    "revoke": Verb(("operations",), "Revoke a certificate as a penalty 吊销."),
    "change": Verb(
        ("operations",),
        "Change a certificate 变更: the next version is issued and this one superseded, at once.",
    ),
    "renew": Verb(("operations",), "Renew a certificate 延续, also an expired one."),
    "replace": Verb(("operations",), "Replace a lost or damaged certificate 补发."),
    "demo": Verb(
        ("service",), "Tell the whole story on real input: issue, fetch, scan, revoke, verify."
    ),
    "serve": Verb(("service",), "Run the HTTP service."),
    "changes": Verb(
        ("sharing",), "List what was done since to certificates that a client was given."
    ),
    "supervision": Verb(
        ("sharing",),
        "Count papers not brought, refusals, promises kept and unusual reading 电子监察.",
    ),
    "verify": Verb(
        ("verifying",),
        "Verify whatever is presented. Exit code 0 valid, 1 invalid, 3 could not be determined.",
    ),
    "client": Verb(("clients",), "Clients 接入系统: departments' systems that call over HTTP."),
    "agency": Verb(
        ("agencies", "documents"), "Agencies 机构: departments that issue or use certificates."
    ),
    "reception": Verb(
        ("receptions",),
        "Receptions 综合受理、委托: which agency receives, or issues, for another.",
    ),
    "type": Verb(("setup",), "Certificate types 证照类型."),
    "documents": Verb(("documents",), "Signed documents 证照文件 in bulk."),
    "keys": Verb(("keys",), "Keys 密钥: their private halves never leave the home."),
    "log": Verb(("logs",), "The log 登记日志."),
    "matter": Verb(
        ("matters",), "Matters 事项: what people apply for, and the materials it takes."
    ),
    "dossier": Verb(("matters",), "Dossiers 用证卷宗: what a department was given for a case."),
    "sharing": Verb(("sharing",), "Sharing rules 共享规则: which agency may have which type."),
    "provider": Verb(("sharing",), "Identity providers 身份认证平台: whose sign-ins are believed."),
    "grant": Verb(("sharing",), "Grants 授权: what holders have agreed to."),
    "objection": Verb(
        ("sharing",), "Objections 异议: what is said to be wrong with a certificate."
    ),
    "trust": Verb(("verifying",), "The trust file 信任文件 that verifiers need."),
}


class CommandVerbs(TyperGroup):
    """The command ``ecert``: it knows its verbs by name, and loads the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List the verbs in the order of help."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Give a verb as help shows it: its name and its line, nothing is loaded."""
        del ctx
        if cmd_name not in VERBS:
            return None
        return TyperCommand(cmd_name, help=VERBS[cmd_name].summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """Load the verb that is called. Raises: UsageError when there is none of that name."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, None if found is None or name is None else load(name), rest


def load(name: str) -> Any:
    """Load a verb's modules, and give it with its options: of all that are loaded, it alone is built."""
    for module in VERBS[name].modules:
        import_module(f"ecert.cli.{module}")
    from ecert.cli._console import verbs

    one = Typer(rich_markup_mode=verbs.rich_markup_mode)
    one.registered_commands = [verb for verb in verbs.registered_commands if _name(verb) == name]
    one.registered_groups = [verb for verb in verbs.registered_groups if verb.name == name]
    return get_group(one).commands[name]


def _name(verb: CommandInfo) -> str:
    assert verb.callback is not None  # noqa: S101 - each verb is a function
    return verb.name or get_command_name(verb.callback.__name__)
