"""A process that does not outlive the one that started it, however that ended.

Linux's PR_SET_PDEATHSIG, prctl(2): it stays set when another program is started in its place, and is not passed on to
children, so each says it for itself. Elsewhere nothing is done, and limits of time are what ends it.
"""

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def put_on() -> None:
    """From now on this process is killed when the thread that started it ends."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
