"""Configuration -> the parts of a recogniser, put together.

Rule of this file: the one place that turns settings into objects; `sayso run` and `sayso recognize`
both get theirs here, so that what is tested is what is shipped.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Dict, Optional, Sequence

import numpy as np

from sayso import __version__
from sayso.assist import AssistSettings
from sayso.audio.gate import Gate, GateSettings
from sayso.audio.microphone import Microphone
from sayso.audio.vad import Vad
from sayso.audio.watch import MicrophoneSettings
from sayso.config import Config
from sayso.decisions import Decisions, own_folder
from sayso.errors import SaysoError
from sayso.grammar.cache import GraphCache, own_cache_folder
from sayso.grammar.compiler import Grammar, Phonology, compile_grammar
from sayso.grammar.house import House
from sayso.keeping import Keeping
from sayso.mqtt.contract import Contract
from sayso.mqtt.conversation import Conversation
from sayso.mqtt.discovery import Discovery
from sayso.mqtt.hermes import Hermes, HermesSettings
from sayso.mqtt.homeassistant import HomeAssistant, HomeAssistantSettings
from sayso.mqtt.settings import MqttSettings
from sayso.recognition.attention import Attention, AttentionSettings
from sayso.recognition.beam import BeamSettings
from sayso.recognition.bundle import Bundle, open_bundle
from sayso.recognition.decode import DecoderSettings
from sayso.recognition.endpoint import EndpointSettings
from sayso.recognition.handover import HandOver
from sayso.recognition.mozilla import Transcriber
from sayso.recognition.pipeline import Pipeline
from sayso.recognition.recognizer import Recognizer, RecognizerSettings
from sayso.recognition.tflite import TfliteNetwork, streaming
from sayso.records import Command, samples
from sayso.remembered import LastGood, Mute, state_folder
from sayso.second_opinion import make_opinion
from sayso.sentences import Sentences

logger = logging.getLogger(__name__)

SHIPPED_MODEL = Path(__file__).parent / "models" / "en"


@dataclass(frozen=True)
class Model:
    """A bundle with its network, answering as it should."""

    bundle: Bundle
    network: HandOver
    transcriber: Optional[Transcriber] = None
    """Who is asked for a second opinion on commands, if anybody."""

    @property
    def accelerator(self) -> str:
        """Return `cpu` or `edgetpu:<device>`, and why."""
        return self.network.status


def configured_bundle(config: Config) -> Bundle:
    """Given the settings, return the bundle they name, checked; its network isn't loaded. Raise ModelError."""
    return open_bundle(Path(config.model.path) if config.model.path else SHIPPED_MODEL)


def load_model(config: Config) -> Model:
    """Given the settings, return the model they ask for. Raise ModelError or AcceleratorError."""
    bundle = configured_bundle(config)
    cpu = TfliteNetwork(bundle.model, bundle, config.model.threads)
    transcriber = make_transcriber(config, bundle)
    return Model(bundle, HandOver(cpu, bundle, config.model.accelerator, config.model.device), transcriber)


def make_transcriber(config: Config, bundle: Bundle) -> Optional[Transcriber]:
    """Given the settings and a bundle, return what transcribes by a language model, if that is wanted.

    Raise ModelError.
    """
    if not config.scorer.path:
        return None
    from sayso.scorer_package import open_transcriber  # here: hardly anybody has one

    settings = BeamSettings(**config.scorer.model_dump(exclude={"path"}))
    return open_transcriber(bundle, Path(config.scorer.path), settings)


def phonology(bundle: Bundle) -> Phonology:
    """Given a bundle, return what a grammar has to know of it."""
    tokens = bundle.manifest.tokens
    return Phonology(tuple(tokens.symbols), tokens.blank, bundle.lexicon)


def load_grammar(config: Config, bundle: Bundle, path: Optional[Path] = None, *, apart: bool = False) -> Grammar:
    """Given the settings, return the compiled sentences, those of another path if one is given. `apart`: compiled by a
    process of its own. Raise GrammarError."""
    house = config.house.model_dump()
    folder = own_cache_folder(os.environ) if config.commands.cache else None
    with ExitStack() as stack:
        if apart and folder is None:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="sayso-")))  # where the process leaves it
        return compile_grammar(
            path or Path(config.commands.path),
            phonology(bundle),
            config.commands.context,
            config.listening.wake_phrases,
            House(**house) if any(house.values()) else None,
            GraphCache(folder),
            apart=apart,
        )


def make_sentences(
    config: Config,
    bundle: Bundle,
    post: Callable[[Callable[[], None]], None],
    on_loaded: Callable[[Optional[SaysoError]], None],
    on_failure: Callable[[BaseException], None],
) -> Sentences:
    """Given the settings, a bundle and whom to tell (see Sentences), return the sentences. Raise GrammarError."""
    path, folder = Path(config.commands.path), own_cache_folder(os.environ) if config.commands.cache else None
    return Sentences(
        path,
        load=lambda path: load_grammar(config, bundle, path, apart=True),
        last_good=LastGood(folder, path.absolute()),
        post=post,
        on_loaded=on_loaded,
        on_failure=on_failure,
    )


