"""`python -m phasegate.engine.cli`: the `engine` command without its script."""

from phasegate.engine.cli import main

main()
