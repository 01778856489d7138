"""What is measured by the clock: the generator's own CPU, that of the target's processes, and the target's metrics."""

import time

from loadtests.load.generator import Generator
from loadtests.load.measured import StageMeasured
from loadtests.load.processes import cpu_seconds, host_cpu_seconds
from loadtests.load.shapes import JUDGED
from loadtests.load.wire import Connection, NoAnswer, target

EVERY_S = 0.5


class Sampler:
    """Watches one generator's run, stage by stage."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._connection = Connection(target(generator.plan.url))
        self._stage: StageMeasured | None = None
        self._before: dict[str, float] = {}
        self._host_before = 0.0

    def run(self) -> None:
        """Until the run is over."""
        wall, used = time.perf_counter(), time.process_time()
        while not self._generator.over:
            time.sleep(EVERY_S)
            now, now_used = time.perf_counter(), time.process_time()
            if self._stage is not None:
                self._stage.cpu.append((now_used - used) / (now - wall))
                self._stage.used_cpu += now_used - used
            wall, used = now, now_used
            self._change(self._generator.stage)
            self._generator.end_early()
        self._change(None)
        self._connection.close()

    def _change(self, stage: StageMeasured | None) -> None:
        """Close the last stage's accounts and open the next one's."""
        if stage is self._stage:
            return
        last, self._stage = self._stage, stage
        now = {name: cpu_seconds(pid) for name, pid in self._generator.plan.processes.items()}
        host = host_cpu_seconds()
        if last is not None:
            last.host_cpu = host - self._host_before
            last.processes = {name: now[name] - self._before[name] for name in now}
            last.metrics = (last.metrics[0], self._metrics(last))
        self._before, self._host_before = now, host
        if stage is not None:
            stage.metrics = (self._metrics(stage), "")

    def _metrics(self, stage: StageMeasured) -> str:
        """The target's /metrics, where the stage is judged; nothing if it does not answer."""
        if stage.stage.role not in JUDGED or self._generator.part.index:
            return ""
        try:
            answer = self._connection.get("/metrics")
        except NoAnswer:
            return ""
        return answer.body.decode() if answer.status == 200 else ""
