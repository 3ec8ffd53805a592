"""`sayso model fetch`: resumed, checked, never half there. The server is a real one, on this machine."""

from __future__ import annotations

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Iterator

import numpy as np
import pytest
from click.testing import CliRunner

from sayso.cli.main import sayso
from sayso.download import KNOWN, File, fetch, known_models
from sayso.errors import ModelError

CONTENT = np.random.default_rng(1).bytes(1_500_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Release(BaseHTTPRequestHandler):
    """Serves CONTENT, with what the test asks for to go wrong."""

    breaks_after: int | None = None
    """Bytes of the body after which the connection is cut, once."""
    resumes = True
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        server = type(self)
        wanted = self.headers.get("Range", "")
        server.asked.append(wanted)
        if self.path != "/model.tflite":
            self.send_error(404)
            return
        begin = int(re.findall(r"\d+", wanted)[0]) if wanted and server.resumes else 0
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(CONTENT) - begin))
        self.end_headers()
        body = CONTENT[begin:]
        if server.breaks_after is not None:
            body, server.breaks_after = body[: server.breaks_after], None
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def release() -> Iterator[type[Release]]:
    """A release on this machine; `address` is where it is."""
    handler = type("Here", (Release,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    handler.address = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


def file(release: Any, **other: Any) -> File:
    facts = {"name": "model.tflite", "url": f"{release.address}/model.tflite", "size": len(CONTENT), "sha256": SHA256}
    return File(**{**facts, **other})


def ignore(_: int, __: int) -> None:
    """Progress that nobody watches."""


def test_a_file_is_fetched_with_progress_and_checked(release: Any, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    fetched = fetch(file(release), tmp_path / "models", lambda have, total: seen.append((have, total)))
    assert fetched.path.read_bytes() == CONTENT
    assert (fetched.sha256, fetched.confirmed) == (SHA256, True)
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [have for have, _ in seen] == sorted(have for have, _ in seen)
    assert len(seen) > 3


def test_what_is_there_already_is_not_fetched_again(release: Any, tmp_path: Path) -> None:
    fetch(file(release), tmp_path, ignore)
    fetch(file(release), tmp_path, ignore)
    assert release.asked == [""]


def test_a_broken_download_goes_on_where_it_was(release: Any, tmp_path: Path) -> None:
    release.breaks_after = 600_000
    with pytest.raises(ModelError, match="call it again: it goes on from there"):
        fetch(file(release), tmp_path, ignore)
    assert not (tmp_path / "model.tflite").exists()
    have = (tmp_path / "model.tflite.part").stat().st_size
    assert 0 < have <= 600_000
    assert fetch(file(release), tmp_path, ignore).path.read_bytes() == CONTENT
    assert release.asked == ["", f"bytes={have}-"]
    assert not (tmp_path / "model.tflite.part").exists()


def test_a_server_that_cannot_resume_sends_it_all_again(release: Any, tmp_path: Path) -> None:
    release.resumes = False
    (tmp_path / "model.tflite.part").write_bytes(CONTENT[:1000])
    assert fetch(file(release), tmp_path, ignore).path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("other", "complaint"),
    [
        ({"sha256": "0" * 64}, "has SHA-256 .*, it should have 0000000000000000…"),
        ({"sha256": "", "md5": "0" * 32}, "has MD5 .*, it should have 00000000"),
        ({"size": len(CONTENT) - 5}, "it has .* bytes, it should have 1499995"),
        ({"size": len(CONTENT) + 5}, "the connection broke after 1500000 of 1500005 bytes"),
    ],
)
def test_another_file_than_expected_is_refused(release: Any, tmp_path: Path, other: Any, complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        fetch(file(release, **other), tmp_path, ignore)
    assert not (tmp_path / "model.tflite").exists()


def test_what_was_fetched_first_is_what_is_expected_later(release: Any, tmp_path: Path) -> None:
    fetched = fetch(file(release, sha256=""), tmp_path, ignore)
    assert not fetched.confirmed
    assert (tmp_path / "model.tflite.sha256").read_text(encoding="ascii").split() == [SHA256, "model.tflite"]
    fetched.path.write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    with pytest.raises(ModelError, match="has SHA-256"):
        fetch(file(release, sha256=""), tmp_path, ignore)


def test_no_answer_and_no_such_file_are_said(release: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the server says 404"):
        fetch(file(release, url=f"{release.address}/other"), tmp_path, ignore)
    with pytest.raises(ModelError, match=r"the connection failed: .*refused"):
        fetch(file(release, url="http://127.0.0.1:9/model.tflite"), tmp_path, ignore)


def test_too_little_room_is_said_before_anything_is_fetched(release: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="MB are free"):
        fetch(file(release, size=10**17), tmp_path, ignore)
    assert release.asked == []


def test_the_command_fetches_names_and_says_how_to_use_it(release: Any, tmp_path: Path) -> None:
    registry = tmp_path / "known.toml"
    entry = '["small-1"]\nabout = "small"\nlicence = "MPL-2.0"\n[["small-1".files]]\n'
    facts = file(release, sha256="").model_dump()
    registry.write_text(entry + "".join(f"{key} = {_toml(value)}\n" for key, value in facts.items()), encoding="utf-8")
    runner = CliRunner()
    options = ["model", "fetch", "--registry", str(registry), "--into", str(tmp_path / "here")]
    done = runner.invoke(sayso, [*options, "small-1"], catch_exceptions=False)
    assert f'[model] path = "{tmp_path / "here" / "model.tflite"}"' in done.output
    assert "not confirmed" in done.output
    assert "small-1  small; 2 MB; MPL-2.0" in runner.invoke(sayso, options).output
    with pytest.raises(ModelError, match="did you mean small-1"):
        runner.invoke(sayso, [*options, "smal-1"], catch_exceptions=False)


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


def test_the_shipped_list_says_of_every_file_where_it_is_and_what_tells_it() -> None:
    models = known_models(KNOWN)
    assert "deepspeech-0.9.3" in models
    for model in models.values():
        for one in model.files:
            assert one.url.startswith("https://")
            assert one.sha256 or one.md5
