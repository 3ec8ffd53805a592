"""What a user of the Debian packages relies on, tried in a booted Debian, one thing after the other.

Rule of this file: every step is what somebody does or what happens to a machine; what is looked at is what they would
see. `check.py ROOT PACKAGES SUITE` prints each step with its time; the first that fails ends it, with the journal.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator

import soundfile
from machine import PATIENCE, Machine
from sniffer import Sniffer

HERE = Path(__file__).parent
SPEECH = HERE.parent / "data" / "speech"
COMMANDS = {"cancel_timer": "HassCancelTimer", "set_a_timer_for_5_minutes": "HassStartTimer"}
"""Recordings, and the intents that they have."""

EXPOSURE = 1.3
"""systemd-analyze security's figure for the unit may not be above this."""

_STATE = "mosquitto_sub -t sayso/home/state -C 1 -W 20"


class Household:
    """The machine, and what its owner does with it."""

    def __init__(self, machine: Machine, suite: str) -> None:
        self.machine = machine
        self.suite = suite

    def steps(self) -> list[Callable[[], str]]:
        """Return the steps in the order in which they are taken; each says what it saw."""
        return [
            self.apt_installs_it_and_says_what_comes_next,
            self.it_listens,
            self.it_finds_nothing_wrong,
            self.two_lines_are_edited,
            self.a_spoken_command_is_published,
            self.the_journal_knows_the_intent,
            self.the_sandbox_is_tight,
            self.it_speaks_to_the_broker_only,
            self.the_broker_wants_a_password,
            self.mute_closes_the_microphone,
            self.broken_sentences_are_not_taken,
            self.it_is_killed_and_comes_back,
            self.a_worker_that_hangs_is_noticed_by_the_watchdog,
            self.a_newer_version_keeps_what_was_edited,
            self.no_sound_was_written,
            self.removed_it_leaves_its_settings,
            self.purged_it_leaves_nothing,
        ]

    def apt_installs_it_and_says_what_comes_next(self) -> str:
        printed = self.machine.run(
            "DEBIAN_FRONTEND=noninteractive apt-get -qq --yes install /packages/sayso*_*.deb", patience=600
        )
        assert "what to do next" in printed, printed
        assert "no  " not in printed.split("sayso check")[1].split("what to do")[0], printed
        return self.machine.run("dpkg-query -W sayso sayso-model-en mosquitto").replace("\n", "; ").replace("\t", " ")

    def it_listens(self) -> str:
        self.machine.until("systemctl is-active sayso", lambda text: text.strip() == "active", "an active service")
        assert self.machine.run("systemctl is-enabled sayso").strip() == "enabled"
        self._is_listening()
        return self.machine.run("systemctl show -P StatusText sayso").strip()

    def it_finds_nothing_wrong(self) -> str:
        assert "default" in self.machine.run("sayso devices")
        found = json.loads(self.machine.run("runuser -u sayso -- sayso check --json"))
        assert found["ok"], found
        assert self.machine.run("man -w sayso sayso.toml").count("sayso") >= 2 if self._has("man") else True
        assert "complete -o" in self.machine.run("cat /usr/share/bash-completion/completions/sayso")
        return "; ".join(f"{one['check']}: {one['detail']}" for one in found["checks"])

    def two_lines_are_edited(self) -> str:
        # The first of its name: [model] has a device as well.
        device, host = '0,/^# device = ""/s//device = "default"/', 's/^# host = .*/host = "localhost"/'
        self.machine.run(f"sed -i -e '{device}' -e '{host}' /etc/sayso/sayso.toml")
        self.machine.run("systemctl restart sayso")
        self._is_listening()
        return self.machine.run("grep -E '^(device|host)' /etc/sayso/sayso.toml").replace("\n", "; ")

    def a_spoken_command_is_published(self) -> str:
        heard = [self._say(name) for name in COMMANDS]
        for command, intent in zip(heard, COMMANDS.values()):
            assert command["intent"] == intent, command
        return "; ".join(f"{one['text']} -> {one['intent']} ({one['confidence']:.2f})" for one in heard)

    def the_journal_knows_the_intent(self) -> str:
        found = self.machine.run("journalctl --quiet --no-pager -o json SAYSO_INTENT=HassCancelTimer").splitlines()
        entries = [json.loads(line) for line in found]
        assert entries, "nothing in the journal"
        assert entries[-1]["_SYSTEMD_UNIT"] == "sayso.service", found
        return f"{len(entries)} entries, SAYSO_CONFIDENCE={entries[-1]['SAYSO_CONFIDENCE']}"

    def the_sandbox_is_tight(self) -> str:
        printed = self.machine.run("systemd-analyze security --no-pager sayso", check=False)
        exposure = float(re.search(r"Overall exposure level for sayso.service: ([\d.]+)", printed)[1])  # type: ignore[index]
        assert exposure <= EXPOSURE, printed
        number = self.machine.run("systemctl show -P MainPID sayso").strip()
        status = self.machine.run(f"cat /proc/{number}/status")
        for line in ("CapEff:\t0000000000000000", "Seccomp:\t2", "NoNewPrivs:\t1"):
            assert line in status, status
        return f"exposure {exposure}; commands were recognised under it"

    def it_speaks_to_the_broker_only(self) -> str:
        own = self._own_ports()
        with Sniffer(self.machine.init) as sniffer:
            self.machine.run("systemctl restart sayso")
            self._is_listening()
            self._say("cancel_timer")
            own |= self._own_ports()
        # paho wakes its own thread through a connection of the process to itself.
        strange = [
            one for one in sniffer.packets if 1883 not in one.ports and not (one.ports and own >= set(one.ports))
        ]
        assert not strange, sorted({(one.interface, one.source, one.target, one.ports) for one in strange})
        assert any(1883 in one.ports for one in sniffer.packets), "nothing seen of the broker"
        return f"{len(sniffer.packets)} packets on all interfaces: to and from port 1883, and of the daemon to itself"

    def the_broker_wants_a_password(self) -> str:
        run = self.machine.run
        run("touch /etc/mosquitto/passwd; mosquitto_passwd -b /etc/mosquitto/passwd sayso secret 2>/dev/null")
        run("mosquitto_passwd -b /etc/mosquitto/passwd owner owner 2>/dev/null; chown mosquitto /etc/mosquitto/passwd")
        run("printf 'listener 1883\\npassword_file /etc/mosquitto/passwd\\n' > /etc/mosquitto/conf.d/password.conf")
        run("systemctl restart mosquitto")
        ask = f"{_STATE} -u owner -P owner"
        run("install -d -m 700 /etc/credstore && printf secret > /etc/credstore/sayso.mqtt-password")
        run("sed -i 's/^# username = .*/username = \"sayso\"/' /etc/sayso/sayso.toml && systemctl restart sayso")
        self.machine.until(ask, lambda text: '"listening":true' in text.replace(" ", ""), "a login with the credential")
        examined = run("sayso doctor", check=False)
        assert not re.search("does not let|can't be read", examined), examined
        shown = run("journalctl --no-pager -u sayso; systemctl show sayso; sayso config") + examined
        assert "secret" not in shown, "the password is shown"
        run("rm /etc/mosquitto/conf.d/password.conf /etc/mosquitto/passwd")
        run("sed -i 's/^username = .*/# username = \"\"/' /etc/sayso/sayso.toml; systemctl restart mosquitto sayso")
        self._is_listening()
        return "given as a systemd credential, shown nowhere"

    def mute_closes_the_microphone(self) -> str:
        before = self.machine.listeners()
        self._ask("mute", "on")
        self._until_listeners(before - 1)
        self._ask("mute", "off")
        self._until_listeners(before)
        self._is_listening()
        return f"the sound server had {before} listener, then {before - 1}, then {before}"

    def broken_sentences_are_not_taken(self) -> str:
        self.machine.run("cp /etc/sayso/commands/lights.yaml /root/; echo '  - [' >> /etc/sayso/commands/lights.yaml")
        self.machine.run("systemctl reload sayso", check=False)
        state = self.machine.until(_STATE, lambda text: "lights.yaml" in text, "the file's name on the state topic")
        self._say("cancel_timer")
        self.machine.run("cp /root/lights.yaml /etc/sayso/commands/ && systemctl reload sayso")
        self.machine.until(_STATE, lambda text: '"last_error":""' in text.replace(" ", ""), "good sentences again")
        return str(json.loads(state)["last_error"])[:120]

    def it_is_killed_and_comes_back(self) -> str:
        number = self._number()
        begun = time.monotonic()
        self.machine.run(f"kill -KILL {number}")
        self.machine.until(
            "systemctl show -P MainPID -P ActiveState sayso",
            lambda text: "active" in text.split() and text.split()[0] not in ("0", number), "a new process",
        )  # fmt: skip
        self._is_listening()
        took = time.monotonic() - begun
        self._say("cancel_timer")
        return f"ready {took:.1f} s after SIGKILL"

    def a_worker_that_hangs_is_noticed_by_the_watchdog(self) -> str:
        number = self._number()
        worker = self._hardest_working_thread(self.machine.pid_here(int(number)))
        begun = time.monotonic()
        stopper = subprocess.Popen([sys.executable, str(HERE / "stop_thread.py"), worker], stdout=subprocess.PIPE)
        try:
            self.machine.until(
                "systemctl show -P MainPID -P ActiveState sayso",
                lambda text: "active" in text.split() and text.split()[0] not in ("0", number), "a new process",
            )  # fmt: skip
        finally:
            stopper.kill()
            stopper.wait()
        took = time.monotonic() - begun
        said = self.machine.run("journalctl --no-pager -u sayso -u init.scope | grep -i watchdog | tail -n 3")
        assert "watchdog" in said.lower(), said
        self._is_listening()
        self._say("cancel_timer")
        return f"replaced after {took:.0f} s: {said.splitlines()[0].split(': ', 1)[1]}"

    def a_newer_version_keeps_what_was_edited(self) -> str:
        before = self._number()
        self.machine.run("apt-get --yes install /newer/sayso*_*.deb", patience=600)
        version = self.machine.run("dpkg-query -W -f '${Version}' sayso")
        assert version.endswith("+newer"), version
        assert self.machine.run("grep -c '^device = \"default\"' /etc/sayso/sayso.toml").strip() == "1"
        self._is_listening()
        assert self._number() != before, "the service was not restarted"
        self._say("cancel_timer")
        return f"{version}, restarted, edits kept"

    def no_sound_was_written(self) -> str:
        # Compiled sentences are no sound; all else that it may write is smaller than an eighth of a second.
        command = (
            "find / -xdev -user sayso -type f -size +4k -not -path '*/cache/sayso/*' -not -path '*/.cache/sayso/*'"
        )
        found = self.machine.run(f"{command} 2>/dev/null", check=False)
        assert not found.strip(), found
        return "compiled sentences apart, no file of the daemon's is over 4 KiB"

    def removed_it_leaves_its_settings(self) -> str:
        self.machine.run("apt-get --yes remove sayso sayso-model-en", patience=600)
        self.machine.run("test -e /etc/sayso/sayso.toml && test ! -e /usr/bin/sayso && test ! -e /usr/lib/sayso")
        assert self.machine.run("systemctl is-active sayso", check=False).strip() != "active"
        return "settings kept, program gone"

    def purged_it_leaves_nothing(self) -> str:
        self.machine.run("apt-get --yes purge sayso sayso-model-en", patience=600)
        # A cache in the home of whoever ran it is theirs.
        foreign = ("/root/.cache", "/proc", "/sys", "/run", "/packages", "/newer", "/speech", "/var/cache/apt")
        ignored = " -o ".join(f"-path {path}" for path in foreign)
        left = self.machine.run(f"find / \\( {ignored} \\) -prune -o -iname '*sayso*' -print", check=False)
        assert not left.strip(), left
        assert not self.machine.run("getent passwd sayso; getent group sayso", check=False).strip()
        return "no file, no user, no group"

    # What the steps are made of.

    def _is_listening(self) -> None:
        self.machine.until(_STATE, lambda text: '"listening":true' in text.replace(" ", ""), "a listening daemon")

    def _say(self, name: str) -> dict[str, object]:
        """Play a recording and return the command that comes of it; a busy machine may need it said again."""
        for _ in range(3):
            self.machine.run(
                "rm -f /tmp/heard; (timeout 60 mosquitto_sub -t sayso/home/command -C 1 > /tmp/heard 2> /dev/null) &"
            )
            time.sleep(0.5)
            self.machine.play(f"/speech/{name}.wav")
            give_up = time.monotonic() + 15
            while time.monotonic() < give_up:
                heard = self.machine.run("cat /tmp/heard")
                if heard.strip():
                    return dict(json.loads(heard))
                time.sleep(0.3)
        raise AssertionError(f"{name}: said three times, never understood")

    def _ask(self, topic: str, payload: str) -> None:
        self.machine.run(f"mosquitto_pub -q 1 -t sayso/home/set/{topic} -m {payload}")

    def _until_listeners(self, wanted: int) -> None:
        give_up = time.monotonic() + PATIENCE
        while self.machine.listeners() != wanted:
            assert time.monotonic() < give_up, f"the sound server has {self.machine.listeners()} listeners"
            time.sleep(0.2)

    def _number(self) -> str:
        return self.machine.run("systemctl show -P MainPID sayso").strip()

    def _own_ports(self) -> set[int]:
        """Return the ports at which the daemon's own connections begin (proc(5): net/tcp)."""
        process = Path(f"/proc/{self.machine.pid_here(int(self._number()))}")
        held = {str(descriptor.readlink()) for descriptor in (process / "fd").iterdir()}
        rows = [line.split() for line in (process / "net" / "tcp").read_text().splitlines()[1:]]
        return {int(row[1].split(":")[1], 16) for row in rows if f"socket:[{row[9]}]" in held}

    def _has(self, program: str) -> bool:
        return bool(self.machine.run(f"command -v {program}", check=False).strip())

    def _hardest_working_thread(self, process: int) -> str:
        """Return the thread that computes most while somebody speaks: the one that recognises."""

        def spent() -> dict[str, int]:
            tasks = Path(f"/proc/{process}/task").iterdir()
            # Fields 14 and 15 of proc(5)'s stat; a name in brackets, which may hold blanks, comes before.
            fields = {task.name: (task / "stat").read_text().rpartition(")")[2].split() for task in tasks}
            return {name: int(values[11]) + int(values[12]) for name, values in fields.items()}

        before = spent()
        self._say("cancel_timer")
        return max(spent().items(), key=lambda one: one[1] - before.get(one[0], 0))[0]


