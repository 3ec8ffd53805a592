"""Commands handed to Home Assistant's conversation API over real HTTP: at once, once, and with a line when it fails."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from assistant import DONE, FAILED, TOKEN, Assistant
from certificates import Authority
from house import until

from sayso.assist import MAX_REPLY, Assist, AssistSettings, HandOver, greet, say
from sayso.config import parse_config
from sayso.errors import ConfigError, HandOverError
from sayso.inventory import take_inventory


@pytest.fixture
def house() -> Iterator[Assistant]:
    with Assistant() as assistant:
        yield assistant
        assistant.shutdown()


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


def settings(house: Assistant | str, token: Path, **more: Any) -> AssistSettings:
    url = house if isinstance(house, str) else house.url
    return AssistSettings(enabled=True, url=url, token_file=str(token), **{"time_to_live": 0.5, **more})


def hand_over(where: AssistSettings, text: str = "turn on the bed light") -> str:
    """Hand a command over; return the line that came of it, empty if all went well."""
    return hand_over_whole(where, text).error


def hand_over_whole(where: AssistSettings, text: str) -> HandOver:
    """Hand a command over; return all that came of it."""
    ends: list[HandOver] = []
    Assist(where, ends.append).hand_over("id of it", lambda: text)
    until(lambda: ends, "an end of it")
    [end] = ends
    assert (end.id, end.text) == ("id of it", text)
    assert all(line.isprintable() and TOKEN not in line for line in (end.error, end.reply))
    return end


def test_the_words_of_a_command_arrive_in_its_language(house: Assistant, token: Path) -> None:
    assert hand_over(settings(house, token)) == ""
    assert house.told == [{"text": "turn on the bed light", "language": "en"}]


def test_what_home_assistant_could_not_do_is_one_line(house: Assistant, token: Path) -> None:
    house.answer = FAILED
    line = hand_over(settings(house, token))
    assert line.startswith(f"{house.url}: not handed over to Home Assistant: it was not done: No light")


def test_what_home_assistant_says_is_kept(house: Assistant, token: Path) -> None:
    assert hand_over_whole(settings(house, token), "lights on").reply == "Turned on the light"
    house.answer = FAILED
    assert hand_over_whole(settings(house, token), "lights on").reply == "No light  [2J called bed"
    house.answer = {"response": {"response_type": "action_done", "speech": {}}}
    assert hand_over_whole(settings(house, token), "lights on").reply == ""
    house.answer = {"response": {"response_type": "action_done", "speech": {"plain": {"speech": "so " * 1000}}}}
    assert len(hand_over_whole(settings(house, token), "lights on").reply) <= MAX_REPLY


@pytest.mark.parametrize(
    ("status", "answer", "part"),
    [
        (401, DONE, "does not accept the token"),
        (404, DONE, "has no conversation API"),
        (500, DONE, "answers with error 500"),
        (200, [], "no Home Assistant there"),
        (200, b"<html>", "no Home Assistant there"),
        (200, {"hello": 1}, "none of a conversation's"),
        (200, b"[" * 50_000, "no Home Assistant there"),
    ],
)
def test_other_answers_are_said(house: Assistant, token: Path, status: int, answer: Any, part: str) -> None:
    house.status, house.answer = status, answer
    assert part in hand_over(settings(house, token))


def test_a_house_that_hangs_is_told_nothing_then_or_later(house: Assistant, token: Path) -> None:
    house.pause["GET"] = 1.0
    assert "no answer in time" in hand_over(settings(house, token))
    house.pause["GET"] = 0.0
    assert hand_over(settings(house, token), "fresh") == ""
    time.sleep(1.0)
    assert [said["text"] for said in house.told] == ["fresh"]


def test_a_port_that_is_open_and_silent_is_given_up(token: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = settings(f"http://127.0.0.1:{silent.getsockname()[1]}", token)
        assert "no answer in time" in hand_over(where)


def test_what_is_done_slowly_is_not_done_twice(house: Assistant, token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sayso.assist.ANSWER_SECONDS", 0.5)
    house.pause["POST"] = 1.5
    assert "no answer in time" in hand_over(settings(house, token))
    assert len(house.told) == 1


def test_a_command_that_is_not_fresh_any_more_is_not_told(house: Assistant, token: Path) -> None:
    with pytest.raises(HandOverError, match="no answer in time"):
        say(settings(house, token), "late", time.monotonic() - 1.0)
    assert house.told == []


def test_words_that_took_long_to_find_are_not_told_late(house: Assistant, token: Path) -> None:
    def words() -> str:
        time.sleep(0.6)
        return "late"

    ends: list[HandOver] = []
    Assist(settings(house, token), ends.append).hand_over("id", words)
    until(lambda: ends, "an end of it")
    assert "no answer in time" in ends[0].error
    assert house.told == []


def test_only_so_many_wait_at_once(house: Assistant, token: Path) -> None:
    house.pause["POST"] = 0.5
    ends: list[HandOver] = []
    assist = Assist(settings(house, token, time_to_live=5.0), ends.append)
    for number in range(6):
        assist.hand_over(str(number), lambda: "a command")
    until(lambda: len(ends) == 6, "six ends")
    assert sum("commands wait for their answers" in end.error for end in ends) == 2
    assert sum(not end.error for end in ends) == 4


@pytest.mark.parametrize(
    ("url", "part"),
    [("http://127.0.0.1:1", "connection refused"), ("http://no-such-host.invalid", "the host name is unknown")],
)
def test_a_house_that_is_not_there_is_said(url: str, part: str, token: Path) -> None:
    line = hand_over(settings(url, token, time_to_live=20.0))
    assert line.startswith(f"{url}: ")
    assert part in line


def test_a_token_that_can_not_be_read_is_named(house: Assistant, tmp_path: Path) -> None:
    path = tmp_path / "nowhere"
    assert hand_over(settings(house, path)).startswith(f"{path}: holds no token")


def test_a_systemd_credential_is_a_token(house: Assistant, token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token.rename(token.with_name("home-assistant-token"))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(token.parent))
    assert hand_over(AssistSettings(True, house.url)) == ""


def test_https_needs_an_authority_that_is_trusted(house: Assistant, token: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "house")
    server = authority.sign("server", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.cert, server.key)
    house.socket = context.wrap_socket(house.socket, server_side=True)
    house.scheme = "https"
    assert "its certificate is not trusted" in hand_over(settings(house, token, time_to_live=5.0))
    assert house.told == []
    greet(settings(house, token, ca_file=str(authority.cert), time_to_live=5.0))


def test_it_tells_what_there_is_in_the_house(house: Assistant, token: Path) -> None:
    lights = [["light", "Bed light"], ["light", "bed LIGHT"], ["light", "Desk (old)"]]
    names = [*lights, ["lock", "Door|gate"], ["scene", "()"]]
    house.answer = {"areas": ["Küche", "Attic"], "floors": [], "names": names}
    found = take_inventory(settings(house, token))
    assert found.names == {"light": ["bed LIGHT", "Desk old"], "lock": ["Door gate"]}
    assert (found.areas, found.floors) == (["Attic", "Küche"], [])
    assert '["light", "switch"' in house.told[0]["template"]


@pytest.mark.parametrize(
    "answer", [{}, {"names": [5], "areas": [], "floors": []}, {"names": [], "areas": 5, "floors": []}]
)
def test_what_is_no_house_is_said(house: Assistant, token: Path, answer: Any) -> None:
    house.answer = answer
    with pytest.raises(HandOverError, match="no Home Assistant there"):
        take_inventory(settings(house, token))


def test_the_command_line_prints_settings_that_can_be_read(house: Assistant, token: Path, tmp_path: Path) -> None:
    house.answer = {"areas": ["Küche"], "floors": ['Upper "deck"'], "names": [["light", "Bed light"]]}
    path = tmp_path / "sayso.toml"
    intents = 'intents = true\nautomated = ["HassStartTimer"]\n'
    path.write_text(f'[home_assistant]\n{intents}url = "{house.url}"\ntoken_file = "{token}"\n')
    command = [str(Path(sys.executable).parent / "sayso"), "--config", str(path), "commands", "house"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    found = parse_config(printed, "printed").house
    assert len(found.leave_out) == len([one for one in found.leave_out if "Timer" in one]) == 7
    assert (found.sentences, found.areas, found.floors) == (True, ["Küche"], ['Upper "deck"'])
    assert found.names == {"light": ["Bed light"]}


def test_switched_off_it_says_nothing(house: Assistant, token: Path) -> None:
    ends: list[HandOver] = []
    Assist(AssistSettings(url=house.url, token_file=str(token)), ends.append).hand_over("id", lambda: "lights on")
    time.sleep(0.1)
    assert (house.told, ends) == ([], [])


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("url", {"url": ""}),
        ("url", {"url": "homeassistant.local:8123"}),
        ("url", {"url": "http://user:secret@home"}),
        ("url", {"url": "http://home:port"}),
        ("token_file", {"url": "http://home"}),
    ],
)
def test_settings_that_can_not_work_are_named(
    key: str, given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ConfigError, match=rf"^\[home_assistant\] {key}: ") as caught:
        AssistSettings(enabled=True, **given)
    assert "secret" not in str(caught.value)
