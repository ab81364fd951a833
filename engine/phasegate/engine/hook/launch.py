"""Starts the hook where only the standard library is on the path: `python -I -S .../hook/launch.py ...`."""

import os
import sys

if __name__ == "__main__":
    try:
        # Behind the standard library, so that nothing beside this package is taken for a part of that.
        sys.path.append(os.path.abspath(__file__ + "/../../../.."))  # noqa: PTH100 - pathlib costs 5 ms
        from phasegate.engine.hook.main import run

        run()
    except BaseException:  # noqa: BLE001 - whatever went wrong, nothing passes
        os.write(2, b"hook.failed: the hook could not be started; install it anew: `engine hooks install`\n")
        os._exit(2)
