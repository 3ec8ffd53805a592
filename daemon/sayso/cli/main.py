"""`sayso`: reads the command line and hands on.

Rule of this file: every SaysoError becomes lines on standard error and its exit code, here and nowhere else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn, Optional

import click

from sayso import __version__
from sayso.cli.bench import bench
from sayso.cli.check import check
from sayso.cli.commands import commands
from sayso.cli.config import config
from sayso.cli.contract import contract
from sayso.cli.devices import devices
from sayso.cli.doctor import doctor
from sayso.cli.model import model
from sayso.cli.monitor import monitor
from sayso.cli.recognize import recognize
from sayso.cli.run import run
from sayso.cli.score import score
from sayso.cli.scorer import scorer
from sayso.cli.why import why
from sayso.errors import SaysoError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sayso")
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    envvar="SAYSO_CONFIG",
    help="Settings file; without it /etc/sayso/sayso.toml, or the defaults.",
)
@click.pass_context
def sayso(context: click.Context, config_path: Optional[Path]) -> None:
    """Offline voice commands: from a microphone to an MQTT event."""
    context.obj = config_path


_COMMANDS = (
    run, monitor, recognize, score, why, check, commands, devices, config, model, bench, doctor, scorer, contract,
)  # fmt: skip
for _command in _COMMANDS:
    sayso.add_command(_command)


def main() -> NoReturn:
    """Run the command line. Exit 0, or with the code of what went wrong."""
    try:
        status = sayso.main(standalone_mode=False)
    except SaysoError as error:
        for problem in error.problems:
            click.echo(f"sayso: {problem}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    # A subcommand that ends early by click's own means leaves its status here.
    sys.exit(status or 0)
