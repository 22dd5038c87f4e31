"""Where hostile bytes are worked on: each medium in a child process of its own, which is locked in
before it looks and is bounded in memory, time and reach. `child` is the parent's side, `ahead`
what it keeps ready, `inside` the child's, `answers` how the two speak, `lock` and `calls` the
kernel's part of it. `decoding` undoes a compression that an archive does not take.
"""

from kiosk.sandbox.ahead import warm
from kiosk.sandbox.calls import seccomp_works
from kiosk.sandbox.child import JobFailed, catalog, identify, look, prepare, read
from kiosk.sandbox.lock import landlock_abi

__all__ = [
    "JobFailed",
    "catalog",
    "identify",
    "landlock_abi",
    "look",
    "prepare",
    "read",
    "seccomp_works",
    "warm",
]
