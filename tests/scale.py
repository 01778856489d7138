"""One process that loads a kept revision and says how long it took and how much memory: `-m tests.scale KEPT`."""

import json
import sys
from pathlib import Path
from time import perf_counter

from offers import compiled_folder, revisions
from offers.folder import load_folder
from streams.ids import RevisionId


def peak_mb() -> int:
    """The most this process has held. (`ru_maxrss` begins with what the process that started it held.)"""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) // 1024


def main() -> None:
    """JSON: campaigns, read_s (YAML or what another process left), compile_s, peak_mb."""
    kept = Path(sys.argv[1])
    path = compiled_folder.path_of(kept.parent.parent, kept.name)
    with revisions.uncollected():
        begun = perf_counter()
        loaded = compiled_folder.load(kept, path) or load_folder(kept)
        read = perf_counter()
        catalog = revisions.compiled(RevisionId(kept.name), loaded)
        done = perf_counter()
    if not path.exists():
        compiled_folder.save(loaded, path)
    found = {"campaigns": len(catalog.layout), "read_s": read - begun, "compile_s": done - read, "peak_mb": peak_mb()}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
