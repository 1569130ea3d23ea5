"""Identifiers and codes against an arithmetic of our own (domain notes §1.5)."""

from __future__ import annotations

import string
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ecert.errors import IdentifierError
from ecert.ids import (
    LAST_VERSION,
    ROOT,
    Identifier,
    check_credit_code,
    check_division,
    check_project_code,
    check_resident_number,
    make_serial,
    parse_identifier,
    parse_tail,
)

ALNUM = string.digits + string.ascii_uppercase
CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"
TYPE_CODE = "11100000000013338W011"
ISSUER = "11430000006122244L"
GOOD = "11100000000013338W011.11430000006122244L.20230000403.001.U"


# -- the oracle: the three check systems, written from their standards -----------------------------


def mod_37_36(body: str) -> str:
    """ISO 7064 hybrid system MOD 37,36."""
    product = 36
    for letter in body:
        total = (product + ALNUM.index(letter)) % 36 or 36
        product = total * 2 % 37
    return ALNUM[(37 - product) % 36]


def gb_32100(body: str) -> str:
    """GB 32100-2015: weights 3**i mod 31 over an alphabet of 31."""
    total = sum(CREDIT.index(letter) * pow(3, place, 31) for place, letter in enumerate(body))
    return CREDIT[-total % 31]


def mod_11_2(body: str) -> str:
    """ISO 7064 MOD 11-2, as GB 11643 uses it."""
    total = 0
    for digit in body:
        total = (total + int(digit)) * 2 % 11
    return "0123456789X"[(12 - total) % 11]


# -- the published identifiers ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "tail",
    [
        GOOD,
        "11100000000013338W011.11430000006122244L.20230000403.002.S",
        "11100000MB03271699022.340100.000000016.001.9",
    ],
)
def test_a_published_identifier_is_accepted_and_written_back(tail: str) -> None:
    assert str(parse_identifier(f"{ROOT}.{tail}")) == f"{ROOT}.{tail}"
    assert parse_tail(tail).tail == tail


@pytest.mark.parametrize(
    ("tail", "right"),
    [
        (
            "11100000000013661B006.113700000045046442.209FA4E88F9E4C878F3E9BED2CE7EA49.001.M",
            "D",
        ),
        ("11100000000013338W050.91610800064834709T.2023000001.001.X", "2"),
    ],
)
def test_a_published_identifier_with_a_wrong_check_character_is_refused(
    tail: str, right: str
) -> None:
    with pytest.raises(IdentifierError) as refused:
        parse_identifier(f"{ROOT}.{tail}")
    assert refused.value.rule == "check_character"
    assert parse_tail(tail[:-1] + right).check == right


def test_the_next_version_of_the_published_pair_is_the_published_one() -> None:
    assert parse_tail(GOOD).bump().tail == GOOD.replace(".001.U", ".002.S")


# -- every rule, once ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (GOOD, "root"),
        (f"1.2.156.3005.20.{GOOD}", "root"),
        (f"{ROOT}.{GOOD}.1", "parts"),
        (f"{ROOT}.{GOOD.rpartition('.')[0]}", "parts"),
        (f"{ROOT}.{GOOD.replace('W011.', 'W01.')}", "type_code"),
        (f"{ROOT}.{GOOD.replace('W011.', 'W01A.')}", "type_code"),
        (f"{ROOT}.{GOOD.replace('244L', '244M')}", "issuer_code"),
        (f"{ROOT}.{GOOD.replace(ISSUER, '34010')}", "issuer_code"),
        (f"{ROOT}.{GOOD.replace('20230000403', '')}", "serial"),
        (f"{ROOT}.{GOOD.replace('20230000403', '2023a')}", "serial"),
        (f"{ROOT}.{GOOD.replace('20230000403', '0' * 33)}", "serial"),
        (f"{ROOT}.{GOOD.replace('.001.', '.000.')}", "version"),
        (f"{ROOT}.{GOOD.replace('.001.', '.1.')}", "version"),
        (f"{ROOT}.{GOOD.replace('.001.', '.００１.')}", "version"),
        (f"{ROOT}.{GOOD.replace('.U', '.u')}", "check_character"),
        (f"{ROOT}.{GOOD} ", "check_character"),
        (f"{ROOT}.{GOOD}\n", "check_character"),
    ],
)
def test_a_broken_identifier_names_its_rule(text: str, rule: str) -> None:
    with pytest.raises(IdentifierError) as refused:
        parse_identifier(text)
    assert refused.value.rule == rule
    assert refused.value.zh
    assert refused.value.en


