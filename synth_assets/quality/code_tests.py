"""Whether a code answer passes its tests: run in a process of its own that has no network, little memory, and little time.

The process is started by this module in an empty folder, without the environment of ours, and puts limits on itself before a line of the answer runs:
processor seconds, address space, file size, open files and child processes (resource), and where the kernel allows it a network namespace
without any interface (unshare). Sockets are taken away from Python as well, so that an answer that only imports requests says so. Whoever runs
answers of strangers should still do so in a container: this keeps accidents away, not attackers. So it is off unless a domain asks for it.
An error of the runner is never "wrong". Only the standard library can be imported.
"""

import ast
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Limits", "code_of", "is_tests", "run_tests", "verify_code"]

LIMITS_FAILED = 70
"""Exit status where the limits could not be set."""
_BLOCK = re.compile(r"^```(?:python|py|python3)?[ \t]*\n(.*?)^```", re.DOTALL | re.MULTILINE | re.IGNORECASE)

_GUARD = f"""
import os, resource, sys
try:
    for name, value in ((resource.RLIMIT_CPU, {{cpu}}), (resource.RLIMIT_AS, {{memory}}), (resource.RLIMIT_FSIZE, {{file}}), (resource.RLIMIT_NOFILE, 32),
                        (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(name, (value, value))
    if sys.platform == "linux":
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        libc.unshare(0x10000000 | 0x40000000)  # CLONE_NEWUSER | CLONE_NEWNET; where it is not allowed the guard below stands alone
        libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
except Exception as error:
    print(error, file=sys.stderr)
    os._exit({LIMITS_FAILED})
import builtins, io, socket
def refused(*args, **kwargs):
    raise PermissionError("no network and no other process in a test of an answer")
for module, names in ((socket, ("socket", "create_connection", "socketpair", "fromfd")), (os, ("fork", "forkpty", "execv", "execve", "posix_spawn",
                      "posix_spawnp", "system", "popen", "kill", "killpg", "setuid"))):
    for name in names:
        if hasattr(module, name):
            setattr(module, name, refused)
import _posixsubprocess, _socket
_posixsubprocess.fork_exec = refused
_socket.socket = refused
print("started {{mark}}", flush=True)
with open("answer.py", encoding="utf-8") as file:
    text = file.read()
sys.argv = ["answer.py"]
names = {{{{"__name__": "answer"}}}}
exec(compile(text, "answer.py", "exec"), names)
with open("tests.py", encoding="utf-8") as file:
    exec(compile(file.read(), "tests.py", "exec"), names)
print("passed {{mark}}", flush=True)
"""


@dataclass(frozen=True)
class Limits:
    """What one run may use."""

    cpu_s: int = 5
    wall_s: float = 10.0
    memory_mib: int = 512
    file_mib: int = 1


def code_of(response: str) -> str | None:
    """The Python code of an answer: its fenced blocks in order, or the whole of it where it has none and parses; None where it is no code."""
    blocks = [block for block in _BLOCK.findall(response) if _parses(block)]
    if blocks:
        return "\n".join(blocks)
    return response if "```" not in response and response.strip() and _parses(response) else None


def is_tests(answer: str) -> bool:
    """Whether a reference answer is code with assertions, to be run behind an answer's code."""
    if "assert" not in answer:
        return False
    try:
        return any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(answer)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def run_tests(tests: str, response: str, limits: Limits = Limits()) -> str:
    """The verdict on one answer, one of `verification.VERDICTS`: `tests` are Python statements, asserts among them, that run behind its code."""
    if not is_tests(tests):
        return "unparsable_gold"
    code = code_of(response)
    if code is None:
        return "unparsable_prediction"
    try:
        with tempfile.TemporaryDirectory(prefix="synth-assets-code-") as folder:
            (Path(folder) / "answer.py").write_text(code, encoding="utf-8", errors="replace")
            (Path(folder) / "tests.py").write_text(tests, encoding="utf-8", errors="replace")
            return _verdict(folder, limits)
    except OSError:
        return "verifier_error"


def verify_code(pairs: Sequence[tuple[str, str]], limits: Limits = Limits(), workers: int = 2) -> list[str]:
    """Verdicts on (tests, response) pairs, in order, `workers` at a time."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda pair: run_tests(pair[0], pair[1], limits), pairs))


def _verdict(folder: str, limits: Limits) -> str:
    mark = secrets.token_hex(8)
    guard = _GUARD.format(cpu=limits.cpu_s, memory=limits.memory_mib << 20, file=limits.file_mib << 20, mark=mark)
    # What it prints goes into a file, which the limit of file sizes holds short.
    with (Path(folder) / "out").open("w+b") as out:
        process = subprocess.Popen(  # noqa: S603 - this is what it is for
            [sys.executable, "-I", "-S", "-c", guard],
            cwd=folder,
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": folder},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(timeout=limits.wall_s)
        except subprocess.TimeoutExpired:
            return "timeout"
        finally:
            _end(process)
        out.seek(0)
        lines = out.read().decode("utf-8", "replace").splitlines()
    if f"started {mark}" not in lines:
        return "verifier_error"
    if process.returncode in {-signal.SIGXCPU, -signal.SIGKILL}:
        return "timeout"
    return "correct" if process.returncode == 0 and lines[-1] == f"passed {mark}" else "wrong"


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process and whatever it managed to start: they are a session of their own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _parses(text: str) -> bool:
    try:
        compile(text, "answer", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
