"""Check a draft against its type and list everything that is wrong with it at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import jsonschema_rs

from ecert.catalogue._type import CertificateType
from ecert.errors import DraftError, FieldError, IdentifierError
from ecert.fonts import unprintable
from ecert.ids import check_credit_code, check_project_code, check_resident_number, parse_identifier
from ecert.model import CREDIT_CODE, HOLDER_CODE_TYPES, RESIDENT_NUMBER, Attachment, Draft, Holder

_HOLDER_CHECKS: dict[str, Callable[[str], str]] = {
    CREDIT_CODE: check_credit_code,
    RESIDENT_NUMBER: check_resident_number,
}


def check_draft(kind: CertificateType, draft: Any) -> Draft:
    """Check a draft (the ``draft`` shape, as JSON) against a type and give it back as a value.

    Raises: DraftError whose ``errors`` name every fault: JSON Pointer, rule, a sentence in
    Chinese and in English. The sentences never repeat what was entered.
    """
    try:
        errors = [_explain(error) for error in kind.draft_validator.iter_errors(draft)]
    except (ValueError, TypeError) as error:  # not JSON: half a surrogate pair, a set, a date
        raise DraftError("the draft is not JSON") from error
    faults = [fault for group in errors for fault in group]
    texts = list(_texts(draft, ()))
    whole = "".join(text for _, text in texts)
    if _CONTROL.search(whole) or unprintable(whole):  # seldom; only then each text by itself
        faults += [fault for path, text in texts for fault in _text_faults(path, text)]
    is_suspect = _SUSPECT.search(whole) is not None
    faults += [
        _mangled(path)
        for path, text in texts
        if (is_suspect and _MANGLED.match(text)) or _is_rewritten(path, text)
    ]
    if isinstance(draft, dict):
        faults += _deeper_faults(kind, draft, {fault.pointer for fault in faults})
    if faults:
        first = f"{faults[0].pointer or '/'}: {faults[0].en}"
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise DraftError(f"the draft does not fit {kind.slug}: {first}{more}", errors=faults)
    return _to_draft(kind, draft)


# C0 and C1 without tab and line feed, delete, and what turns the direction of writing around.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def _text_faults(path: tuple[str | int, ...], text: str) -> Iterator[FieldError]:
    """Refuse what could not be printed on the certificate, naming the character."""
    if _CONTROL.search(text):
        yield _fault(
            path, "control_character", "含有控制字符", "control characters are not allowed"
        )
    elif (one := unprintable(text)) is not None:
        named = f"{one}（U+{ord(one):04X}）"
        zh, en = f"字符{named}无法打印", f"the character {named} cannot be printed"
        yield _fault(path, "unprintable_character", zh, en)


# What spreadsheets make of a number that was typed as digits: 4.40114E+17, or '440114….
_MANGLED = re.compile(r"\s*['‘’＇`]\s*\d|[+\-＋－]?\d+([.．]\d*)?[EeＥｅ][+\-＋－]\d+\s*\Z")
_SUSPECT = re.compile(r"['‘’＇`]|[EeＥｅ][+\-＋－]")  # without these nothing matches
_FLOAT = re.compile(r"[+\-＋－]?(\d*[.．]\d*|\d+)([EeＥｅ][+\-＋－]?\d+)?")
_NUMBERS = frozenset({("number",), ("local_number",)})


def _is_rewritten(path: tuple[str | int, ...], text: str) -> bool:
    """Tell whether what must be digits is a float: a spreadsheet rewrote it, and what was typed is lost."""
    is_number = path in _NUMBERS or (path[-1:] == ("code",) and path[0] == "holders")
    return is_number and not text.isdecimal() and _FLOAT.fullmatch(text) is not None


def _mangled(path: tuple[str | int, ...]) -> FieldError:
    zh = "像是被电子表格改写过的数字：请把该列设为文本格式，重新录入原样，如440114202601050101"
    en = (
        "this looks like a number that a spreadsheet rewrote: format the column as text and enter "
        "it as it stands on the paper, such as 440114202601050101"
    )
    return _fault(path, "number_mangled", zh, en)


def _texts(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, (*path, name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _texts(item, (*path, place))


def _pointer(path: Iterable[str | int]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _explain(error: jsonschema_rs.ValidationError) -> list[FieldError]:
    """Turn one schema error into sentences that do not quote the entered value."""
    rule, detail = error.kind.name, error.kind.as_dict()
    path = list(error.instance_path)
    if rule == "required":
        return [_fault([*path, detail["property"]], rule, "缺少必填项", "this is required")]
    if rule == "additionalProperties":
        return [
            _fault([*path, str(name)[:64]], rule, "没有这一项", "there is no such member")
            for name in detail["unexpected"][:20]
        ]
    zh, en = _sentence(rule, detail)
    return [_fault(path, rule, zh, en)]


def _fault(path: Iterable[str | int], rule: str, zh: str, en: str) -> FieldError:
    return FieldError(_pointer(path), rule, zh, en)


_SENTENCES = {
    "type": ("类型应为{types}", "this must be of type {types}"),
    "maxLength": ("最多{limit}个字", "at most {limit} characters"),
    "minLength": ("至少{limit}个字", "at least {limit} characters"),
    "maxItems": ("最多{limit}条", "at most {limit} items"),
    "minItems": ("至少{limit}条", "at least {limit} items"),
    "maximum": ("不得大于{limit}", "at most {limit}"),
    "minimum": ("不得小于{limit}", "at least {limit}"),
    "enum": ("应为其中之一：{options}", "this must be one of: {options}"),
    "format": ("没有这样的{format}或格式不符", "this is not a valid {format}"),
    "pattern": ("格式不符：{pattern}", "the form must match {pattern}"),
    "uniqueItems": ("有重复的条目", "an item is repeated"),
}


def _sentence(rule: str, detail: Mapping[str, Any]) -> tuple[str, str]:
    zh, en = _SENTENCES.get(rule, (f"不符合规则{rule}", f"this breaks the rule {rule}"))
    words = {
        name: ", ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in detail.items()
        if name != "value"  # what was entered may be personal
    }
    return zh.format_map(words), en.format_map(words)


def _deeper_faults(
    kind: CertificateType, draft: Mapping[str, Any], known: set[str]
) -> Iterator[FieldError]:
    """Check what a schema cannot say, skipping what is known to be wrong already."""
    for fault in (*_holder_faults(kind, draft), *_code_faults(draft), *_date_faults(draft)):
        if fault.pointer not in known:
            yield fault
    number = draft.get("number")
    if isinstance(number, str) and kind.number.strict and not kind.number.fits(number):
        yield _fault(["number"], "number_pattern", "编号不符合规则", "the number has another form")


def _holder_faults(kind: CertificateType, draft: Mapping[str, Any]) -> Iterator[FieldError]:
    holders = draft.get("holders")
    for place, holder in enumerate(holders if isinstance(holders, list) else ()):
        if not isinstance(holder, dict) or not isinstance(holder.get("code"), str):
            continue
        code_type = holder.get("code_type")
        if not isinstance(code_type, str) or code_type not in HOLDER_CODE_TYPES:
            continue
        if check := _HOLDER_CHECKS.get(code_type):
            yield from _rule_faults(["holders", place, "code"], check, holder["code"])
        yield from _kind_faults(kind, place, Holder("", "", code_type))


def _kind_faults(kind: CertificateType, place: int, holder: Holder) -> Iterator[FieldError]:
    wanted = "person" if holder.is_person else "organisation"
    if wanted not in kind.holder_kinds:
        zh = "此证照不发给自然人" if holder.is_person else "此证照不发给单位"
        en = f"this type is not made out to a {wanted}"
        yield _fault(["holders", place, "code_type"], "holder_kind", zh, en)


def _code_faults(draft: Mapping[str, Any]) -> Iterator[FieldError]:
    if isinstance(code := draft.get("project_code"), str):
        yield from _rule_faults(["project_code"], check_project_code, code)
    rests_on = draft.get("rests_on")
    for place, identifier in enumerate(rests_on if isinstance(rests_on, list) else ()):
        if isinstance(identifier, str):
            yield from _rule_faults(["rests_on", place], parse_identifier, identifier)


def _rule_faults(
    path: Iterable[str | int], check: Callable[[str], object], text: str
) -> Iterator[FieldError]:
    try:
        check(text)
    except IdentifierError as error:
        yield _fault(path, error.rule, error.zh, error.en)


def _date_faults(draft: Mapping[str, Any]) -> Iterator[FieldError]:
    start = _date_or_none(draft.get("valid_from") or draft.get("issued_on"))
    end = _date_or_none(draft.get("valid_to"))
    if start and end and end < start:
        zh, en = "有效期截止早于起始", "the validity ends before it begins"
        yield _fault(["valid_to"], "validity", zh, en)
    for name in ("issued_on", "valid_from", "valid_to"):
        day = _date_or_none(draft.get(name))
        if day is None and isinstance(draft.get(name), str):  # such as 0000-01-01, a date to JSON
            yield _fault([name], "format", "没有这样的日期", "there is no such date")
        if day and not 1949 <= day.year <= 2999:
            yield _fault([name], "year", "年份不合理", "the year is not plausible")


def _date_or_none(text: Any) -> date | None:
    try:
        return date.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _to_draft(kind: CertificateType, draft: Mapping[str, Any]) -> Draft:
    number = draft.get("number")
    is_usual = number is None or kind.number.fits(number)
    lacks = kind.rests_on_required == "warn" and not draft.get("rests_on")
    return Draft(
        fields=draft["fields"],
        holders=tuple(Holder(**holder) for holder in draft["holders"]),
        project_code=draft.get("project_code"),
        number=number,
        local_number=draft.get("local_number"),
        issued_on=_date_or_none(draft.get("issued_on")),
        valid_from=_date_or_none(draft.get("valid_from")),
        valid_to=_date_or_none(draft.get("valid_to")),
        rests_on=tuple(draft.get("rests_on", ())),
        attachments=tuple(Attachment(**item) for item in draft.get("attachments", ())),
        warnings=(*(() if is_usual else (_NUMBER,)), *((_NO_FOUNDATION,) if lacks else ())),
    )


def _warning(code: str, zh: str, en: str) -> Mapping[str, Any]:
    return {"code": code, "reason": {"zh": zh, "en": en}}


_NUMBER = _warning(
    "number_pattern", "编号不符合该类型的常用规则", "the number has an unusual form for this type"
)
_NO_FOUNDATION = _warning(
    "rests_on_required", "没有写明所依据的前置证照", "it does not say what it rests on"
)
