"""A small city that is served, and a stand-in for the page, which npm builds."""

from __future__ import annotations

import contextlib
import http.client
import json

import pytest

import cimkit
from cimkit.view.answers import open_answers
from cimkit.view.server import ViewServer

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "javascript:alert(1)",
    "&#60;b&#62;\u2028",
)
"""Texts that a page must never run."""


@pytest.fixture(scope="session")
def city_folder(tmp_path_factory):
    """The city of the sample, small."""
    folder = tmp_path_factory.mktemp("view")
    paths = cimkit.make_sample(folder / "sample", buildings=30)
    from cimkit.job import Job
    from cimkit.read.job import read_job

    job = Job.from_mapping({**read_job(paths.job), "workers": 1})
    return cimkit.build(folder / "city", job).path


@pytest.fixture
def dist(tmp_path):
    """What npm would have built."""
    folder = tmp_path / "dist"
    folder.mkdir()
    (folder / "index.html").write_text(
        '<!doctype html><html><head>\n<meta charset="utf-8" />\n'
        '<link rel="stylesheet" href="viewer.css" />'
        '<link rel="preload" href="city.json" as="fetch" crossorigin="anonymous" /></head>'
        '<body><p>x</p><script src="viewer.js"></script></body></html>'
    )
    (folder / "viewer.js").write_text('const tag = "</script>";')
    (folder / "viewer.css").write_text("p { color: red }")
    (folder / "licenses.txt").write_text("MIT")
    return folder


class Client:
    """Asks a server."""

    def __init__(self, url):
        self.host = url.removeprefix("http://").rstrip("/")

    def ask(self, path, *, method="GET", body=None, headers=None):
        connection = http.client.HTTPConnection(self.host, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def json(self, path, **keys):
        status, _, body = self.ask(path, **keys)
        assert status == 200, (path, status, body)
        return json.loads(body)


@pytest.fixture
def client(city_folder, dist):
    server = ViewServer(open_answers(city_folder), dist=dist)
    server.start()
    yield Client(server.url)
    server.close()