@pytest.mark.parametrize(
    ("check", "code", "rule"),
    [
        (check_credit_code, "1144011400751852X", "length"),
        (check_credit_code, "11440114007518SIOZ", "alphabet"),
        (check_credit_code, "1144011A006122244L", "alphabet"),
        (check_credit_code, "１1430000006122244L", "alphabet"),
        (check_credit_code, "11430000006122244M", "check_digit"),
        (check_resident_number, "11010519491231002", "length"),
        (check_resident_number, "11010519491231002x", "alphabet"),
        (check_resident_number, "X10105194912310021", "alphabet"),
        (check_resident_number, "110105194902310021", "birth_date"),
        (check_resident_number, "110105194912310020", "check_digit"),
        (check_project_code, "2104-500108-04-01-43920", "shape"),
        (check_project_code, "2104-500108-04-01-439202\n", "shape"),
        (check_project_code, "2113-500108-04-01-439202", "month"),
        (check_project_code, "2100-500108-04-01-439202", "month"),
        (check_project_code, "2015-440114-47-03-803611", "month"),
        (check_project_code, "2021-440114-47-03-803611", "month"),
        (check_project_code, "2018-440114-47-03-80361", "shape"),
        (check_division, "44011", "shape"),
        (check_division, "44011A", "shape"),
        (check_division, "４４０１１４", "shape"),
    ],
)
def test_a_broken_code_names_its_rule(check: Callable[[str], str], code: str, rule: str) -> None:
    with pytest.raises(IdentifierError) as refused:
        check(code)
    assert refused.value.rule == rule


def test_the_refusal_does_not_repeat_the_code() -> None:
    number = "110105194912310020"
    with pytest.raises(IdentifierError) as refused:
        check_resident_number(number)
    assert number not in refused.value.zh + refused.value.en + str(refused.value)


@pytest.mark.parametrize(
    ("check", "code"),
    [
        (check_credit_code, "11430000006122244L"),
        (check_credit_code, "113700000045046442"),
        (check_credit_code, "91610800064834709T"),
        (check_resident_number, "11010519491231002X"),  # the example in GB 11643 itself
        (check_project_code, "2104-500108-04-01-439202"),
        (check_project_code, "2012-500108-04-01-439202"),  # December 2020, of the present form
        *(
            (check_project_code, f"{year}-440114-47-03-803611")  # the form of those years
            for year in range(2016, 2021)
        ),
        (check_division, "440114"),
    ],
)
def test_a_good_code_is_given_back(check: Callable[[str], str], code: str) -> None:
    assert check(code) == code


# -- random codes against the oracle ---------------------------------------------------------------

bodies = st.tuples(
    st.text(CREDIT, min_size=2, max_size=2),
    st.text(string.digits, min_size=6, max_size=6),
    st.text(CREDIT, min_size=9, max_size=9),
).map("".join)


@given(bodies, st.sampled_from(CREDIT))
def test_a_credit_code_passes_exactly_with_the_digit_of_gb_32100(body: str, digit: str) -> None:
    right = gb_32100(body)
    assert check_credit_code(body + right) == body + right
    assume(digit != right)
    with pytest.raises(IdentifierError, match="check digit"):
        check_credit_code(body + digit)


