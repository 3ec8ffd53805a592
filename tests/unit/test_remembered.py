"""What outlives the daemon."""

from __future__ import annotations

from pathlib import Path

import pytest

from sayso.errors import SaysoError
from sayso.remembered import LastGood, Mute, state_folder


def test_state_is_where_systemd_says() -> None:
    assert state_folder({"STATE_DIRECTORY": "/var/lib/sayso"}) == Path("/var/lib/sayso")
    assert state_folder({"XDG_STATE_HOME": "/home/x/state"}) == Path("/home/x/state/sayso")


def test_a_mute_outlives_its_daemon(tmp_path: Path) -> None:
    Mute(tmp_path / "new").keep(True)
    assert Mute(tmp_path / "new").is_set
    Mute(tmp_path / "new").keep(False)
    assert not Mute(tmp_path / "new").is_set


def test_a_mute_that_can_not_be_noted_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SaysoError, match="muted until the next start only"):
        Mute(tmp_path / "file" / "folder").keep(True)
    Mute(None).keep(True)
    assert not Mute(None).is_set


def test_the_last_good_sentences_are_kept_as_they_were(tmp_path: Path) -> None:
    root, cache = tmp_path / "commands", tmp_path / "cache"
    root.mkdir()
    assert LastGood(cache, root).path is None
    LastGood(cache, root).keep({root / "a.yaml": b"one"})
    LastGood(cache, root).keep({root / "deep" / "b.yaml": b"two", root / "c.yml": b"three"})
    found = LastGood(cache, root).path
    assert found is not None
    copies = {str(one.relative_to(found)): one.read_bytes() for one in found.rglob("*.y*ml")}
    assert copies == {"deep/b.yaml": b"two", "c.yml": b"three"}
    LastGood(cache, root).keep({})  # a house's own sentences are enough
    assert LastGood(cache, root).path is None


def test_each_place_has_its_own_last_good_sentences(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    LastGood(tmp_path / "cache", one).keep({one: b"one"})
    assert LastGood(tmp_path / "cache", other).path is None


def test_where_nothing_can_be_kept_nothing_is_missed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (None, tmp_path / "file" / "folder"):
        kept = LastGood(folder, tmp_path)
        kept.keep({tmp_path / "a.yaml": b"one"})
        assert kept.path is None
