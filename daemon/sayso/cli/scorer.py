"""`sayso scorer`: language models of the owner's sentences, for DeepSpeech's own decoder and for ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import click

from sayso.cli.settings import commands_option, overrides, settings
from sayso.errors import ModelError
from sayso.scorer_package import ALPHA, BETA, find_tool, open_transcriber, transcribe, write_scorer

ENGLISH = (" ", *"abcdefghijklmnopqrstuvwxyz", "'")
"""The alphabet of DeepSpeech's English models."""


@click.group()
def scorer() -> None:
    """Make language models of your sentences, and transcribe with them."""


@scorer.command()
@commands_option
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("commands.scorer"), show_default=True)
@click.option("--model", type=click.Path(path_type=Path), help="Model whose alphabet it is for, instead of English.")
@click.option(
    "--order", type=click.IntRange(2, 5), default=3, show_default=True, help="Words that depend on each other."
)
@click.option("--alpha", type=float, default=ALPHA, show_default=True, help="Weight written into it.")
@click.option("--beta", type=float, default=BETA, show_default=True, help="Bonus for a word written into it.")
@click.option("--kenlm", type=click.Path(path_type=Path), help="KenLM's build_binary, if it isn't on the PATH.")
@click.pass_context
def build(
    context: click.Context,
    commands: Optional[Path],
    output: Path,
    model: Optional[Path],
    order: int,
    alpha: float,
    beta: float,
    kenlm: Optional[Path],
) -> None:
    """Write a .scorer package of what your sentences allow, for DeepSpeech 0.9 and ds_ctcdecoder 0.9.3.

    The sentences are counted along the grammar and never written out, so there may be billions of them.
    """
    from sayso.grammar.language import learn_language  # here: other commands don't need the templates' parser

    tool = find_tool(kenlm)
    config = settings(context, overrides(commands, None))
    alphabet = _alphabet(model) if model else ENGLISH
    language = learn_language(Path(config.commands.path), alphabet, config.commands.context, order)
    size = write_scorer(language, output, tool, alpha, beta)
    counts = ", ".join(f"{len(grams)} {n}-grams" for n, grams in enumerate(language.ngrams.orders, 1))
    click.echo(f"{output}: {len(language.ngrams.words)} words, {counts}, {size} bytes")


@scorer.command("transcribe")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--model", type=click.Path(path_type=Path), required=True, help="Model with DeepSpeech's interface.")
@click.option("--scorer", "package", type=click.Path(path_type=Path), required=True, help="A .scorer package.")
@click.option("--alpha", type=float, default=ALPHA, show_default=True, help="Weight of the language model.")
@click.option("--beta", type=float, default=BETA, show_default=True, help="Bonus for a word.")
@click.option("--beam", type=click.IntRange(1, 5000), default=100, show_default=True, help="Texts followed at once.")
@click.option("--hot-word", "hot_words", multiple=True, metavar="WORD=BOOST", help="Prefer a word by so many nats.")
@click.option(
    "--alternatives", type=click.IntRange(1, 20), default=1, show_default=True, help="Texts that are printed."
)
@click.option("--decoder", type=click.Choice(["auto", "ds_ctcdecoder", "sayso"]), default="auto", show_default=True)
def transcribe_files(
    files: Tuple[Path, ...],
    model: Path,
    package: Path,
    alpha: float,
    beta: float,
    beam: int,
    hot_words: Tuple[str, ...],
    alternatives: int,
    decoder: str,
) -> None:
    """Print what sound FILEs say by a language model instead of the grammar; one JSON object a line.

    ds_ctcdecoder is used where it is installed (x86-64, Python 3.9), elsewhere Sayso's own search.
    """
    from sayso.recognition.beam import BeamSettings
    from sayso.recognition.bundle import open_bundle

    bundle = open_bundle(model)
    chosen = BeamSettings(alpha, beta, beam, hot_words=_hot(hot_words))
    transcriber = open_transcriber(bundle, package, chosen, decoder)
    for file in files:
        found = transcribe(bundle, transcriber, file, alternatives)
        texts: List[Dict[str, object]] = [{"text": one.text, "score": round(one.score, 3)} for one in found]
        line = {"file": str(file), "decoder": transcriber.road, "transcripts": texts}
        click.echo(json.dumps(line, ensure_ascii=False))


def _alphabet(model: Path) -> Tuple[str, ...]:
    from sayso.recognition.bundle import open_bundle

    manifest = open_bundle(model).manifest
    if manifest.lexicon is not None:
        raise ModelError("writes phones, not letters", where=str(model), remedy="name a DeepSpeech model")
    return tuple(symbol for place, symbol in enumerate(manifest.tokens.symbols) if place != manifest.tokens.blank)


def _hot(words: Tuple[str, ...]) -> Dict[str, float]:
    hot: Dict[str, float] = {}
    for one in words:
        word, _, boost = one.partition("=")
        try:
            hot[word] = float(boost)
        except ValueError:
            raise click.BadParameter(f"{one!r}: WORD=BOOST, e.g. kitchen=5", param_hint="--hot-word") from None
        if not word or " " in word:
            raise click.BadParameter(f"{one!r}: one word, without spaces", param_hint="--hot-word")
    return hot
