"""What a call costs, and what is free."""

from typing import Any

import pytest

from synth_assets.errors import SynthError
from synth_assets.teacher.answers import Usage
from synth_assets.teacher.endpoint import Endpoint
from synth_assets.teacher.messages import Message, Profile, Request
from synth_assets.teacher.prices import Price, Thinking, is_own_server, price_of, thinking_first, thinks
from synth_assets.teacher.wire import message_body

CLOUD = "https://api.anthropic.com"


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("claude-sonnet-4-5", Price(3, 15)),
        ("claude-sonnet-4-5-20250929", Price(3, 15)),
        ("claude-opus-4-1", Price(15, 75)),
        ("claude-opus-4-5", Price(5, 25)),
        ("claude-haiku-4-5", Price(1, 5)),
        ("claude-sonnet-5-5", Price(2, 10)),
        ("claude-fable-5-1", Price(10, 50)),
        ("claude-next-1", None),
        ("gpt-oss", None),
        ("", None),
    ],
)
def test_the_longest_beginning_of_a_name_counts(model: str, price: Price | None) -> None:
    assert price_of(model, CLOUD, {}) == price


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080/", True),
        ("http://model.localhost", True),
        ("http://[::1]:80", True),
        ("http://192.168.1.5:8000", True),
        ("http://10.0.0.1", True),
        ("https://api.anthropic.com", False),
        ("https://8.8.8.8", False),
        ("https://localhost.example.com", False),
        ("https://127.0.0.1.example.com", False),
        ("http://localhost@example.com", False),
        ("", False),
    ],
)
def test_an_own_server_is_free(url: str, own: bool) -> None:
    assert is_own_server(url) is own
    assert price_of("some-model", url, {}) == (Price(0, 0) if own else None)


def test_the_users_price_comes_before_all() -> None:
    assert price_of("claude-sonnet-4-5", "http://localhost", {"SYNTH_PRICE_USD_PER_MTOK": " 1.5, 7 "}) == Price(1.5, 7)


@pytest.mark.parametrize("text", ["3", "3,15,2", "a,b", "-1,2", "nan,1", "1,inf", ",", "3;15"])
def test_what_is_no_price_is_told_with_an_example(text: str) -> None:
    with pytest.raises(SynthError, match=r"is not a price.*such as 3,15"):
        price_of("m", CLOUD, {"SYNTH_PRICE_USD_PER_MTOK": text})


def test_a_bound_is_never_below_the_price() -> None:
    price = Price(3, 15)
    for text, tokens in [("a" * 4000, 1000), ("你" * 1000, 2000), ("\U0001f9ff" * 1000, 4000)]:
        assert price.at_most(len(text.encode()), 500) >= price.of(Usage(tokens, 500))
        assert price.at_most(len(text.encode()), 500) >= price.of(Usage(0, 500, cache_write=tokens))


def test_what_goes_into_the_prompt_cache_costs_more_and_what_comes_from_it_less() -> None:
    price = Price(4, 20)
    plain, written, read = (price.of(usage) for usage in (Usage(1000, 0), Usage(0, 0, cache_write=1000), Usage(0, 0, cache_read=1000)))
    assert (written / plain, read / plain) == pytest.approx((1.25, 0.1))


@pytest.mark.parametrize(
    ("model", "max_tokens", "parameters", "room"),
    [
        ("claude-opus-5-5", 16_000, {}, 0),
        ("claude-sonnet-5-5", 16_000, {"thinking": {"type": "adaptive"}}, 0),
        ("claude-haiku-5-5", 200, {"thinking": {"type": "adaptive"}}, 0),
        ("claude-sonnet-4-5", 16_000, {"thinking": {"type": "enabled", "budget_tokens": 12_000}}, 0),
        ("claude-haiku-4-5", 300, {"thinking": {"type": "enabled", "budget_tokens": 1024}}, 1024),
    ],
)
def test_a_model_is_made_to_think_in_its_own_way(model: str, max_tokens: int, parameters: dict[str, Any], room: int) -> None:
    assert thinks(model) and thinking_first(model, max_tokens) == Thinking(parameters, room)


def test_a_model_that_nobody_knows_is_not_taken_for_one_that_thinks() -> None:
    assert not thinks("SmolLM2-135M-Instruct") and not thinks("qwen3-8b")


def test_thinking_is_part_of_what_is_asked() -> None:
    endpoint = Endpoint("https://api", lambda: "https://api", Profile("claude-haiku-4-5"), Price(1, 5), 1)
    plain, thinking = (Request((Message("user", "2 + 2"),), 300, thinks=asked) for asked in (False, True))
    assert endpoint.key(plain) != endpoint.key(thinking)
    assert "thinking" not in message_body(endpoint, plain)
    body = message_body(endpoint, thinking)
    assert body["thinking"]["budget_tokens"] < body["max_tokens"] == 1324
