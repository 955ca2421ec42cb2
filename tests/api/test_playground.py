from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from api.playground import HERE, Tab, routes

TABS = [
    Tab("Driver", "query Mine($last: Int!) { me { sessions(last: $last) { id } } }", {"last": 3}, "driver-token"),
    Tab("Anyone", "{ stations { id } }"),
]
FILES = {
    "boot.js": "text/javascript",
    "graphiql.js": "text/javascript",
    "graphiql.css": "text/css",
    "playground.css": "text/css",
    "icon.svg": "image/svg+xml",
    "LICENSE.txt": "text/plain",
}
ORIGIN = "http://testserver"


class Page(HTMLParser):
    """Where a page leads, and what it runs by itself."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "srcset", "data"}]
        self.inline += [name for name, _ in attrs if name.startswith("on") or name == "style"]

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside.removesuffix(tag)

    def handle_data(self, data: str) -> None:
        if self.inside in {"script", "style"}:
            self.inline += [data]


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(Starlette(routes=routes(TABS))) as started:
        yield started


def test_the_page_opens(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>Tallywatt playground</title>" in answer.text


def test_whatever_the_page_names_is_served_from_its_own_origin(client: TestClient) -> None:
    addresses = Page(client.get("/").text).addresses
    assert addresses
    for address in addresses:
        assert urljoin(f"{ORIGIN}/", address).startswith(f"{ORIGIN}/")
        assert client.get(address).status_code == 200


def test_the_page_runs_nothing_inline(client: TestClient) -> None:
    assert Page(client.get("/").text).inline == []


@pytest.mark.parametrize(("name", "kind"), FILES.items())
def test_files_say_what_they_are(client: TestClient, name: str, kind: str) -> None:
    answer = client.get(f"/playground/static/{name}")
    assert answer.status_code == 200
    told = answer.headers["content-type"].partition(";")[0]
    assert told.replace("application/javascript", "text/javascript") == kind  # as Python < 3.12 knows it
    assert answer.headers["cache-control"] == "no-cache"


def test_no_file_is_served_that_is_not_listed_here() -> None:
    assert {path.name for path in (HERE / "static").iterdir()} == FILES.keys()


def test_a_file_that_has_not_changed_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/playground/static/graphiql.js")
    again = client.get("/playground/static/graphiql.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    ["../__init__.py", "..%2f__init__.py", "..%2F..%2Fcli.py", "%2e%2e/index.html", "%2fetc%2fpasswd", "no.js", ""],
)
def test_nothing_outside_the_folder_is_served(client: TestClient, path: str) -> None:
    assert client.get(f"/playground/static/{path}").status_code == 404


@pytest.mark.parametrize("path", ["/", "/playground/tabs.json", *(f"/playground/static/{name}" for name in FILES)])
def test_the_browser_is_held_to_this_origin(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers


def test_tabs_bring_their_tokens_and_are_never_kept(client: TestClient) -> None:
    answer = client.get("/playground/tabs.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == [
        {
            "title": "Driver",
            "query": TABS[0].query,
            "variables": {"last": 3},
            "headers": {"Authorization": "Bearer driver-token"},
        },
        {"title": "Anyone", "query": TABS[1].query, "variables": {}, "headers": {}},
    ]


def test_tokens_may_be_renewed_while_the_gateway_runs() -> None:
    tabs = [Tab("Driver", "{ me { id } }", token="old")]
    with TestClient(Starlette(routes=routes(tabs))) as client:
        tabs[:] = [Tab("Driver", "{ me { id } }", token="new")]
        assert client.get("/playground/tabs.json").json()[0]["headers"] == {"Authorization": "Bearer new"}


def test_a_token_is_not_in_what_a_tab_looks_like() -> None:
    assert "driver-token" not in repr(TABS[0])


def test_our_scripts_and_styles_name_no_other_origin() -> None:
    for name in ("boot.js", "playground.css"):
        text = (HERE / "static" / name).read_text("utf-8")
        assert re.findall(r"""["'`(]\s*(?:[a-z]+:)?//""", text) == []


def test_the_bundled_styles_load_nothing() -> None:
    text = (HERE / "static" / "graphiql.css").read_text("utf-8")
    assert "@import" not in text
    assert all(urlsplit(url.strip("\"'")).scheme == "data" for url in re.findall(r"url\(([^)]*)\)", text))


def test_the_bundle_knows_other_hosts_only_in_links_and_names() -> None:
    text = (HERE / "static" / "graphiql.js").read_text("utf-8")
    assert set(re.findall(r"\b(?:https?|wss?)://([\w.-]+)", text)) == {
        "codemirror.net",  # in the help on short keys
        "commonmark.org",  # in the description of @deprecated
        "en.wikipedia.org",  # in the description of Float
        "github.com",  # behind GraphiQL's own name, which ours replaces
        "react.dev",  # in messages of errors
        "www.w3.org",  # names of XML
        "yarnpkg.com",  # in messages of errors
    }
    assert "sourceMappingURL" not in text


def test_the_words_of_the_licences_come_along(client: TestClient) -> None:
    words = client.get("/playground/static/LICENSE.txt").text
    versions = dict(re.findall(r'"([@\w/-]+)": "(\d[\d.]*)"', (HERE / "source/package.json").read_text("utf-8")))
    assert len(versions) == 7
    for name, version in versions.items():
        assert name == "esbuild" or f"\n{name} {version}\n" in words
        assert name == "esbuild" or version in (HERE / "BUNDLE.md").read_text("utf-8")
