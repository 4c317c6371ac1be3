"""The embedded model for real: it starts, answers, says nothing on the terminal, and leaves no trace of itself."""

import socket
import sqlite3
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from synth_assets.errors import TeacherUnavailable
from synth_assets.teacher import embedded
from synth_assets.teacher.choice import open_teacher
from synth_assets.teacher.embedded import EmbeddedServer
from synth_assets.teacher.terms import EMBEDDED_MODEL
from synth_assets_tests.teacher.driving import ask, request


def listens(url: str) -> bool:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    with socket.socket() as client:
        return client.connect_ex((parts.hostname, parts.port)) == 0


def test_identity_does_not_need_the_server_and_is_the_same_for_two(tmp_path: Path) -> None:
    one, two = EmbeddedServer(tmp_path / "a"), EmbeddedServer(tmp_path / "b")
    assert one.identity == two.identity
    assert one.identity.startswith("embedded:")
    assert EmbeddedServer(tmp_path / "a").identity == one.identity
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["embedded_model.sha256"]


def test_a_damaged_note_of_the_digest_is_made_again(tmp_path: Path) -> None:
    expected = EmbeddedServer(tmp_path).identity
    note = tmp_path / "embedded_model.sha256"
    for damage in ("", "x", note.read_text(encoding="utf-8").partition("\n")[0], "other file\nffff"):
        note.write_text(damage, encoding="utf-8")
        assert EmbeddedServer(tmp_path).identity == expected


def test_a_model_that_is_not_installed_is_told_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "PACKAGE", "no_such_package_here")
    with pytest.raises(TeacherUnavailable, match=r"make demo.*ANTHROPIC_API_KEY"):
        _ = EmbeddedServer(tmp_path).identity


@pytest.mark.slow
def test_it_starts_answers_stops_and_starts_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    message = request("Name one colour.", max_tokens=16)
    turn = request(messages=(), user_turn=True, system="You teach cooking.", max_tokens=24, stop=("<|im_end|>",))
    too_long = request("word " * 4000, max_tokens=16)
    with open_teacher(tmp_path, {}) as teacher:
        answer, question, refused = ask(teacher, message, turn, too_long)
        assert answer.text.strip()
        assert question.text.strip()
        assert refused.failure == "bad_request"
        assert min(answer.input_tokens, answer.output_tokens, question.input_tokens, question.output_tokens) > 0
        assert {answer.model, question.model, refused.model} == {EMBEDDED_MODEL}
        url = teacher.endpoint.base_url()
        assert listens(url)
    assert not listens(url)
    with open_teacher(tmp_path, {}) as teacher:
        assert ask(teacher, request("Name one animal.", max_tokens=8))[0].output_tokens > 0
        url = teacher.endpoint.base_url()
    assert not listens(url)
    assert tuple(capfd.readouterr()) == ("", "")

    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    stored = str(connection.execute("select * from replies").fetchall())
    connection.close()
    assert ".gguf" not in stored
    assert str(EmbeddedServer(tmp_path).model_file.parent) not in stored

    with open_teacher(tmp_path, {}) as teacher:
        again = ask(teacher, message, turn)
        assert [(r.text, r.cached) for r in again] == [(answer.text, True), (question.text, True)]
        assert teacher.calls_made == 0


@pytest.mark.slow
def test_the_same_request_is_answered_the_same_at_any_concurrency(tmp_path: Path) -> None:
    sampling = (("repeat_penalty", 1.1), ("temperature", 0.7))
    batch = [request(f"Tell a story about {word}.", max_tokens=30, sampling=sampling, sample=n) for word in ("bread", "rain") for n in range(2)]
    batch += [request(messages=(), user_turn=True, system="You teach cooking.", max_tokens=24, sampling=sampling)]
    with open_teacher(tmp_path / "a", {}) as teacher:
        first = [reply.text for reply in ask(teacher, *batch)]
    with open_teacher(tmp_path / "b", {"SYNTH_CONCURRENCY": "1"}) as teacher:
        assert [reply.text for reply in ask(teacher, *reversed(batch))] == first[::-1]
    assert len(set(first)) == len(first)


@pytest.mark.slow
def test_sampling_has_its_effect(tmp_path: Path) -> None:
    batch = [request("Tell me a story about a fox.", max_tokens=60, sampling=(("repeat_penalty", p), ("temperature", 0.0))) for p in (1.0, 1.3)]
    with open_teacher(tmp_path, {}) as teacher:
        plain, penalized = ask(teacher, *batch)
    assert plain.text != penalized.text


@pytest.mark.slow
def test_it_may_be_stopped_right_after_its_start(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    for _ in range(8):
        assert listens(server.base_url)
        server.stop()
