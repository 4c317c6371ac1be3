"""Keys and numbers are put together here from pieces, so that no scanner takes this file for a leak."""

from collections.abc import Callable

import pytest

from synth_assets.quality import private_data
from synth_assets.quality.private_data import luhn

Find = Callable[[str], tuple[int, int] | None]

RANDOM = "q7Zp2LkW9xV4bN8mR5tY1cF6hJ3dS0gA" + "uE7iO2wQ"


def card(first: str) -> str:
    """A number that begins with `first`, with its check digit."""
    return next(first + str(d) for d in range(10) if luhn(first + str(d)))


def iban(country: str, account: str) -> str:
    remainder = int("".join(str(int(c, 36)) for c in account + country + "00")) % 97
    return f"{country}{98 - remainder:02d}{account}"


def resident(first: str) -> str:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return first + "10X98765432"[sum(int(d) * w for d, w in zip(first, weights, strict=True)) % 11]


GERMAN = iban("DE", "500105175407324931"[:18])
VISA = card("453201511283" + "036")

FOUND: list[tuple[Find, str, str]] = [
    (private_data.find_secret, "key = {}", "AKIA" + "J7Q2XK4WZP9LMN3R"),
    (private_data.find_secret, "token: {}.", "ghp_" + RANDOM[:36]),
    (private_data.find_secret, "set KEY={} now", "sk-" + "ant-" + RANDOM),
    (private_data.find_secret, "{}", "hf_" + RANDOM[:34]),
    (private_data.find_secret, "{}\nMIIE", "-----BEGIN RSA " + "PRIVATE KEY-----"),
    (private_data.find_email, "Write to {}, please.", "m.okafor@uni-leeds.ac.uk"),
    (private_data.find_email, "联系{}谢谢", "zhang.wei@mail.sina.cn"),
    (private_data.find_phone_number, "Call {} now", "(732) 830-9763"),
    (private_data.find_phone_number, "Call {} now", "+1 212-684-4700"),
    (private_data.find_phone_number, "Call {}.", "+44 20 7946 1834"),
    (private_data.find_phone_number, "手机：{}", "13912847365"),
    (private_data.find_phone_number, "打 {} 吧", "139 1284 7365"),
    (private_data.find_payment_card, "Card {} was charged", VISA),
    (private_data.find_payment_card, "Card {} was charged", " ".join(VISA[i : i + 4] for i in range(0, 16, 4))),
    (private_data.find_payment_card, "卡号{}。", card("622848001234567")),
    (private_data.find_payment_card, "{}", card("37144963539" + "472")),
    (private_data.find_iban, "Pay to {} today", GERMAN),
    (private_data.find_iban, "Pay to {} TODAY", " ".join(GERMAN[i : i + 4] for i in range(0, 22, 4))),
    (private_data.find_identity_number, "身份证号{}，", resident("11010519850307283")),
    (private_data.find_identity_number, "SSN {}.", "512-48-" + "7306"),
    (private_data.find_ip_address, "Ping {} twice", "59.187.84.127"),
    (private_data.find_ip_address, "Ping {} twice", "2a00:1450:4001:81b:0:0:0:200e"),
]

PASSED: list[tuple[Find, str]] = [
    (private_data.find_email, "Valid: a@d.co, b@d.co, but not @.co"),
    (private_data.find_phone_number, "+ 1 (790) 998-9545"),  # no area code has a 9 in the middle
    (private_data.find_phone_number, "Call 911-284-7365 or 212-611-4700"),
    (private_data.find_secret, "sk-" + "x" * 40),
    (private_data.find_secret, "AKIAIOSFODNN7EXAMPLE"),
    (private_data.find_secret, "sk-your-api-key-goes-here-in-this-place-please"),
    (private_data.find_secret, "the risk-assessment-of-large-scale-infrastructure-projects"),
    (private_data.find_email, "jane@example.com, bob@mail.example.org, x@host.test"),
    (private_data.find_email, "@app.route('/') and git@github.com:a/b.git"),
    (private_data.find_email, "your.name@gmail.com"),
    (private_data.find_email, "user@localhost a@b"),
    (private_data.find_phone_number, "555-123-4567, (415) 555-0123, 1-800-275-2273"),
    (private_data.find_phone_number, "123-456-7890"),
    (private_data.find_phone_number, "2023-10-12, 3.141-592-6535, 100-200-3000-4000"),
    (private_data.find_phone_number, "13912847365 is prime?"),
    (private_data.find_phone_number, "x = +25 - 300 and +1 to that"),
    (private_data.find_payment_card, "4111 1111 1111 1111"),
    (private_data.find_payment_card, VISA[:-1] + str((int(VISA[-1]) + 1) % 10)),
    (private_data.find_payment_card, f"0.{VISA} or ${VISA} or {VISA}.5"),
    (private_data.find_payment_card, "1234567890123456"),
    (private_data.find_iban, "GB82 WEST 1234 5698 7654 32"),
    (private_data.find_iban, GERMAN[:-1] + str((int(GERMAN[-1]) + 1) % 10)),
    (private_data.find_iban, "ZZ" + GERMAN[2:]),
    (private_data.find_identity_number, "123-45-6789 and 000-12-3456"),
    (private_data.find_identity_number, "110105198503072830"),
    (private_data.find_ip_address, "192.168.0.1, 10.0.0.12, 127.0.0.1, 203.0.113.77, 8.8.8.8"),
    (private_data.find_ip_address, "version 12.34.56.78 and section 1.2.3.4"),
    (private_data.find_ip_address, "12:34:56 and std::vector and 999.10.20.30"),
    (private_data.find_ip_address, "2001:db8:0:0:0:0:0:1"),
]


@pytest.mark.parametrize(("find", "frame", "value"), FOUND)
def test_data_are_found_where_they_stand(find: Find, frame: str, value: str) -> None:
    text = frame.format(value)
    span = find(text)
    assert span is not None
    assert text[slice(*span)].strip() == value


@pytest.mark.parametrize(("find", "text"), PASSED)
def test_examples_and_look_alikes_pass(find: Find, text: str) -> None:
    assert find(text) is None


@pytest.mark.parametrize("name", private_data.__all__)
@pytest.mark.parametrize("text", ["", "a", "no data here", "这里没有", "1", "9" * 100_000, "a@" * 50_000, "1." * 50_000, "::" * 50_000, "DE12 " * 20_000])
def test_nothing_is_found_in_nothing(name: str, text: str) -> None:
    assert getattr(private_data, name)(text) is None


@pytest.mark.parametrize(("digits", "valid"), [("79927398713", True), ("79927398710", False), ("0", True), ("18", True), ("81", False)])
def test_luhn(digits: str, valid: bool) -> None:
    assert luhn(digits) is valid