@contextmanager
def newer(packages: Path) -> Iterator[Path]:
    """Given the packages, yield a folder with the same ones under a higher version: a new release."""
    with tempfile.TemporaryDirectory(prefix="sayso-newer-") as name:
        folder = Path(name)
        for package in packages.glob("*.deb"):
            tree = folder / package.stem
            subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(tree)], check=True)
            control = tree / "DEBIAN" / "control"
            text = re.sub(r"^Version: .*", r"\g<0>+newer", control.read_text(), flags=re.M)
            control.write_text(re.sub(r"(sayso-model-en \(= [^)]*)", r"\1+newer", text))
            subprocess.run(["dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "--build", str(tree), str(folder)],
                           check=True, stdout=subprocess.DEVNULL)  # fmt: skip
            subprocess.run(["rm", "-r", str(tree)], check=True)
        yield folder


def main() -> int:
    """Take all steps. Return the exit status."""
    root, packages, suite = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    with tempfile.TemporaryDirectory(prefix="sayso-speech-") as speech, newer(packages) as later:
        for name in COMMANDS:
            samples, rate = soundfile.read(SPEECH / f"{name}.opus", dtype="int16")
            soundfile.write(Path(speech) / f"{name}.wav", samples, rate)
        shared = {packages: "/packages", later: "/newer", Path(speech): "/speech"}
        with Machine(root, shared) as machine:
            for step in Household(machine, suite).steps():
                begun = time.monotonic()
                name = step.__name__.replace("_", " ")
                try:
                    seen = step()
                except (AssertionError, subprocess.TimeoutExpired) as error:
                    print(
                        f"FAILED  {name}\n{error}\n{machine.run('journalctl --no-pager -n 30 -u sayso', check=False)}"
                    )
                    return 1
                print(f"ok  {time.monotonic() - begun:6.1f} s  {name}: {seen}", flush=True)
    print(f"The packages for {suite} do what they should.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
