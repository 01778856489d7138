"""A picture of an HTML file by Chromium, where there is one: headless, offline, with a profile of its own."""

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from streams.errors import Retry

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT_S = 30.0
"""For one picture; a browser that takes longer is ended with all its processes."""
PNG = b"\x89PNG\r\n\x1a\n"
_SAID = 300
_FLAGS = (
    "--headless=new", "--hide-scrollbars", "--disable-gpu", "--disable-extensions", "--disable-sync", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--password-store=basic",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Size:
    """Of the page, in CSS pixels; the picture has `scale` times as many."""

    width: int
    height: int
    scale: int = 1


def browser() -> str | None:
    """The first of BROWSERS on PATH."""
    return next((found for name in BROWSERS if (found := shutil.which(name)) is not None), None)


def take(program: str, page: Path, picture: Path, size: Size, timeout_s: float = TIMEOUT_S) -> None:
    """Draw `page` into `picture` (PNG), whole or not at all. Raises Retry PICTURE_FAILED with what the browser said."""
    with TemporaryDirectory(prefix="offing-picture-", ignore_cleanup_errors=True) as made:
        drawn = Path(made, "picture.png")
        said = _run(_command(program, page, drawn, size, Path(made)), Path(made), timeout_s)
        content = drawn.read_bytes() if drawn.is_file() else b""
        if not content.startswith(PNG):
            raise Retry(
                "PICTURE_FAILED", f"{program} drew nothing of {page.name}: {said[-_SAID:] or 'it said nothing'}"
            )
        beside = picture.with_name(f".{picture.name}.{os.getpid()}")
        beside.write_bytes(content)
        beside.replace(picture)


def _command(program: str, page: Path, drawn: Path, size: Size, made: Path) -> list[str]:
    root = ("--no-sandbox",) if os.geteuid() == 0 else ()  # Chromium refuses to start as root with its sandbox
    return [
        program, *_FLAGS, *root, f"--user-data-dir={made / 'profile'}", f"--window-size={size.width},{size.height}",
        f"--force-device-scale-factor={size.scale}", f"--screenshot={drawn}", page.resolve().as_uri(),
    ]  # fmt: skip


def _run(command: list[str], home: Path, timeout_s: float) -> str:
    """What it said. The browser and all that it started have ended when this returns."""
    log = home / "said"
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LANG": "C.UTF-8"}
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment, start_new_session=True
        )
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return f"it took longer than {timeout_s:g} s"
    finally:
        _end(process)
    return log.read_text(errors="replace").strip()


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the whole group: a browser leaves helpers behind."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
