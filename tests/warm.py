"""Processes of Python that have the package imported already: each is forked from one that imported it once.

Importing torch, the package and its members takes three seconds. A test that needs a process of its own, but not what
happens at its start, takes it from here; it ends as any other does.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from types import ModuleType, TracebackType
from typing import IO, Any

__all__ = ["COMMAND_LINE", "Process", "run"]

COMMAND_LINE = "import sys; from unrolled.cli.main import main; sys.exit(main())"
_SIZE = 8  # bytes of a number


def run(
    program: str, *words: object, paths: tuple[Path, ...] = (), text: bool = True, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """``python -c program words``, and what it printed.

    Args:
        program, words: as there.
        paths: folders that stand first in ``sys.path``.
        text: whether what it printed is decoded.
        options: as for `Process`.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        streams = {"stdout": out, "stderr": err, **options}
        with Process(program, *words, paths=paths, **streams) as process:
            code = process.wait()
        printed = []
        for file in (out, err):
            file.seek(0)
            said: Any = file.read()
            printed.append(said.decode() if text else said)
    return subprocess.CompletedProcess(["-c", program, *map(str, words)], code, *printed)


class Process:
    """A process that runs ``python -c program words``; a little of `subprocess.Popen`, and one at a time.

    Args:
        program, words: as there.
        paths: folders that stand first in ``sys.path``.
        environment: is added to that of the tests.
        folder: where it works.
        stdin, stdout, stderr: files; ``PIPE`` makes an attribute of that name.
    """

    def __init__(
        self,
        program: str,
        *words: object,
        paths: tuple[Path, ...] = (),
        environment: dict[str, str] | None = None,
        folder: Path | None = None,
        stdin: Any = subprocess.DEVNULL,
        stdout: Any = subprocess.DEVNULL,
        stderr: Any = subprocess.DEVNULL,
    ) -> None:
        self.stdin: Any = None
        self.stdout: Any = None
        self.stderr: Any = None
        self.returncode: int | None = None
        theirs: list[IO[bytes]] = []
        for name, asked in (("stdin", stdin), ("stdout", stdout), ("stderr", stderr)):
            if asked == subprocess.PIPE:
                reader, writer = os.pipe()
                ours, other = (writer, reader) if name == "stdin" else (reader, writer)
                setattr(self, name, os.fdopen(ours, "wb" if name == "stdin" else "rb"))
                theirs.append(os.fdopen(other, "rb" if name == "stdin" else "wb"))
            elif asked == subprocess.DEVNULL:
                theirs.append(open(os.devnull, "r+b", buffering=0))  # noqa: SIM115 - closed below
            else:
                theirs.append(os.fdopen(os.dup(asked.fileno()), "r+b", buffering=0))
        asked = {
            "program": program,
            "argv": ["-c", *map(str, words)],
            "paths": [str(path) for path in paths],
            "environment": {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
            "folder": str(folder or Path.cwd()),
        }
        message = json.dumps(asked).encode()
        self._server = _server()
        socket.send_fds(self._server, [len(message).to_bytes(_SIZE)], [file.fileno() for file in theirs])
        self._server.sendall(message)
        for file in theirs:
            file.close()
        self.pid = int.from_bytes(_received(self._server, _SIZE))

    def wait(self) -> int:
        """Its exit code; minus the signal that it died of."""
        if self.returncode is None:
            self.returncode = int.from_bytes(_received(self._server, _SIZE), signed=True)
        return self.returncode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for file in (self.stdin, self.stdout, self.stderr):
            if file is not None:
                file.close()
        if kind is not None:
            self.send_signal(9)
        self.wait()


@functools.cache
def _server() -> socket.socket:
    """The other end of the process that forks; it ends when nobody can ask it any more."""
    ours, theirs = socket.socketpair()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, str(theirs.fileno())]
    server = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()], stdout=subprocess.DEVNULL)
    theirs.close()

    def end() -> None:
        ours.close()
        server.wait()

    atexit.register(end)
    return ours


def _received(source: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        piece = source.recv(size - len(found))
        if not piece:
            raise EOFError("the other process has ended")
        found += piece
    return found


def _serve(clients: socket.socket) -> None:
    """Fork whenever a client asks; the children go on as the program that they were asked for."""
    while True:
        head, files, _, _ = socket.recv_fds(clients, _SIZE, 3)
        if not head:
            return
        asked = json.loads(_received(clients, int.from_bytes(head)))
        child = os.fork()
        if not child:
            clients.close()
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            os._exit(_become(**asked))
        for file in files:
            os.close(file)
        clients.sendall(child.to_bytes(_SIZE))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        clients.sendall(status.to_bytes(_SIZE, signed=True))


def _become(program: str, argv: list[str], paths: list[str], environment: dict[str, str], folder: str) -> int:
    """The exit code of the program. Freeing what was imported takes longer than most programs, so nothing is freed."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv, sys.path[:0] = argv, paths
    try:
        sys.modules["__main__"] = module = ModuleType("__main__")
        exec(compile(program, "<string>", "exec", dont_inherit=True), module.__dict__)
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    source = Path(importlib.import_module("unrolled").__path__[0])
    for file in source.rglob("*.py"):
        package = (file.parent / "__init__.py").exists()  # else they are files that an exported folder gets
        if package and not file.name.startswith("__") and "cli" not in file.parts:  # its flags depend on the members
            importlib.import_module(".".join(file.relative_to(source.parent).with_suffix("").parts))
    _serve(socket.socket(fileno=int(sys.argv[1])))
    os._exit(0)
