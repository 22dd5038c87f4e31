"""What a locked-in child may ask of the kernel: a seccomp filter (classic BPF, seccomp(2)) made
here, without a library. Everything that is not in the list fails with EPERM: no socket, no new
process, no program, no mount, no look into another process."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from dataclasses import dataclass

SECCOMP_SET_MODE_FILTER, ALL_THREADS = 1, 1
PR_GET_SECCOMP = 21
CLONE_THREAD = 0x00010000
# FIONCLEX, FIOCLEX; of the optical drive: multisession, speed, drive status, disc status.
IOCTLS = (0x5450, 0x5451, 0x5310, 0x5322, 0x5326, 0x5327)

ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
LOAD, EQUAL, GREATER, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# struct seccomp_data: the call's number, the machine, then six arguments of eight bytes.
NUMBER, MACHINE, FIRST, SECOND = 0, 4, 16, 24
X32 = 0x40000000  # x86-64's second set of numbers


@dataclass(frozen=True, slots=True)
class Calls:
    """One machine's numbers (asm/unistd.h): what is allowed, and the calls that need a look."""

    machine: int  # AUDIT_ARCH_...
    allowed: tuple[int, ...]
    ioctl: int
    clone: int
    clone3: int
    seccomp: int


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word.rpartition("=")[2]) for word in text.split())


X86_64 = Calls(
    machine=0xC000003E,
    allowed=_numbers(
        "read=0 write=1 open=2 close=3 stat=4 fstat=5 lstat=6 poll=7 lseek=8 mmap=9 mprotect=10 "
        "munmap=11 brk=12 rt_sigaction=13 rt_sigprocmask=14 rt_sigreturn=15 pread64=17 "
        "pwrite64=18 readv=19 writev=20 access=21 select=23 sched_yield=24 mremap=25 madvise=28 "
        "dup=32 dup2=33 nanosleep=35 getpid=39 sendfile=40 exit=60 uname=63 fcntl=72 flock=73 "
        "fsync=74 fdatasync=75 ftruncate=77 getdents=78 getcwd=79 rename=82 mkdir=83 rmdir=84 "
        "unlink=87 readlink=89 gettimeofday=96 getrlimit=97 getrusage=98 sysinfo=99 getuid=102 "
        "getgid=104 geteuid=107 getegid=108 getppid=110 sigaltstack=131 statfs=137 fstatfs=138 "
        "gettid=186 time=201 futex=202 sched_getaffinity=204 getdents64=217 "
        "set_tid_address=218 restart_syscall=219 fadvise64=221 clock_gettime=228 "
        "clock_getres=229 clock_nanosleep=230 exit_group=231 openat=257 mkdirat=258 "
        "newfstatat=262 unlinkat=263 renameat=264 readlinkat=267 faccessat=269 pselect6=270 "
        "ppoll=271 set_robust_list=273 fallocate=285 dup3=292 preadv=295 pwritev=296 "
        "renameat2=316 getrandom=318 copy_file_range=326 preadv2=327 statx=332 rseq=334 "
        "close_range=436 faccessat2=439"
    ),
    ioctl=16,
    clone=56,
    clone3=435,
    seccomp=317,
)
AARCH64 = Calls(
    machine=0xC00000B7,
    allowed=_numbers(
        "getcwd=17 dup=23 dup3=24 fcntl=25 flock=32 mkdirat=34 unlinkat=35 renameat=38 statfs=43 "
        "fstatfs=44 ftruncate=46 fallocate=47 faccessat=48 openat=56 close=57 getdents64=61 "
        "lseek=62 read=63 write=64 readv=65 writev=66 pread64=67 pwrite64=68 preadv=69 pwritev=70 "
        "sendfile=71 pselect6=72 ppoll=73 readlinkat=78 newfstatat=79 fstat=80 fsync=82 "
        "fdatasync=83 exit=93 exit_group=94 set_tid_address=96 futex=98 set_robust_list=99 "
        "nanosleep=101 clock_gettime=113 clock_getres=114 clock_nanosleep=115 "
        "sched_getaffinity=123 sched_yield=124 restart_syscall=128 sigaltstack=132 "
        "rt_sigaction=134 rt_sigprocmask=135 rt_sigreturn=139 uname=160 getrlimit=163 "
        "getrusage=165 gettimeofday=169 getpid=172 getppid=173 getuid=174 geteuid=175 getgid=176 "
        "getegid=177 gettid=178 sysinfo=179 brk=214 munmap=215 mremap=216 mmap=222 fadvise64=223 "
        "mprotect=226 madvise=233 renameat2=276 getrandom=278 copy_file_range=285 preadv2=286 "
        "statx=291 rseq=293 close_range=436 faccessat2=439"
    ),
    ioctl=29,
    clone=220,
    clone3=435,
    seccomp=277,
)
MACHINES = {"x86_64": X86_64, "aarch64": AARCH64}


def seccomp_works() -> bool:
    """Whether the kernel filters system calls, and this machine's numbers are known."""
    known = os.uname().machine in MACHINES
    return known and int(_libc().prctl(PR_GET_SECCOMP, 0, 0, 0, 0)) >= 0


def allow_only() -> bool:
    """From here on every thread of this process may make the calls of the list, and no others.
    Asks for "no new privileges" to be set. Best effort: whether it holds."""
    calls = MACHINES.get(os.uname().machine)
    if calls is None:
        return False
    code = program(calls)
    kept = ctypes.create_string_buffer(code, len(code))
    head = struct.pack("HP", len(code) // 8, ctypes.addressof(kept))
    done = _libc().syscall(calls.seccomp, SECCOMP_SET_MODE_FILTER, ALL_THREADS, head)
    return int(done) == 0


def program(calls: Calls) -> bytes:
    """The filter: instructions of eight bytes (code, jump if true, jump if false, value)."""
    refused = REFUSE | errno.EPERM
    looked_at = [
        *_where(calls.clone3, [_op(RETURN, REFUSE | errno.ENOSYS)]),  # its flags cannot be seen
        *_where(calls.clone, [_op(LOAD, FIRST), _jump(ANY_BIT, CLONE_THREAD), *_verdict()]),
        *_where(calls.ioctl, [_op(LOAD, SECOND), *_any_of(IOCTLS)]),
    ]
    return b"".join(
        [
            _op(LOAD, MACHINE),
            _jump(EQUAL, calls.machine, 1, 0),
            _op(RETURN, KILL),
            _op(LOAD, NUMBER),
            _jump(GREATER, X32, 0, 1),
            _op(RETURN, refused),
            *looked_at,
            *_any_of(calls.allowed),
        ]
    )


def _op(code: int, value: int) -> bytes:
    return struct.pack("HBBI", code, 0, 0, value)


def _jump(code: int, value: int, true: int = 1, false: int = 0) -> bytes:
    return struct.pack("HBBI", code, true, false, value)


def _where(number: int, body: list[bytes]) -> list[bytes]:
    """`body`, which returns, for this call only."""
    return [_jump(EQUAL, number, 0, len(body)), *body]


def _any_of(values: tuple[int, ...]) -> list[bytes]:
    """Allowed when what was loaded is one of these, refused otherwise."""
    last = len(values)
    tests = [_jump(EQUAL, value, last - at, 0) for at, value in enumerate(values)]
    return [*tests, *_verdict()]


def _verdict() -> list[bytes]:
    """Falls through to the refusal; the jump over it allows."""
    return [_op(RETURN, REFUSE | errno.EPERM), _op(RETURN, ALLOW)]


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
