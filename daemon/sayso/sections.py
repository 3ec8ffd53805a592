"""What can be set: every key with its type, range, unit, default and what it is for.

Rule of this file: the schema and nothing else; config.py reads, checks and prints by it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Dict, List, Literal, Optional

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator

SETTINGS_FOLDER = Path("/etc/sayso")
"""Where the settings lie, unless they were read from elsewhere."""


def _beside_the_settings(path: str, info: ValidationInfo) -> str:
    """Given a path, return it as seen from the settings' folder, the validation's context; an empty one stays so."""
    return str((info.context or SETTINGS_FOLDER) / path) if path else ""


_Place = Annotated[str, AfterValidator(_beside_the_settings)]
"""A file or folder."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class AudioConfig(_Section):
    """Where sound comes from."""

    device: str = Field(
        default="",
        description="name of the microphone (a part of it will do), or its number; empty: the system's default",
    )
    channel: int = Field(
        default=-1, ge=-1, le=31, description="channel to listen to, counted from 0; -1: the average of all"
    )
    rate: int = Field(default=0, ge=0, le=384_000, description="sample rate to open it at [Hz]; 0: its native one")
    startup: float = Field(
        default=3.0, ge=0.5, le=60, description="the first sound may take this long after opening [s]"
    )
    stall: float = Field(default=1.0, ge=0.3, le=60, description="no sound for this long: it is opened again [s]")
    silence: float = Field(
        default=10.0, ge=0, le=3600, description="only digital zeros for this long: it is opened again [s]; 0: never"
    )
    closing: float = Field(
        default=5.0, ge=0.2, le=60, description="closing takes longer than this: the daemon restarts [s]"
    )
    first_retry: float = Field(default=0.5, ge=0.1, le=60, description="pause before it is opened again [s]")
    last_retry: float = Field(
        default=10.0, ge=0.5, le=600, description="the pause doubles with every failure, up to this [s]"
    )


class GateConfig(_Section):
    """Where an utterance starts and ends."""

    aggressiveness: int = Field(default=2, ge=0, le=3, description="of webrtcvad: 0 takes much for speech, 3 little")
    noise_margin: float = Field(default=2.0, ge=0, le=20, description="speech is louder than the noise by this [dB]")
    pre_roll: float = Field(default=0.3, ge=0, le=2, description="sound kept from before the first speech [s]")
    onset_speech: int = Field(
        default=3, ge=1, le=50, description="speech frames (20 ms) among the last `onset_window` that open the gate"
    )
    onset_window: int = Field(default=5, ge=1, le=50, description="frames that are looked at for the opening")
    hangover: float = Field(default=0.5, ge=0.1, le=3, description="silence that ends an utterance [s]")
    shortest: float = Field(default=0.15, ge=0, le=2, description="less speech than this is no utterance [s]")
    longest: float = Field(default=12.0, ge=2, le=60, description="an utterance is given up after this [s]")

    @model_validator(mode="after")
    def _can_open(self) -> GateConfig:
        if self.onset_speech > self.onset_window:
            raise ValueError(
                f"onset_speech ({self.onset_speech}) is more than onset_window ({self.onset_window}): it never opens"
            )
        return self


class EndpointConfig(_Section):
    """When a sentence is over: the pause after which the grammar says so."""

    finished: float = Field(default=0.2, ge=0.1, le=3, description="after a sentence that can't go on [s]")
    continuable: float = Field(default=0.5, ge=0.1, le=3, description="after a sentence that may go on [s]")
    unfinished: float = Field(default=0.8, ge=0.1, le=3, description="in the middle of a sentence [s]")
    unknown: float = Field(default=0.5, ge=0.1, le=3, description="after what fits no sentence [s]")
    still: float = Field(default=0.3, ge=0.04, le=3, description="in noise: nothing like a phone for so long [s]")
    rejoin: float = Field(
        default=2.0,
        ge=0,
        le=5,
        description="what was refused may be the first half of a sentence that goes on this much later [s]; 0: never",
    )


class ModelConfig(_Section):
    """What recognises speech."""

    path: _Place = Field(
        default="", description="folder of a model bundle; empty: the English model that comes with Sayso"
    )
    accelerator: Literal["auto", "edgetpu", "cpu"] = Field(
        default="auto", description="auto: the Edge TPU where there is one and the model is compiled for it"
    )
    device: str = Field(
        default="", pattern=r"^((usb|pci)(:\d+)?)?$", description='which Edge TPU: "usb", "usb:0", "pci:0"; empty: any'
    )
    threads: int = Field(default=1, ge=1, le=16, description="processor threads for the acoustic model")


