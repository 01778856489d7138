"""Apache Kafka on this host: its jars, brought by Maven from deploy/kafka/pom.xml, and one KRaft node on loopback.

Beside the plain listener a second one speaks TLS and SCRAM, with a certificate of its own: `secure_server`, `CA`.
"""

import fcntl
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadtests.ports import free_port

HERE = Path(__file__).parents[1] / "deploy" / "kafka"
JARS = HERE / "jars"
LEAST_JAVA = 17
PREPARE_S = 60.0
FETCH_S = 300.0
CLUSTER = "b2ZmaW5nLXRlc3QtYnJva2"
"""Any 16 bytes in base64: a broker in a new folder is another one by the ids of its topics."""
JAVA_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-Xshare:auto")
QUICK = ("-XX:TieredStopAtLevel=1",)
"""For tests: a third less CPU time over a minute, and less throughput after it."""
PROPERTIES, CA, KEYS = "server.properties", "ca.pem", "keys.p12"
KEYS_PASSWORD = "loopback"
SECURE = "SECURE"


def missing() -> str:
    """Why Apache Kafka cannot run here; empty: it can. Brings the jars if only they are missing."""
    java = shutil.which("java")
    said = subprocess.run([java, "-version"], capture_output=True, text=True).stderr if java else ""
    found = re.search(r'version "(\d+)', said)
    if not found or int(found[1]) < LEAST_JAVA:
        return f"Java {LEAST_JAVA} or newer is missing (Debian: apt-get install openjdk-17-jre-headless)"
    return "" if _jars_here() else _fetch_jars()


def version() -> str:
    """Of Kafka, as the pom has it."""
    found = re.search(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([0-9.]+)<", (HERE / "pom.xml").read_text())
    return found[1] if found else "of no known version"


def command(java: Sequence[str], folder: Path, port: int) -> list[str]:
    """What to run; at first the folder is prepared."""
    properties = folder / PROPERTIES
    if not properties.exists():
        _make_keys(folder)
        ports = {"PLAINTEXT": port, SECURE: free_port(), "CONTROLLER": free_port()}
        settings = {**SETTINGS, **_places(folder, ports)}
        properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        formatted = ("kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(properties))
        subprocess.run(_java(QUICK, *formatted), check=True, capture_output=True, timeout=PREPARE_S)
    return _java(java, "kafka.Kafka", str(properties))


def secure_server(folder: Path) -> str:
    """host:port of the listener with TLS and SCRAM, of a broker whose data is here; empty: it has none."""
    properties = folder / PROPERTIES
    found = re.search(rf"{SECURE}://([0-9.:]+)", properties.read_text()) if properties.exists() else None
    return found[1] if found else ""


def _jars_here() -> bool:
    marker = JARS / "version"
    return marker.exists() and marker.read_text() == version()


def _fetch_jars() -> str:
    """What is in the way, empty: nothing. Safe beside others who do the same."""
    maven = shutil.which("mvn")
    if not maven:
        return "Maven is missing (Debian: apt-get install maven)"
    with (HERE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _jars_here():
            return ""
        shutil.rmtree(JARS, ignore_errors=True)  # those of another version would be loaded beside the new ones
        brought = [maven, "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
        try:
            done = subprocess.run(brought, capture_output=True, text=True, timeout=FETCH_S)
        except subprocess.TimeoutExpired:
            return f"Maven did not bring the jars in {FETCH_S:.0f} s"
        if done.returncode != 0:
            return f"Maven could not bring the jars: {done.stdout[-300:].strip()}"
        (JARS / "version").write_text(version())  # last: a copy that was interrupted is made again
    return ""


def _java(options: Sequence[str], *arguments: str) -> list[str]:
    log = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
    return [shutil.which("java") or "java", *JAVA_OPTIONS, *options, log, "-cp", f"{JARS}/*", *arguments]


def _make_keys(folder: Path) -> None:
    """A key pair that signs itself, and its certificate for clients."""
    tool = [str(Path(shutil.which("java") or "java").resolve().with_name("keytool")), "-keystore", str(folder / KEYS)]
    login = ("-storetype", "PKCS12", "-storepass", KEYS_PASSWORD, "-alias", "broker")
    pair = ("-genkeypair", "-keyalg", "EC", "-dname", "CN=offing-test-broker", "-validity", "3650")
    names = ("-ext", "san=ip:127.0.0.1,dns:localhost", "-ext", "bc=ca:true")
    certificate = ("-exportcert", "-rfc", "-file", str(folder / CA))
    for arguments in ((*pair, *names), certificate):
        subprocess.run([*tool, *arguments, *login], check=True, capture_output=True, timeout=PREPARE_S)


def _places(folder: Path, ports: Mapping[str, int]) -> Mapping[str, str]:
    listeners = {name: f"{name}://127.0.0.1:{port}" for name, port in ports.items()}
    return {
        "controller.quorum.voters": f"1@127.0.0.1:{ports['CONTROLLER']}",
        "listeners": ",".join(listeners.values()),
        "advertised.listeners": ",".join((listeners["PLAINTEXT"], listeners[SECURE])),
        "log.dirs": str(folder / "data"),
        "ssl.keystore.location": str(folder / KEYS),
    }


SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": f"PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,{SECURE}:SASL_SSL",
    "ssl.keystore.type": "PKCS12",
    "ssl.keystore.password": KEYS_PASSWORD,
    f"listener.name.{SECURE.lower()}.sasl.enabled.mechanisms": "SCRAM-SHA-512",
    f"listener.name.{SECURE.lower()}.scram-sha-512.sasl.jaas.config": (
        "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    ),
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",  # three seconds of waiting for members that tests do not have
    "group.min.session.timeout.ms": "300",  # tests lose members faster than production may
    "broker.session.timeout.ms": "2000",  # a killed broker may start again once its last session is over
    "broker.heartbeat.interval.ms": "500",
    "log.retention.check.interval.ms": "10000",
    "num.network.threads": "2",
    "num.io.threads": "2",
}
"""What the default of 4.1 is not, and ports and folders besides."""
LEAST_SESSION_S = 0.3
"""group.min.session.timeout.ms above."""
