"""The page's server against whoever is not its reviewer: without token, under a foreign name, from another page, with nonsense."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from threading import Thread

import pytest

from synth_assets.errors import ReviewError
from synth_assets.review.sample import load_sample
from synth_assets.review.server import ReviewServer
from synth_assets.review.session import Session
from synth_assets.review.verdicts import Verdicts
from synth_assets_tests.review.desk import make_desk


class Client:
    """Requests with headers of one's own choice."""

    def __init__(self, server: ReviewServer) -> None:
        self.server = server
        self.own = {
            "Host": f"127.0.0.1:{server.server_port}",
            "Cookie": f"{server.cookie}={server.token}",
            "Origin": f"http://127.0.0.1:{server.server_port}",
            "Content-Type": "application/json",
        }

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str | None) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=20)
        with closing(connection):
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            wanted = self.own | ({"Content-Length": str(len(body))} if body is not None else {})
            for name, value in (wanted | {n.replace("_", "-"): v for n, v in headers.items()}).items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewServer]:
    folder = tmp_path_factory.mktemp("server")
    desk = make_desk(folder)
    sample = load_sample(desk.warehouse, {"boats": desk.domain})
    with closing(Verdicts(folder / "reviews.sqlite")) as store, ReviewServer(Session(sample, store, "ann")) as made:
        thread = Thread(target=made.serve_forever)
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()


@pytest.fixture
def client(server: ReviewServer) -> Client:
    return Client(server)


def verdict(server: ReviewServer, number: int) -> bytes:
    item = server.session.sample.items[0]
    return json.dumps({"place": 0, "content_key": item.content_key, "action": "reject", "reason": "wrong", "request": f"request-{number:09}"}).encode()


PATHS = ["/", "/review.js", "/view.js", "/words.js", "/review.css", "/api/state", "/api/rows/0"]


@pytest.mark.parametrize("path", PATHS)
def test_every_path_needs_the_token_and_our_name_and_is_never_kept_or_framed(client: Client, path: str) -> None:
    status, headers, body = client.ask("GET", path)
    assert status == 200 and body
    assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy and "http" not in policy
    port = client.server.server_port
    for bad in ({"Cookie": None}, {"Cookie": f"{client.server.cookie}=guess"}, {"Cookie": 'a="b; ' * 50}, {"Cookie": f"{client.server.cookie}=é"}):
        assert client.ask("GET", path, **bad)[0] == 403, bad
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"localhost.:{port}", None, ""):
        assert client.ask("GET", path, Host=host)[0] in {400, 421}, host


def test_the_address_gives_the_cookie_once_and_only_the_right_one(client: Client) -> None:
    status, headers, _ = client.ask("GET", f"/?token={client.server.token}", Cookie=None)
    assert status == 200 and headers["Set-Cookie"] == f"{client.server.cookie}={client.server.token}; HttpOnly; SameSite=Strict; Path=/"
    assert client.ask("GET", "/?token=wrong", Cookie=None)[0] == 403
    assert client.ask("GET", f"/api/state?token={client.server.token}", Cookie=None)[0] == 403
    assert "token" not in client.ask("GET", "/?token=wrong", Cookie=None)[2].decode().replace("holds the token", "")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": None}, 403),
        ({"Origin": "null"}, 403),
        ({"Cookie": None}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Length": "99999999"}, 413),
        ({"Content_Length": "x"}, 413),
    ],
)
def test_another_page_cannot_give_a_verdict(client: Client, headers: dict[str, str | None], status: int) -> None:
    before = client.server.session.store.entries()
    assert client.ask("POST", "/api/verdicts", verdict(client.server, 1), **headers)[0] == status
    assert client.server.session.store.entries() == before


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/verdicts", b"[]", 400),
        ("POST", "/api/verdicts", b"{", 400),
        ("POST", "/api/verdicts", b"[" * 100_000, 400),
        ("POST", "/api/verdicts", b"\xff", 400),
        ("POST", "/api/verdicts", b"{}", 422),
        ("POST", "/api/nothing", b"{}", 404),
        ("GET", "/api/rows/99", None, 422),
        ("GET", "/api/rows/-1", None, 404),
        ("GET", "/api/rows/%d9%a1", None, 404),
        ("GET", "/../cli.py", None, 404),
        ("GET", "/page/index.html", None, 404),
        ("GET", "/%2e%2e/cli.py", None, 404),
        ("DELETE", "/api/verdicts", None, 501),
        ("OPTIONS", "/api/verdicts", None, 501),
    ],
)
def test_nonsense_is_answered_in_words(client: Client, method: str, path: str, body: bytes | None, status: int) -> None:
    found, _, answer = client.ask(method, path, body)
    assert found == status and b"Traceback" not in answer


def test_a_taken_port_is_said(server: ReviewServer) -> None:
    with pytest.raises(ReviewError, match="another --port"):
        ReviewServer(server.session, server.server_port)


def test_it_listens_on_loopback_alone(server: ReviewServer) -> None:
    assert server.server_address[0] == "127.0.0.1"


def test_a_verdict_comes_in_and_tells_the_state(client: Client) -> None:
    status, _, body = client.ask("POST", "/api/verdicts", verdict(client.server, 2))
    assert status == 200 and json.loads(body)["mine"] == {"action": "reject", "reason": "wrong"}
    assert client.ask("POST", "/api/verdicts", verdict(client.server, 2))[0] == 200
    assert len(client.server.session.store.entries()) == 1
