"""The daemon: puts the parts together, starts them in order, stops them in reverse.

Rule of this file: the main thread owns what the daemon is (its `State`) and does one thing at a time
from its inbox; the worker thread owns the pipeline. Wall time is stamped here and nowhere else. A
thread that dies takes the process with it, and systemd starts a new one.

    microphone's thread -> queue (3 s) -> worker: pipeline.feed -> broker.publish (never blocks)
    signals, requests from MQTT, a finished reload, status changes -> inbox -> main thread
"""

from __future__ import annotations

import logging
import random
import signal
import threading
import time
import uuid
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import Callable, Iterable, Optional

from sayso import __version__, health, journal
from sayso.assembly import (
    Model,
    assist_settings,
    load_model,
    make_contract,
    make_conversation,
    make_decisions,
    make_discovery,
    make_keeping,
    make_microphone,
    make_mute,
    make_pipeline,
    make_recognizer,
    make_sentences,
)
from sayso.assist import Assist, HandOver
from sayso.complaints import HAPPENED, Complaints
from sayso.config import Config
from sayso.connection import make_broker
from sayso.errors import SaysoError
from sayso.letterbox import Letterbox
from sayso.listening import Listening
from sayso.mqtt.broker import BrokerStatus
from sayso.mqtt.contract import Stamp
from sayso.mqtt.outbox import Dropped
from sayso.mqtt.requests import Listen, Reload, Request, SetMode, SetMute, ShowLive, parse
from sayso.reading import with_the_room
from sayso.records import Answer, Command, Heard, Message, State, Wake
from sayso.sentences import WATCH_SECONDS
from sayso.worker import TICK, Ears, Worker

logger = logging.getLogger(__name__)

HEALTH_SECONDS = 60.0
"""Pause between health messages."""

STOP_SECONDS = 0.8
"""What the microphone, and then the broker, may take to stop; together under 2 s."""

BIRTH_SECONDS = (1.0, 5.0)
"""When Home Assistant has started, all state is sent again after a time drawn from these: it has much to read then."""


