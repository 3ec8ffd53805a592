"""What the README says of the contract is what the contract is."""

from __future__ import annotations

from pathlib import Path

from sayso.mqtt.contract import TOPICS, Topic

README = Path(__file__).resolve().parents[2] / "README.md"


def row(topic: Topic) -> str:
    direction = "from Sayso" if topic.direction == "out" else "to Sayso"
    retained, expires = ("yes" if flag else "no" for flag in (topic.retained, topic.expires))
    return f"| `{topic.name}` | {direction} | {retained} | {topic.qos} | {expires} | {topic.meaning} |"


def test_the_readme_has_the_contract() -> None:
    text = README.read_text(encoding="utf-8")
    table = text.partition("<!-- contract:")[2].partition("<!-- contract end -->")[0]
    written = [line for line in table.splitlines() if line.startswith("| `")]
    assert written == [row(topic) for topic in TOPICS]