class CommandsConfig(_Section):
    """What can be said."""

    path: _Place = Field(
        default="commands",
        validate_default=True,
        description="file or folder of sentence templates; like every path here, as seen from this file's folder",
    )
    min_confidence: Optional[float] = Field(
        default=None,
        ge=0,
        le=1,
        description="commands less probable than this are rejected; unset: what the model recommends",
    )
    watch: bool = Field(default=True, description="read them again as soon as a file changes")
    cache: bool = Field(default=True, description="keep what was compiled, so that the next start is quicker")
    refractory: float = Field(
        default=2.0, ge=0, le=60, description="the same again so soon is marked `repeated` [s]; 0: never"
    )
    context: Dict[str, Any] = Field(
        default_factory=dict, description='what holds in this room, for requires_context, e.g. {area = "kitchen"}'
    )


class HouseConfig(_Section):
    """What your house has: your sentences may name it as Home Assistant's do, {name}, {area} and {floor}."""

    sentences: bool = Field(default=False, description="hear Home Assistant's own English sentences, too")
    names: Dict[str, List[str]] = Field(
        default_factory=dict, description='devices by domain, e.g. {light = ["bed light"], lock = ["front door"]}'
    )
    areas: List[str] = Field(default_factory=list, description='e.g. ["kitchen", "living room"]')
    floors: List[str] = Field(default_factory=list, description='e.g. ["first floor"]')
    leave_out: List[str] = Field(
        default_factory=list, description='intents that are not wanted, e.g. ["HassIncreaseTimer"]'
    )


class ListeningConfig(_Section):
    """Who is listened to."""

    mode: Literal["always", "wake", "push"] = Field(
        default="always", description="always; after a wake phrase; push: while asked to over MQTT"
    )
    wake_phrases: List[str] = Field(
        default_factory=list,
        description='what gets Sayso\'s attention, e.g. ["hey house"]; in mode always it may be left out',
    )
    wake_confidence: float = Field(
        default=0.3, ge=0, le=1, description="a wake phrase less probable than this was none"
    )
    wake_window: float = Field(
        default=8.0, ge=1, le=60, description="after a wake phrase alone, a command may begin this much later [s]"
    )

    @model_validator(mode="after")
    def _can_be_woken(self) -> ListeningConfig:
        if self.mode == "wake" and not self.wake_phrases:
            raise ValueError('mode "wake" needs wake_phrases: it would never listen')
        return self


class DecoderConfig(_Section):
    """How widely the recogniser searches; wider is slower."""

    beam: float = Field(
        default=20.0, ge=4, le=40, description="paths this much dearer than the best are dropped [nats]"
    )
    max_active: int = Field(default=3000, ge=100, le=100_000, description="paths followed at the same time, at most")
    alternatives: int = Field(default=3, ge=0, le=10, description="alternatives that an event lists, at most")


class ScorerConfig(_Section):
    """A second opinion on commands: a language model, beside the grammar. For models that write letters, only."""

    path: _Place = Field(
        default="",
        description="a .scorer package: what it writes down must mean the same, or it was no command; empty: none",
    )
    alpha: float = Field(default=0.931289039105002, ge=0, le=10, description="weight of the language model")
    beta: float = Field(default=1.1834137581510284, ge=-10, le=10, description="bonus for a word")
    beam: int = Field(default=50, ge=1, le=5000, description="texts followed at the same time")
    hot_words: Dict[str, float] = Field(
        default_factory=dict, description="words that are likelier than it says, e.g. {kettle = 3.0} [nats]"
    )


