"""`python -m phasegate.engine.confine`."""

from __future__ import annotations

import sys

from phasegate.engine.confine.supervisor import main

main(sys.argv[1:])