class Service:
    """One run of the daemon."""

    def __init__(self, config: Config) -> None:
        """Given the settings, load model and sentences. Raise SaysoError for what can't be used."""
        self._config = config
        self._model: Model = load_model(config)
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._letterbox = Letterbox(self._inbox, lambda line: self._complain(line, level=logging.WARNING))
        self._sentences = make_sentences(config, self._model.bundle, self._inbox.put, self._reloaded, self._fail)
        self._min_confidence: Optional[float] = None
        recognizer = make_recognizer(config, self._model, self._sentences.grammar)
        self._pipeline = make_pipeline(config, recognizer)
        self._microphone = make_microphone(config)
        self._contract = make_contract(config, uuid.uuid4().hex)
        self._conversation = make_conversation(config, self._contract, self._sentences.meaning)
        self._listening = Listening(config.listening.mode, bool(config.listening.wake_phrases), self._conversation)
        self._mute = make_mute()
        self._listening.muted = self._mute.is_set
        self._decisions = make_decisions(config)
        language = self._model.bundle.manifest.language
        self._assist = Assist(
            assist_settings(config, language), lambda went: self._inbox.put(lambda: self._handed_over(went))
        )
        self._discovery = make_discovery(config, self._contract, self._sentences.intents)
        self._broker = make_broker(
            config,
            self._contract,
            (self._discovery, self._conversation),
            on_message=self._receive,
            on_status=lambda status: self._inbox.put(lambda: self._broker_changed(status)),
            on_dropped=lambda dropped: self._inbox.put(lambda: self._dropped(dropped)),
        )
        self._record = health.Record()
        ears = Ears(
            heard=self._publish,
            words=lambda words: self._broker.publish(self._contract.partial(words, time.time())),
            live=lambda live: self._broker.publish(self._contract.live(live, time.time())),
            died=lambda error: self._inbox.put(lambda: self._fail(error)),
        )
        self._keeping = make_keeping(config)
        self._worker = Worker(self._keeping.through(self._microphone.read), self._pipeline, config.mqtt.partial, ears)
        self._stop = threading.Event()
        self._failure: Optional[BaseException] = None
        self._ready = False
        self._broker_seen = BrokerStatus(connected=False)
        self._complaints = Complaints()
        self._watchdog = health.Watchdog(
            {"capture": lambda: self._microphone.progress, "worker": lambda: self._worker.turns}
        )
        self._state = State(
            version=__version__,
            listening=False,
            muted=self._listening.muted,
            microphone="starting",
            accelerator=self._model.accelerator,
            model=self._model.bundle.label,
            grammar=self._sentences.label,
            mode=self._listening.mode,
            min_confidence=recognizer.min_confidence,
        )
        self._published: Optional[State] = None

    def run(self) -> None:
        """Work until SIGTERM or SIGINT. Raise whatever ended a thread."""
        with ExitStack() as stack:
            for number, handle in (
                (signal.SIGTERM, self._stop.set),
                (signal.SIGINT, self._stop.set),
                (signal.SIGHUP, self._reload),
            ):
                before = signal.signal(number, lambda *_, handle=handle: self._inbox.put(handle))
                stack.callback(signal.signal, number, before)
            stack.callback(health.say, "stopped")
            stack.callback(self._model.network.close)
            if self._sentences.problem:
                line = f"the sentences are broken, the last good ones are at work: {self._sentences.problem}"
                self._complain(line, "sentences")
            self._say(self._discovery.begin())
            self._broker.start()
            stack.callback(self._broker.stop, STOP_SECONDS)
            stack.callback(lambda: self._say(self._conversation.end()))
            self._open_or_close()
            stack.callback(self._microphone.close, STOP_SECONDS)
            self._worker.start()
            stack.callback(self._worker.stop, STOP_SECONDS)
            stack.callback(health.stopping)
            self._supervise()
        if self._failure is not None:
            raise self._failure

    # The main thread.

    def _supervise(self) -> None:
        fed = told = looked = time.monotonic()
        while not self._stop.is_set():
            self._do_next()
            now = time.monotonic()
            self._notice(now)
            if now - fed >= self._watchdog.interval:
                fed = now
                for name in self._watchdog.feed():
                    logger.error("%s makes no progress", name)
            if now - told >= HEALTH_SECONDS:
                told = now
                self._tell_health()
            if self._config.commands.watch and now - looked >= WATCH_SECONDS:
                looked = now
                if self._sentences.have_changed():
                    self._reload()

    def _do_next(self) -> None:
        """Do what has come in, if anything does within a tick."""
        try:
            step = self._inbox.get(timeout=TICK)
        except Empty:
            return
        step()

    def _notice(self, now: float) -> None:
        """Bring the state up to date; publish it when it has changed."""
        if self._listening.lapse(now, self._pipeline.hearing):
            self._open_or_close()
        if self._conversation.listening and (silence := self._conversation.timed_out(now, self._pipeline.hearing)):
            self._say(silence)
            self._open_or_close()
        status = self._microphone.status
        self._state = replace(
            self._state,
            mode=self._listening.mode,
            muted=self._listening.muted,
            microphone=self._listening.why_shut or status,
            listening=status.startswith("ok"),
            hearing=self._pipeline.hearing,
            keeps_audio=self._keeping.until(time.time()),
            accelerator=self._model.accelerator,
            last_error=self._complaints.newest,
            chunk_ms=self._state.chunk_ms if self._pipeline.hearing else round(self._model.network.chunk_ms, 1),
        )
        if not self._ready and not status.startswith("starting"):
            # A missing microphone is looked for while the daemon runs: it does not keep it from being up.
            self._ready = True
            health.ready(self._summary())
            logger.info("listening: %s", self._summary())
        if self._state != self._published:
            self._published = self._state
            self._broker.publish(self._contract.state(self._state))
            if self._ready:
                health.say(self._summary())

    def _summary(self) -> str:
        broker = "broker connected" if self._broker.status.connected else "no broker"
        return f"microphone {self._state.microphone}; {self._state.grammar}; {self._state.accelerator}; {broker}"

    def _tell_health(self) -> None:
        self._keeping.expire(time.time())
        counters = self._broker.counters
        report = self._record.health(counters.dropped, counters.reconnects)
        self._broker.publish(self._contract.health(report, time.time()))

    def _complain(self, line: str, source: str = HAPPENED, *, level: int = logging.ERROR) -> None:
        """Show an error where somebody will look: in the journal and on the state topic."""
        logger.log(level, "%s", line)
        self._complaints.add(line, source)

    def _fail(self, error: BaseException) -> None:
        self._failure = error
        self._stop.set()

    # What comes from the broker.

    def _receive(self, topic: str, payload: bytes, retained: bool) -> None:
        """In the broker's thread: leave a message to the main thread, as long as that keeps up."""
        self._letterbox.put(topic, lambda: self._heard_from_broker(topic, payload, retained))

    def _broker_changed(self, status: BrokerStatus) -> None:
        before, self._broker_seen = self._broker_seen, status
        if status.connected and not before.connected:
            logger.info("broker connected")
            self._tell_health()
        if status.error and status.error != before.error:
            self._complain(status.error, "broker", level=logging.WARNING)
        elif not status.error:
            self._complaints.settle("broker")

    def _dropped(self, dropped: Dropped) -> None:
        line = f"{dropped.message.topic}: not delivered: {dropped.reason}"
        # The broker that refuses it has said why, and that helps more than to hear of every message.
        if self._broker_seen.connected and self._broker_seen.error:
            logger.warning("%s", line)
        else:
            self._complain(line, level=logging.WARNING)

    def _heard_from_broker(self, topic: str, payload: bytes, retained: bool) -> None:
        try:
            if topic == self._contract.topic("state"):
                self._look_for_rival(topic, payload, retained)
            elif topic in self._discovery.recall:
                self._say(self._discovery.recalled(payload, retained))
            elif topic in self._discovery.subscriptions:
                if self._discovery.is_birth(topic, payload):
                    self._broker.publish_state_again(random.uniform(*BIRTH_SECONDS))  # noqa: S311 - no secret
            elif topic in self._conversation.subscriptions:
                self._say(self._conversation.heard(topic, payload, retained, time.monotonic()))
                self._open_or_close()
            else:
                self._answer_request(topic[len(self._contract.topic("")) :], payload, retained)
        except SaysoError as error:
            self._complain(str(error))
        except Exception as error:  # anybody may write to the broker: no message ends the daemon
            logger.debug("what came to %s", topic, exc_info=True)
            self._complain(f"{topic}: makes no sense: {type(error).__name__}: {error}")

    def _answer_request(self, name: str, payload: bytes, retained: bool) -> None:
        """Obey a request, or say why not; either way the state says what came of it."""
        error = ""
        try:
            self._obey(parse(name, payload, retained))
            self._open_or_close()
        except SaysoError as refusal:
            error = str(refusal)
            self._complain(error, "request")
        else:
            self._complaints.settle("request")
        self._state = replace(self._state, answer=Answer(name, time.time(), error))

    def _look_for_rival(self, topic: str, payload: bytes, retained: bool) -> None:
        rival = self._contract.other_publisher(topic, payload, retained)
        if rival and rival != self._complaints.newest:
            self._complain(rival)

    def _obey(self, request: Request) -> None:
        if isinstance(request, SetMute):
            self._listening.muted = request.muted
            self._open_or_close()  # whether or not that can be noted
            self._mute.keep(request.muted)
        elif isinstance(request, SetMode):
            self._listening.set_mode(request.mode)
        elif isinstance(request, Listen):
            self._listening.ask(request.seconds, time.monotonic())
        elif isinstance(request, Reload):
            self._reload()
        elif isinstance(request, ShowLive):
            self._worker.watched.ask(request.seconds, time.monotonic())
            return  # whoever watches asks again and again
        else:
            self._min_confidence = request.confidence
            self._use_sentences()
        logger.info("%s", request)

    def _open_or_close(self) -> None:
        """Hold the microphone open only while its sound may be used."""
        if self._listening.muted:
            self._say(self._conversation.deaf(f"{self._contract.topic('set/mute')}: the microphone is muted"))
        self._pipeline.attention.required = self._listening.needs_wake_phrase
        if self._listening.is_open:
            self._microphone.open()
        else:
            self._microphone.close()
            self._worker.forget()

    def _reflect(self, heard: Heard, stamp: Stamp) -> None:
        """Note what was heard, and tell whoever asked for it; then, on request only, nothing more is listened for."""
        journal.tell(heard, stamp.id)
        self._decisions.add(heard, stamp.id, stamp.now, self._sentences.threshold(heard, self._state.min_confidence))
        if isinstance(heard, Wake):
            self._say(self._conversation.woken(heard))
            return
        if isinstance(heard, Command):
            self._listening.answer()
            if self._config.home_assistant.acts_on(heard.intent) and not heard.repeated:
                graph, context = self._sentences.grammar.graph, self._config.commands.context
                self._assist.hand_over(stamp.id, partial(with_the_room, graph, heard, context))
        self._say(self._conversation.answer(heard, stamp))
        self._open_or_close()

    def _say(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self._broker.publish(message)

    def _handed_over(self, went: HandOver) -> None:
        """Given how Home Assistant took a command, count and show it, and tell what it replied."""
        self._record.add_hand_over(failed=bool(went.error))
        if went.reply:
            self._broker.publish(self._contract.reply(went.id, went.text, went.reply, not went.error, time.time()))
        if went.error:
            self._complain(went.error, "hand-over", level=logging.WARNING)
        else:
            self._complaints.settle("hand-over")

    # The sentences.

    def _reload(self) -> None:
        """Compile the sentences in the background; the last good ones stay at work meanwhile, and if it fails."""
        if self._sentences.reload():
            health.reloading()

    def _reloaded(self, error: Optional[SaysoError]) -> None:
        if error is not None:
            self._complain(f"sentences not reloaded, the last good ones stay: {error}", "sentences")
        else:
            self._use_sentences()
            self._say(self._discovery.with_intents(self._sentences.intents))
            self._complaints.settle("sentences")
            self._state = replace(self._state, grammar=self._sentences.label)
            logger.info("sentences reloaded: %s", self._state.grammar)
        health.ready(self._summary())
        if self._sentences.behind:
            self._reload()

    def _use_sentences(self) -> None:
        recognizer = make_recognizer(self._config, self._model, self._sentences.grammar, self._min_confidence)
        self._pipeline.use(recognizer)
        self._state = replace(self._state, min_confidence=recognizer.min_confidence)

    # In the worker thread.

    def _publish(self, heard: Heard) -> None:
        now = time.time()
        late = 0.0 if isinstance(heard, Wake) else heard.timings.final / 1000
        stamp = Stamp(id=str(uuid.uuid4()), heard=now - late, now=now)
        event = self._contract.wake(heard, stamp) if isinstance(heard, Wake) else self._contract.outcome(heard, stamp)
        self._say([event, *self._discovery.events(heard, stamp)])
        self._keeping.keep(heard, stamp.id, now)
        self._inbox.put(lambda: self._reflect(heard, stamp))
        if not isinstance(heard, Wake):
            self._record.add(heard)
