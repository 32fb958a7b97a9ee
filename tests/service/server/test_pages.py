"""The pages for people: complete without another host, without a key, and closed to scripts of others."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from service.server.pages.routes import prefers_json
from tests.service.conftest import make_settings, running

PAGES = ["/", "/docs"]
REFERENCE = re.compile(r"(?:src|href|action)=[\"']([^\"']+)")


def assets_of(page: str) -> list[str]:
    return [f"/{link}" for link in REFERENCE.findall(page) if link != "data:,"]


@pytest.mark.parametrize("path", PAGES)
def test_everything_that_a_page_names_is_served_here_without_a_key(client: TestClient, path: str) -> None:
    page = client.get(path, headers={"Accept": "text/html", "Authorization": ""})

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert assets_of(page.text)
    for link in assets_of(page.text):
        answer = client.get(link, headers={"Authorization": ""})
        assert answer.status_code == 200, link
        assert answer.content, link


@pytest.mark.parametrize("path", PAGES)
def test_pages_and_their_own_files_name_no_other_host(client: TestClient, path: str) -> None:
    page = client.get(path, headers={"Accept": "text/html"}).text
    own = [client.get(link).text for link in ("/docs/pages.css", "/docs/reference.js")]

    for text in (page, *own):
        assert "//" not in text.replace("  // ", "")


def test_styles_of_the_reference_load_nothing_from_elsewhere(client: TestClient) -> None:
    styles = client.get("/docs/swagger-ui.css").text

    loaded = re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')]{0,40})", styles)
    assert loaded
    assert all(address.startswith("data:") for address in loaded)


@pytest.mark.parametrize("path", [*PAGES, "/docs/reference.js", "/docs/swagger-ui-bundle.js", "/openapi.json"])
def test_pages_are_guarded_by_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers

    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", PAGES)
def test_no_page_holds_a_script_or_a_style_of_its_own(client: TestClient, path: str) -> None:
    page = client.get(path, headers={"Accept": "text/html"}).text

    assert not re.findall(r"<script[^>]*>[^<]|<style|\son\w+=|\sstyle=|javascript:", page)


def test_the_home_page_says_what_is_live_and_no_figure_of_the_business(client: TestClient) -> None:
    page = client.get("/", headers={"Accept": "text/html"}).text
    about = client.get("/", headers={"Accept": "application/json"}).json()

    assert about["version"] in page
    assert about["status"] == "ok"
    assert about["artifact"]["is_live"] is True
    assert f"{about['artifact']['version']} is live" in page
    assert f"{about['artifact']['age_days']} days ago" in page or "1 day ago" in page
    assert set(about) == {"name", "version", "status", "artifact", "links"}
    assert all(client.get(link).status_code == 200 for link in about["links"].values())


def test_the_reference_shows_the_contract_and_calls_the_service_that_it_came_from(client: TestClient) -> None:
    document = client.get("/openapi.json").json()

    assert "/v1/recommendations/{account_id}" in " ".join(document["paths"])
    assert document["servers"] == [{"url": "./"}]
    assert "](docs/" not in document["info"]["description"]
    assert "SwaggerUIBundle" in client.get("/docs/swagger-ui-bundle.js").text[:2000]


@pytest.mark.parametrize("name", ["nothing.js", "redoc.standalone.js", "..%2froutes.py", "home.html"])
def test_nothing_else_of_the_folders_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/docs/{name}").status_code == 404


def test_pages_can_be_switched_off(database_url: str, artifacts_dir: Path) -> None:
    settings = make_settings(database_url, artifacts_dir).model_copy(update={"pages": False})

    with running(settings) as client:
        answers = [client.get(path).status_code for path in (*PAGES, "/openapi.json", "/docs/pages.css")]

    assert answers == [404, 404, 404, 404]


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ("application/json", True),
        ("*/*", False),
        ("", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("application/json, text/html;q=0.5", True),
        ("application/json;q=0.5, text/html", False),
        ("application/json;q=x", False),
    ],
)
def test_json_is_for_those_who_ask_for_it(accept: str, is_json: bool) -> None:
    assert prefers_json(accept) is is_json
