"""Identifiers and codes: parse, check and make them, naming the rule that fails.

Published samples of these identifiers are often wrong (domain notes §1.5), so nothing is ever
repaired silently: an :class:`~ecert.errors.IdentifierError` says which rule broke.
The check-digit arithmetic is python-stdnum's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import NoReturn

from stdnum.cn import uscc
from stdnum.iso7064 import mod_11_2, mod_37_36

from ecert.errors import IdentifierError

ROOT = "1.2.156.3005.2"
LAST_VERSION = 999
MAX_SERIAL = 32

_CREDIT_CODE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}")
_PROJECT_CODE = re.compile(r"(\d{2})(\d{2})-\d{6}-\d{2}-\d{2}-\d{6}", re.ASCII)
_EARLY_PROJECT_YEARS = frozenset({"2016", "2017", "2018", "2019", "2020"})
_RESIDENT = re.compile(r"\d{17}[0-9X]", re.ASCII)
_TYPE_CODE = re.compile(r"[0-9A-Z]{18}\d{3}", re.ASCII)
_DIVISION = re.compile(r"\d{6}", re.ASCII)
_AREA = re.compile(r"[0-9]{6}(?:[0-9]{3}){0,2}", re.ASCII)
_SERIAL = re.compile(rf"[0-9A-Z]{{1,{MAX_SERIAL}}}", re.ASCII)
_VERSION = re.compile(r"\d{3}", re.ASCII)


def _refuse(rule: str, zh: str, en: str) -> NoReturn:
    raise IdentifierError(rule, zh, en)


@lru_cache(maxsize=4096)  # the same few agencies and enterprises come again and again
def check_credit_code(code: str) -> str:
    """Check a unified social credit code 统一社会信用代码 (GB 32100, 18 characters); return it.

    Raises: IdentifierError with rule ``length``, ``alphabet`` or ``check_digit``.
    """
    if len(code) != 18:
        _refuse("length", "统一社会信用代码应为18位", "a credit code has 18 characters")
    if not _CREDIT_CODE.fullmatch(code):
        _refuse(
            "alphabet",
            "统一社会信用代码只含数字和大写字母（不含I、O、S、V、Z），第3至8位为数字",
            "a credit code has digits and capitals without I, O, S, V, Z; places 3 to 8 are digits",
        )
    if uscc.calc_check_digit(code[:17]) != code[17]:
        _refuse(
            "check_digit",
            "统一社会信用代码校验位不符（GB 32100）",
            "the credit code's check digit is wrong (GB 32100)",
        )
    return code


def check_resident_number(number: str) -> str:
    """Check a resident number 公民身份号码 (GB 11643, 18 characters); return it.

    Raises: IdentifierError with rule ``length``, ``alphabet``, ``birth_date`` or ``check_digit``.
    """
    if len(number) != 18:
        _refuse("length", "公民身份号码应为18位", "a resident number has 18 characters")
    if not _RESIDENT.fullmatch(number):
        _refuse(
            "alphabet",
            "公民身份号码前17位为数字，末位为数字或X",
            "a resident number has 17 digits and then a digit or X",
        )
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        _refuse(
            "birth_date",
            "公民身份号码中的出生日期不存在",
            "the birth date inside the resident number does not exist",
        )
    if mod_11_2.calc_check_digit(number[:17]) != number[17]:
        _refuse(
            "check_digit",
            "公民身份号码校验位不符（GB 11643）",
            "the resident number's check digit is wrong (GB 11643)",
        )
    return number


def check_project_code(code: str) -> str:
    """Check an investment project code 投资项目代码 such as 2104-500108-04-01-439202; return it.

    Codes begin with year and month; those of 2016–2020 with the year alone, in four digits
    (2018-440114-47-03-803611; domain notes §9). As months 16 to 20 do not exist, no code is both.
    Raises: IdentifierError with rule ``shape`` or ``month``.
    """
    match = _PROJECT_CODE.fullmatch(code)
    if match is None:
        _refuse(
            "shape",
            "项目代码形如2104-500108-04-01-439202，2016至2020年的形如2018-440114-47-03-803611",
            "a project code looks like 2104-500108-04-01-439202, or 2018-440114-47-03-803611 "
            "from 2016 to 2020",
        )
    is_early = match[1] + match[2] in _EARLY_PROJECT_YEARS
    if not is_early and not 1 <= int(match[2]) <= 12:
        _refuse(
            "month", "项目代码中的月份不存在", "the month inside the project code does not exist"
        )
    return code


def check_division(code: str) -> str:
    """Check the form of a six-digit division code 行政区划代码 (GB/T 2260); return it.

    Raises: IdentifierError with rule ``shape``.
    """
    if not _DIVISION.fullmatch(code):
        _refuse("shape", "行政区划代码为6位数字", "a division code has six digits")
    return code


def check_area(code: str) -> str:
    """Check a division code of a district, a street or town, or a village: 6, 9 or 12 digits; return it.

    Raises: IdentifierError with rule ``shape``.
    """
    if not _AREA.fullmatch(code):
        _refuse("shape", "行政区划代码为6、9或12位数字", "a division code has 6, 9 or 12 digits")
    return code


def lies_within(area: str, above: str) -> bool:
    """Tell whether a division lies at or below another: 440114 and 440114003 below 440100."""
    known = re.sub(r"(000)+$", "", above[6:])
    province_or_city = re.sub(r"(00)+$", "", above[:6]) if not known else above[:6]
    return area.startswith(province_or_city + known)


@dataclass(frozen=True, slots=True)
class Identifier:
    """A certificate identifier 证照标识 (GB/T 36904), the name that machines use.

    ``type_code`` has 21 characters, ``issuer_code`` 18 (or a 6-digit division), ``serial`` up to
    32 capitals and digits, ``version`` counts from 1.
    """

    type_code: str
    issuer_code: str
    serial: str
    version: int = 1

    def __post_init__(self) -> None:
        _check_parts(self.type_code, self.issuer_code, self.serial)
        if not 1 <= self.version <= LAST_VERSION:
            _refuse("version", "证照标识版本号为001至999", "a version is 001 to 999")

    @property
    def check(self) -> str:
        """The check character: ISO 7064 MOD 37,36 over everything after the root, dots removed."""
        body = f"{self.type_code}{self.issuer_code}{self.serial}{self.version:03}"
        return str(mod_37_36.calc_check_digit(body))

    @property
    def tail(self) -> str:
        """Everything after the root, as the seal carries it."""
        version = f"{self.version:03}"
        return f"{self.type_code}.{self.issuer_code}.{self.serial}.{version}.{self.check}"

    def bump(self) -> Identifier:
        """Give the identifier of the next version of the same certificate.

        Raises: IdentifierError with rule ``version`` after 999.
        """
        return replace(self, version=self.version + 1)

    def __str__(self) -> str:
        return f"{ROOT}.{self.tail}"


def _check_parts(type_code: str, issuer_code: str, serial: str) -> None:
    if not _TYPE_CODE.fullmatch(type_code):
        _refuse(
            "type_code",
            "证照类型代码为18位机构代码加3位数字",
            "a type code is an 18-character body code and three digits",
        )
    if len(issuer_code) == 18:
        _as("issuer_code", check_credit_code, issuer_code)
    else:
        _as("issuer_code", check_division, issuer_code)
    if not _SERIAL.fullmatch(serial):
        _refuse(
            "serial",
            "证照标识流水号为1至32位大写字母或数字",
            "a serial has 1 to 32 capitals or digits",
        )


def _as(rule: str, check: Callable[[str], str], code: str) -> None:
    try:
        check(code)
    except IdentifierError as error:
        _refuse(rule, f"颁发机构代码：{error.zh}", f"issuer code: {error.en}")


def parse_identifier(text: str) -> Identifier:
    """Read a full identifier, ``1.2.156.3005.2.<type>.<issuer>.<serial>.<version>.<check>``.

    Raises: IdentifierError with rule ``root``, ``parts``, ``type_code``, ``issuer_code``,
    ``serial``, ``version`` or ``check_character``.
    """
    if not text.startswith(ROOT + "."):
        _refuse("root", f"证照标识应以{ROOT}.开头", f"an identifier begins with {ROOT}.")
    return parse_tail(text.removeprefix(ROOT + "."))


def parse_tail(tail: str) -> Identifier:
    """Read an identifier without its root, as a seal carries it. Raises: IdentifierError."""
    parts = tail.split(".")
    if len(parts) != 5:
        _refuse(
            "parts",
            "根之后应有五段：类型、机构、流水号、版本、校验",
            "after the root come five parts: type, issuer, serial, version, check",
        )
    type_code, issuer_code, serial, version, check = parts
    _check_parts(type_code, issuer_code, serial)
    if not _VERSION.fullmatch(version):
        _refuse("version", "证照标识版本号为三位数字", "a version has three digits")
    found = Identifier(type_code, issuer_code, serial, int(version))
    if check != found.check:
        _refuse(
            "check_character",
            "证照标识校验位不符（ISO 7064 MOD 37,36）",
            "the check character is wrong (ISO 7064 MOD 37,36)",
        )
    return found


_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def make_serial(milliseconds: int, randomness: bytes) -> str:
    """Mint a serial: a ULID of 26 characters, ordered by time (48 bits) and random (80 bits)."""
    number = milliseconds << 80 | int.from_bytes(randomness[:10], "big")
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