class MqttConfig(_Section):
    """Who is told."""

    host: str = Field(default="127.0.0.1", description="the broker")
    port: int = Field(
        default=0, ge=0, le=65535, description="0: 1883, with TLS 8883, over websockets 80, over both 443"
    )
    site: str = Field(
        default="home",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="name of this microphone: topics are sayso/<site>/…",
    )
    username: str = Field(default="", description="empty: none")
    password_file: _Place = Field(
        default="",
        description="file whose first line is the password; empty: systemd's credential mqtt-password, if there is one",
    )
    tls: bool = Field(default=False, description="encrypt the connection")
    ca_file: _Place = Field(default="", description="certificate authorities (PEM); empty: the system's")
    cert_file: _Place = Field(default="", description="client certificate (PEM)")
    key_file: _Place = Field(default="", description="its key (PEM)")
    alpn: List[str] = Field(default_factory=list, description="protocols offered in the TLS handshake")
    websocket_path: str = Field(default="", description="empty: plain TCP; else e.g. /mqtt")
    time_to_live: float = Field(
        default=2.0, ge=0.1, le=60, description="a command that has not reached the broker after this is dropped [s]"
    )
    partial: bool = Field(default=False, description="publish the words so far on `partial` while somebody speaks")
    keepalive: int = Field(
        default=15, ge=5, le=600, description="the broker is asked for a sign of life after this [s]"
    )


class HomeAssistantConfig(_Section):
    """Home Assistant finds Sayso by itself, if it uses the same broker."""

    discovery: bool = Field(default=True, description="introduce Sayso; off: what was introduced before is taken back")
    prefix: str = Field(
        default="homeassistant",
        pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$",
        description="Home Assistant's own setting, `discovery prefix`",
    )
    name: str = Field(default="", description="name of the device there; empty: made from [mqtt] site")
    intents: bool = Field(default=False, description="hand commands to its conversation API, which acts on them")
    automated: List[str] = Field(
        default_factory=list,
        description='intents that automations of yours see to: they are not handed over, e.g. ["HassStartTimer"]',
    )
    url: str = Field(default="", description="its address for that, e.g. http://homeassistant.local:8123")
    token_file: _Place = Field(
        default="",
        description="file whose first line is a long-lived access token; empty: systemd's credential"
        " home-assistant-token",
    )
    ca_file: _Place = Field(default="", description="certificate authorities (PEM) for https; empty: the system's")

    def acts_on(self, intent: str) -> bool:
        """Given an intent, return whether its commands are handed over."""
        return self.intents and intent not in self.automated


class HermesConfig(_Section):
    """The Hermes protocol, for flows that were made for Rhasspy or Snips."""

    enabled: bool = Field(default=False, description="speak it")
    sites: List[Annotated[str, Field(pattern=r"^[^+#/\x00-\x1f]{1,64}$")]] = Field(
        default_factory=list,
        description="site ids answered to; the first is named when nobody has asked; empty: [mqtt] site",
    )
    dialogue_manager: bool = Field(
        default=False, description="another program leads dialogues: in one, an intent waits for its hermes/nlu/query"
    )
    language: str = Field(default="en", description="what messages say the language is")
    timeout: float = Field(
        default=15.0, ge=1, le=120, description="who asked for a command and gets none is told so after this [s]"
    )


class LogConfig(_Section):
    """What the journal is told."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="what was said is logged from info on"
    )
    decisions: int = Field(
        default=50, ge=0, le=1000, description="decisions that `sayso why` can show, kept in memory only; 0: none"
    )


class DebugConfig(_Section):
    """For finding out why it hears badly. Whoever is in the room should know."""

    keep_audio: float = Field(
        default=0.0,
        ge=0,
        le=72,
        description="for so long after the start the sound of utterances is written to the state folder, below"
        " `audio`, and removed when it is as old [h]; the state topic says so; 0: never, and what is there is removed",
    )
    keep_audio_size: float = Field(default=20.0, ge=1, le=1000, description="at most so much; the oldest goes [MiB]")


class Config(_Section):
    """All of sayso.toml."""

    audio: AudioConfig = Field(default_factory=AudioConfig)
    gate: GateConfig = Field(default_factory=GateConfig)
    endpoint: EndpointConfig = Field(default_factory=EndpointConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    commands: CommandsConfig = Field(default_factory=CommandsConfig)
    house: HouseConfig = Field(default_factory=HouseConfig)
    listening: ListeningConfig = Field(default_factory=ListeningConfig)
    decoder: DecoderConfig = Field(default_factory=DecoderConfig)
    scorer: ScorerConfig = Field(default_factory=ScorerConfig)
    mqtt: MqttConfig = Field(default_factory=MqttConfig)
    home_assistant: HomeAssistantConfig = Field(default_factory=HomeAssistantConfig)
    hermes: HermesConfig = Field(default_factory=HermesConfig)
    log: LogConfig = Field(default_factory=LogConfig)
    debug: DebugConfig = Field(default_factory=DebugConfig)
