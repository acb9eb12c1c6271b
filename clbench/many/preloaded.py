"""What the fork server imports for all workers, and how it behaves; nobody else imports this.

Nothing here may use a GPU or torch's threads: neither survives a fork.
"""

from __future__ import annotations

import gc
import os
import signal
import warnings

from clbench.imports.uncollected import uncollected

with uncollected():
    import clbench.data.datasets.registry
    import clbench.data.pictures.decode
    import clbench.data.pictures.sources
    import clbench.data.scenes.scenes
    import clbench.imports.picture_functions
    import clbench.many.one
    import clbench.train.loop
    import clbench.train.run

    clbench.data.pictures.decode.torchcodec_decoder()  # of which every record tells

gc.freeze()  # what is imported stays, so that no worker looks through it again
_server = os.getpid()


_blocked: set[int] = set()


def _hold() -> None:
    """Keep a signal that comes from here on until `_let_in`: one that a fork ignores is lost."""
    global _blocked
    _blocked = set(signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}))


def _let_in() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _blocked)


def _stop_as_usual() -> None:
    if os.getppid() == _server and signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _let_in()


# a signal to the whole group asks workers to save and to stop, and their parent to wait: only the server can tell it
# when they have ended, and it ends after them anyhow
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.register_at_fork(before=_hold, after_in_parent=_let_in, after_in_child=_stop_as_usual)
# Python 3.12 warns of the threads that NumPy's BLAS has; it stops them before a fork and starts them again
warnings.filterwarnings("ignore", message="This process .* is multi-threaded", category=DeprecationWarning)