def decoder_settings(config: Config, model: Model) -> DecoderSettings:
    """Given the settings and a model, return how its posteriors are searched."""
    manifest = model.bundle.manifest
    return DecoderSettings(
        log_prior=np.array(manifest.tokens.log_prior, np.float32),
        blank=manifest.tokens.blank,
        prior_weight=manifest.decoding.prior_weight,
        acoustic_scale=manifest.decoding.acoustic_scale,
        log_bigram=model.bundle.log_bigram,
        beam=config.decoder.beam,
        max_active=config.decoder.max_active,
        step=manifest.features.step * manifest.network.subsampling,
    )


def make_recognizer(
    config: Config, model: Model, grammar: Grammar, min_confidence: Optional[float] = None
) -> Recognizer:
    """Given a model and a grammar, return what judges utterances; `min_confidence` outranks the configured one."""
    decoding = model.bundle.manifest.decoding
    threshold = next(
        one for one in (min_confidence, config.commands.min_confidence, decoding.min_confidence) if one is not None
    )
    settings = RecognizerSettings(
        features=model.bundle.features,
        streaming=streaming(model.bundle),
        decoder=decoder_settings(config, model),
        min_confidence=threshold,
        intent_confidence=grammar.templates.min_confidence,
        wake_confidence=config.listening.wake_confidence,
        rejoin=samples(config.endpoint.rejoin),
        alternatives=config.decoder.alternatives,
    )
    if decoding.calibration is not None:
        settings = replace(settings, calibration=decoding.calibration)
    opinion = make_opinion(model.transcriber, grammar) if model.transcriber else None
    return Recognizer(model.network, grammar.graph, settings, time.perf_counter, opinion)


def make_microphone(config: Config) -> Microphone:
    """Given the settings, return the microphone, not yet opened."""
    values: Dict[str, Any] = config.audio.model_dump(exclude={"channel", "rate"})
    return Microphone(MicrophoneSettings(**values, channel=channel(config), rate=config.audio.rate or None))


def channel(config: Config) -> Optional[int]:
    """Given the settings, return which channel to listen to; None: the average of all."""
    return None if config.audio.channel < 0 else config.audio.channel


def make_contract(config: Config, instance: str) -> Contract:
    """Given the settings and a name for this start of the daemon, return how it speaks on MQTT."""
    return Contract(config.mqtt.site, instance, config.mqtt.time_to_live)


def make_discovery(config: Config, contract: Contract, intents: Sequence[str]) -> Discovery:
    """Given the settings and the intents that can come out, return Sayso's entry at Home Assistant."""
    settings = HomeAssistantSettings(**config.home_assistant.model_dump(include={"discovery", "prefix", "name"}))
    return Discovery(HomeAssistant(contract, settings, __version__, tuple(intents)))


def assist_settings(config: Config, language: str, *, needed: bool = False) -> AssistSettings:
    """Given the settings and the language of the commands, return how they are handed to Home Assistant.

    `needed`: as if that was switched on. Raise ConfigError where that can't be.
    """
    home = config.home_assistant
    return AssistSettings(
        home.intents or needed, home.url, home.token_file, home.ca_file, language, config.mqtt.time_to_live
    )


def make_conversation(config: Config, contract: Contract, meaning: Callable[[str], Optional[Command]]) -> Conversation:
    """Given the settings and what a text means, return Sayso's part in Hermes. Raise ConfigError for a wrong site."""
    values: Dict[str, Any] = config.hermes.model_dump(exclude={"sites", "timeout"})
    hermes = Hermes(contract, HermesSettings(**values, sites=tuple(config.hermes.sites)))
    return Conversation(hermes, config.hermes.timeout, meaning, 1.0 - config.listening.wake_confidence)


def make_keeping(config: Config) -> Keeping:
    """Given the settings, return who keeps sound for debugging: nobody, unless it was asked for."""
    debug = config.debug
    folder = state_folder(os.environ) / "audio"
    return Keeping(folder, debug.keep_audio, debug.keep_audio_size, config.gate.longest, time.time())


def make_mute() -> Mute:
    """Return where it is noted that nobody may listen: in systemd's folder, and nowhere without one."""
    return Mute(state_folder(os.environ) if os.environ.get("STATE_DIRECTORY") else None)


def make_decisions(config: Config) -> Decisions:
    """Given the settings, return where the last decisions are noted, in this process's own corner of memory."""
    words = config.log.level == "debug"
    return Decisions(own_folder(os.environ), config.mqtt.site, config.log.decisions, words)


def mqtt_settings(config: Config) -> MqttSettings:
    """Given the settings, return those of the broker's connection. Raise ConfigError where they don't agree."""
    values: Dict[str, Any] = config.mqtt.model_dump(exclude={"alpn", "partial"})
    return MqttSettings(**values, alpn=tuple(config.mqtt.alpn))


def make_pipeline(config: Config, recognizer: Recognizer) -> Pipeline:
    """Given a recogniser, return the whole path from frames to outcomes."""
    values: Dict[str, Any] = config.gate.model_dump(exclude={"aggressiveness", "noise_margin"})
    voice = Vad(config.gate.aggressiveness, config.gate.noise_margin)
    endpoint = EndpointSettings(**config.endpoint.model_dump(exclude={"rejoin"}))
    attention = Attention(AttentionSettings(config.listening.wake_window, config.commands.refractory))
    attention.required = config.listening.mode == "wake"
    return Pipeline(Gate(GateSettings(**values)), voice, recognizer, endpoint, attention)