@given(
    st.text(string.digits, min_size=6, max_size=6),
    st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    st.text(string.digits, min_size=3, max_size=3),
    st.sampled_from("0123456789X"),
)
def test_a_resident_number_passes_exactly_with_the_digit_of_mod_11_2(
    division: str, birth: date, order: str, digit: str
) -> None:
    body = f"{division}{birth:%Y%m%d}{order}"
    right = mod_11_2(body)
    assert check_resident_number(body + right) == body + right
    assume(digit != right)
    with pytest.raises(IdentifierError, match="check digit"):
        check_resident_number(body + digit)


identifiers = st.builds(
    Identifier,
    st.tuples(
        st.text(ALNUM, min_size=18, max_size=18), st.text(string.digits, min_size=3, max_size=3)
    ).map("".join),
    st.one_of(
        bodies.map(lambda body: body + gb_32100(body)),
        st.text(string.digits, min_size=6, max_size=6),
    ),
    st.text(ALNUM, min_size=1, max_size=32),
    st.integers(1, LAST_VERSION),
)


@given(identifiers)
def test_an_identifier_round_trips_with_the_check_of_mod_37_36(identifier: Identifier) -> None:
    text = str(identifier)
    assert parse_identifier(text) == identifier
    *parts, check = text.removeprefix(f"{ROOT}.").split(".")
    assert check == mod_37_36("".join(parts))


@given(identifiers, st.sampled_from(ALNUM))
def test_every_other_check_character_is_refused(identifier: Identifier, letter: str) -> None:
    assume(letter != identifier.check)
    with pytest.raises(IdentifierError, match="check character"):
        parse_identifier(str(identifier)[:-1] + letter)


@given(identifiers, st.data())
def test_one_changed_character_never_goes_unnoticed(
    identifier: Identifier, data: st.DataObject
) -> None:
    text = str(identifier)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from(ALNUM + "."))
    assume(letter != text[place])
    with pytest.raises(IdentifierError):
        parse_identifier(text[:place] + letter + text[place + 1 :])


@given(st.text(max_size=120))
def test_any_text_is_an_identifier_or_an_identifier_error(text: str) -> None:
    for check in (parse_identifier, parse_tail, check_credit_code, check_resident_number):
        with pytest.raises(IdentifierError):
            check(text)


# -- versions and serials --------------------------------------------------------------------------


@given(identifiers)
def test_bump_changes_the_version_alone(identifier: Identifier) -> None:
    if identifier.version == LAST_VERSION:
        with pytest.raises(IdentifierError) as refused:
            identifier.bump()
        assert refused.value.rule == "version"
        return
    after = identifier.bump()
    assert after.version == identifier.version + 1
    assert (after.type_code, after.issuer_code, after.serial) == (
        identifier.type_code,
        identifier.issuer_code,
        identifier.serial,
    )


@pytest.mark.parametrize("version", [0, -1, 1000])
def test_an_identifier_cannot_be_made_with_an_impossible_version(version: int) -> None:
    with pytest.raises(IdentifierError) as refused:
        Identifier(TYPE_CODE, ISSUER, "1", version)
    assert refused.value.rule == "version"


milliseconds = st.integers(0, 2**48 - 1)
randomness = st.binary(min_size=10, max_size=10)


@given(milliseconds, randomness, milliseconds, randomness)
def test_serials_are_ordered_by_time_and_then_by_randomness(
    first: int, one: bytes, second: int, other: bytes
) -> None:
    assert (make_serial(first, one) < make_serial(second, other)) == (
        (first, one) < (second, other)
    )


@given(milliseconds, randomness)
def test_a_serial_is_a_ulid_that_fits_an_identifier(time: int, drawn: bytes) -> None:
    serial = make_serial(time, drawn)
    assert len(serial) == 26
    crockford = {letter: value for value, letter in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}
    number = 0
    for letter in serial:
        number = number * 32 + crockford[letter]
    assert number == time << 80 | int.from_bytes(drawn, "big")
    assert Identifier(TYPE_CODE, ISSUER, serial).serial == serial


def test_the_ulid_of_the_specification() -> None:
    # github.com/ulid/spec: 01ARYZ6S41... stands for 1469918176385 milliseconds
    assert make_serial(1469918176385, bytes(10)).startswith("01ARYZ6S41")
