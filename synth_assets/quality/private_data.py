"""Secrets and personal data that have a form: keys, addresses, numbers with checksums.

Names and postal addresses are left out on purpose: recognisers for them flagged half of a clean instruction set. Every form here is checked
beyond its pattern where it can be (Luhn, mod 97, the date in an identity number, the address class of an IP), and published examples and reserved
names (RFC 2606, 555 numbers, documentation networks) do not count. Invariant: what is returned is a span of the text; showing it masked is the
caller's duty.
"""

import ipaddress
import re
from collections.abc import Iterator

__all__ = ["find_email", "find_iban", "find_identity_number", "find_ip_address", "find_payment_card", "find_phone_number", "find_secret"]

Span = tuple[int, int]

# Providers' documented key forms, as secret scanners use them.
_KEY = re.compile(
    r"""
    \b(?:
        (?:AKIA|ASIA)[0-9A-Z]{16}\b                                     # AWS
      | AIza[0-9A-Za-z_-]{35}                                           # Google
      | gh[pousr]_[0-9A-Za-z]{36,} | github_pat_[0-9A-Za-z_]{40,}       # GitHub
      | glpat-[0-9A-Za-z_-]{20,}                                        # GitLab
      | sk-(?:ant-|proj-|svcacct-)?[0-9A-Za-z_-]{32,}                   # Anthropic, OpenAI
      | hf_[0-9A-Za-z]{34}\b                                            # Hugging Face
      | xox[abeprs]-[0-9A-Za-z-]{20,}                                   # Slack
      | [sr]k_live_[0-9A-Za-z]{20,}                                     # Stripe
      | npm_[0-9A-Za-z]{36}\b | pypi-AgEI[0-9A-Za-z_-]{40,}             # package registries
      | eyJ[0-9A-Za-z_-]{15,}\.eyJ[0-9A-Za-z_-]{15,}\.[0-9A-Za-z_-]{20,}   # JSON web tokens
    )
    | -----BEGIN[ ](?:RSA[ ]|EC[ ]|DSA[ ]|OPENSSH[ ]|PGP[ ])?PRIVATE[ ]KEY(?:[ ]BLOCK)?-----
    """,
    re.VERBOSE | re.ASCII,
)
_PLACEHOLDER = re.compile(r"example|sample|your|x{4,}|dummy|fake|test|1234567|abcdefg|0{6}|\.\.\.", re.IGNORECASE)

_EMAIL = re.compile(r"(?<![\w.+%/-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}(?![\w-])", re.ASCII)
_RESERVED_DOMAIN = re.compile(
    r"(?:^|\.)(?:example(?:\.[a-z.]+)?|test|invalid|localhost|local)$|^(?:your|my|some)?-?(?:domain|company|email|website|site)\.", re.IGNORECASE
)
_RESERVED_LOCAL = re.compile(
    r"^(?:git|user(?:name)?\d*|name|e-?mail|example|your.*|my_.*|first\.?last|j(?:ohn|ane)\.?(?:doe|smith)|x+|\w|abc|someone|foo|test)$", re.IGNORECASE
)

_PHONE = re.compile(
    r"""
      (?<![\w.+/=-])(?:\+?1[-. ]?)?(?:\((?P<area1>[2-9]\d\d)\)[ ]?|(?P<area2>[2-9]\d\d)[-. ])(?P<exchange>[2-9]\d\d)[-. ](?P<line>\d{4})(?![\w-]|\.\d)
    | (?<![\w.+])\+(?!1[-. (\d])[1-9]\d{0,2}(?:[ .-]?\(?\d{1,4}\)?){2,5}(?![\w-])           # international, other than North America
    | (?:电话|手机|联系|致电|拨打|热线|微信|[Tt]el|[Pp]hone|[Mm]obile)[^\d\n]{0,8}(?P<mobile>(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4})(?!\d)
    | (?<![\d.+-])1[3-9]\d(?P<gap>[ -])\d{4}(?P=gap)\d{4}(?![\d-])                        # Chinese mobile number in its usual groups
    """,
    re.VERBOSE | re.ASCII,
)
_TOLL_FREE = frozenset({"800", "833", "844", "855", "866", "877", "888", "900"})

_CARD = re.compile(r"(?<![\d.,$€£¥/-])(?:\d[ -]?){12,18}\d(?![\d-]|[.,]\d)", re.ASCII)
_CARD_ISSUER = re.compile(r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|6(?:011|5\d\d)\d{12}|62\d{14,17}")
_CARD_GROUPS = re.compile(r"\d+|\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{5}")
_TEST_CARDS = frozenset(
    {
        "4111111111111111",
        "4012888888881881",
        "4242424242424242",
        "5555555555554444",
        "5105105105105100",
        "378282246310005",
        "371449635398431",
        "6011111111111117",
    }
)

_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?!\w)", re.ASCII)
_IBAN_LENGTH = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI NL",
        19: "SI",
        20: "AT EE KZ LT LU",
        21: "CH HR LI LV",
        22: "BG DE GB GE IE ME RS",
        23: "AE GI IL",
        24: "AD CZ ES MD PK RO SA SE SK TN",
        25: "PT",
        26: "IS TR",
        27: "FR GR IT MC SM",
        28: "CY HU LB PL",
        29: "BR QA UA",
        30: "KW",
        31: "MT",
    }.items()
    for country in countries.split()
}
_EXAMPLE_IBANS = frozenset({"GB82WEST12345698765432", "GB29NWBK60161331926819", "DE89370400440532013000", "FR1420041010050500013M02606"})

