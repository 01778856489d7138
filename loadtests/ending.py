"""A server that was started is ended in order, or in the end."""

import signal
import subprocess


def end(process: "subprocess.Popen[bytes]", how: signal.Signals, patience_s: float) -> None:
    """Send the signal and wait; who does not listen for so long is killed."""
    process.send_signal(how)
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
