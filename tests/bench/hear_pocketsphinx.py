"""PocketSphinx 5 for the meter: `hear_pocketsphinx.py GRAMMAR.jsgf WORDS.json PHRASES.json`.

Rule of this file: used the way its own live example does it, all at defaults: its Endpointer cuts the stream, the
Decoder is fed while the person speaks. It runs in an environment that has pocketsphinx and nothing else.

WORDS.json: word -> pronunciations (ARPABET), for the words that its dictionary lacks. PHRASES.json: sentences that the
grammar must hold; how many it does is reported.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Iterator

from meter import serve
from pocketsphinx import Decoder, Endpointer


def main() -> None:
    jsgf, words, phrases = (Path(name) for name in sys.argv[1:4])
    decoder = Decoder(lm=None, loglevel="FATAL")
    for word, ways in json.loads(words.read_text(encoding="utf-8")).items():
        if decoder.lookup_word(word) is None:
            for number, way in enumerate(ways, 1):
                decoder.add_word(word if number == 1 else f"{word}({number})", way, False)
    decoder.add_jsgf_file("commands", str(jsgf))
    decoder.activate_search("commands")
    endpointer = Endpointer()

    def listen(frame: bytes) -> Iterator[dict[str, Any]]:
        was_speaking = endpointer.in_speech
        speech = _speech(endpointer, frame)
        if speech is not None and not was_speaking:
            decoder.start_utt()
        if speech is not None:
            decoder.process_raw(speech)
        if was_speaking and not endpointer.in_speech:
            decoder.end_utt()
            found = decoder.hyp()
            if found is not None and found.hypstr:
                yield {"text": found.hypstr}

    fsg = decoder.get_fsg("commands")
    wanted = json.loads(phrases.read_text(encoding="utf-8"))
    missing = [phrase for phrase in wanted if not fsg.accept(phrase)]
    about = {"name": f"PocketSphinx {version('pocketsphinx')}", "model": "en-us (in its wheel)", "missing": missing}
    serve(endpointer.frame_bytes, listen, about)


def _speech(endpointer: Endpointer, frame: bytes) -> bytes | None:
    """Given the next frame (empty: the last was the last), return the speech that it completes, if any."""
    speech: bytes | None = None
    if frame:
        speech = endpointer.process(frame)
    elif endpointer.in_speech:
        speech = endpointer.end_stream(b"")
    return speech


main()