_IDENTITY_NUMBER = re.compile(
    r"(?<![\dA-Za-z.])(?P<chinese>[1-8]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx])(?![\dA-Za-z])"
    r"|(?<![\d-])(?P<us>(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4})(?![\d-])"
)
_EXAMPLE_IDENTITIES = frozenset({"078-05-1120", "219-09-9999", "123-45-6789", "111-22-3333", "123-12-1234"})
_CHINESE_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

_IPV4 = re.compile(r"(?<![\w.\-/])(?:\d{1,3}\.){3}\d{1,3}(?![\w\-]|\.\d)", re.ASCII)
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f]{1,4}(?![\w:.])", re.ASCII)
_VERSION_BEFORE = re.compile(r"(?:\b(?:v|ver|version|release|section|chapter|build|clause|step)\.?|版本|版|节|章|§)[\s:：]*$", re.IGNORECASE)
_PUBLIC_RESOLVERS = frozenset({"1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9", "208.67.222.222", "208.67.220.220", "114.114.114.114", "223.5.5.5"})


def find_secret(text: str) -> Span | None:
    """Where `text` holds a key, token or private key in its provider's form; placeholders such as `sk-xxxx` do not count."""
    for match in _KEY.finditer(text):
        if match.group().startswith("-----") or (not _PLACEHOLDER.search(match.group()) and len(set(match.group())) >= 12):
            return match.span()
    return None


def find_email(text: str) -> Span | None:
    """Where `text` holds an e-mail address outside the reserved domains (RFC 2606) and the usual placeholders."""
    if "@" not in text:
        return None
    for match in _EMAIL.finditer(text):
        local, domain = match.group().rsplit("@", 1)
        if not _RESERVED_DOMAIN.search(domain) and not _RESERVED_LOCAL.match(local):
            return match.span()
    return None


def find_phone_number(text: str) -> Span | None:
    """Where `text` holds a North American, international or Chinese mobile number; 555 and toll-free numbers do not count."""
    for match in _PHONE.finditer(text):
        area = match["area1"] or match["area2"]
        if area is not None:
            # No exchange and no area is N11 (services), and no area N9X (kept for longer numbers).
            if "555" in (area, match["exchange"]) or area in _TOLL_FREE or area[1] == "9" or "11" in (area[1:], match["exchange"][1:]):
                continue
        elif match["mobile"] is not None:
            return match.span("mobile")
        elif match.group().startswith("+") and not 8 <= sum(map(str.isdigit, match.group())) <= 15:
            continue
        if not _counts_up(match.group()):
            return match.span()
    return None


def find_payment_card(text: str) -> Span | None:
    """Where `text` holds a card number: an issuer's prefix and length, Luhn's checksum, usual grouping; published test numbers do not count."""
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        is_card = _CARD_ISSUER.fullmatch(digits) and _CARD_GROUPS.fullmatch(match.group()) and luhn(digits)
        if is_card and digits not in _TEST_CARDS and len(set(digits)) >= 4:
            return match.span()
    return None


def find_iban(text: str) -> Span | None:
    """Where `text` holds an account number (ISO 13616): its country's length and the checksum mod 97; published examples do not count."""
    for match in _IBAN.finditer(text):
        length = _IBAN_LENGTH.get(match.group()[:2], 0)
        iban, end = "", match.start()
        while len(iban) < length and end < match.end():
            iban += text[end].strip()
            end += 1
        if length and len(iban) == length and iban not in _EXAMPLE_IBANS and int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1:
            return match.start(), end
    return None


def find_identity_number(text: str) -> Span | None:
    """Where `text` holds a Chinese resident identity number (GB 11643, with its check digit) or a US social security number."""
    for match in _IDENTITY_NUMBER.finditer(text):
        if match["us"]:
            if match["us"] not in _EXAMPLE_IDENTITIES:
                return match.span()
            continue
        digits = match["chinese"]
        if "10X98765432"[sum(int(d) * w for d, w in zip(digits, _CHINESE_WEIGHTS, strict=False)) % 11] == digits[17].upper():
            return match.span()
    return None


def find_ip_address(text: str) -> Span | None:
    """Where `text` holds a public IP address; private, reserved and documentation ranges, public resolvers and version numbers do not count."""
    for match in _addresses(text):
        try:
            address = ipaddress.ip_address(match.group())
        except ValueError:
            continue
        octets = match.group().split(".")
        is_version = len(octets) == 4 and (sum(len(o) > 1 for o in octets) < 2 or _VERSION_BEFORE.search(text[max(0, match.start() - 12) : match.start()]))
        if address.is_global and not address.is_multicast and not is_version and match.group() not in _PUBLIC_RESOLVERS:
            return match.span()
    return None


def luhn(digits: str) -> bool:
    """Whether `digits` pass Luhn's checksum (ISO/IEC 7812)."""
    doubled = "0246813579"
    return (sum(int(d) for d in digits[-1::-2]) + sum(int(doubled[int(d)]) for d in digits[-2::-2])) % 10 == 0


def _addresses(text: str) -> Iterator[re.Match[str]]:
    yield from _IPV4.finditer(text)
    yield from _IPV6.finditer(text)


def _counts_up(number: str) -> bool:
    """Whether the last seven digits are an obvious filler: all equal, or 1234567 and the like."""
    digits = "".join(c for c in number if c.isdigit())[-7:]
    return len(set(digits)) == 1 or digits in "01234567890123" or digits in "98765432109876"
