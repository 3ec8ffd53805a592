"""Which Edge TPUs are plugged in: read from folders as Linux makes them."""

from __future__ import annotations

from pathlib import Path

from sayso.recognition.usb import EdgeTpu, edge_tpus


def _plug(usb: Path, place: str, identity: str, speed: str = "") -> None:
    (usb / place).mkdir(parents=True)
    vendor, product = identity.split(":")
    (usb / place / "idVendor").write_text(f"{vendor}\n")
    (usb / place / "idProduct").write_text(f"{product}\n")
    if speed:
        (usb / place / "speed").write_text(f"{speed}\n")


def test_a_stick_is_known_before_and_after_its_firmware(tmp_path: Path) -> None:
    _plug(tmp_path, "usb1", "1d6b:0002", "480")
    _plug(tmp_path, "1-1.2", "1a6e:089a", "480")
    _plug(tmp_path, "2-1", "18d1:9302", "5000")
    assert edge_tpus(tmp_path, tmp_path / "none") == (
        EdgeTpu("1-1.2", "1a6e:089a", 480),
        EdgeTpu("2-1", "18d1:9302", 5000),
    )


def test_a_speed_may_be_missing_or_a_fraction(tmp_path: Path) -> None:
    _plug(tmp_path, "1-1", "1a6e:089a")
    _plug(tmp_path, "1-2", "18d1:9302", "1.5")
    assert [one.speed for one in edge_tpus(tmp_path, tmp_path / "none")] == [None, 1]


def test_those_on_pci_are_device_files(tmp_path: Path) -> None:
    (tmp_path / "apex_0").touch()
    assert edge_tpus(tmp_path / "none", tmp_path) == (EdgeTpu(str(tmp_path / "apex_0"), "pci"),)


def test_a_machine_without_usb_has_none(tmp_path: Path) -> None:
    assert edge_tpus(tmp_path / "none", tmp_path / "none") == ()
