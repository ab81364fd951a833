"""The `engine` command. Heavy imports happen inside the commands, so that `--help` stays fast."""


def main() -> None:
    """Run the `engine` command."""
    from phasegate.engine.cli.app import run

    run()
