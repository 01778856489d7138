"""deploy/: what would run in containers, checked without an engine. Names are those of the code, nothing is open."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
import yaml
from typer.core import TyperGroup

from offers.cli import app as cli
from offers.serving import DRAIN_S
from streams.settings import SETTINGS, from_environment
from streams.telemetry import METRICS

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
COMPOSE: Mapping[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]
OURS = ("service", "consumer", "migrate")
PROMETHEUS: Mapping[str, Any] = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
RULES = [rule for group in yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
SECRETS = {"VALKEY_PASSWORD": "v" * 64, "POSTGRES_PASSWORD": "p" * 64, "OFFING_TOKEN_KEYS": "k1:" + "ab" * 32}
REFERENCE = re.compile(r"\$\{(\w+)(?::\?[^}]*)?\}")
PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+(\.\d+)?[\w.-]*")


def filled(value: str) -> str:
    """With the variables that compose would take from deploy/.env."""
    return REFERENCE.sub(lambda found: SECRETS[found[1]], value)


def environment(service: str) -> dict[str, str]:
    return {name: filled(value) for name, value in SERVICES[service]["environment"].items()}


def dockerfile() -> Iterator[tuple[str, str]]:
    """(instruction, the rest), continuation lines joined and comments left out."""
    lines = [line for line in DOCKERFILE.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        instruction, _, rest = line.partition(" ")
        yield instruction, rest


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for instruction, rest in dockerfile():
        if instruction == "FROM":
            found.append([])
        found[-1].append((instruction, rest))
    return found


# The image


def test_the_image_is_built_in_two_stages_from_pinned_ones_with_the_versions_that_were_tested() -> None:
    build, final = stages()
    assert [PINNED.fullmatch(stage[0][1].split()[0]) is not None for stage in (build, final)] == [True, True]
    (install,) = [rest for instruction, rest in build if instruction == "RUN" and "pip install" in rest]
    assert "--constraint constraints.txt ." in install
    assert not any("pip " in rest for _, rest in final)
    assert ("COPY", "--from=build /opt/offing /opt/offing") in final


def test_the_image_runs_as_nobody_special_and_has_what_lightgbm_needs() -> None:
    _, final = stages()
    assert [rest for instruction, rest in final if instruction == "USER"] == ["10001:10001"]
    last_run = max(place for place, (instruction, _) in enumerate(final) if instruction == "RUN")
    assert last_run < final.index(("USER", "10001:10001")), "nothing runs as root after that"
    (system,) = [rest for instruction, rest in final if instruction == "RUN"]
    assert "install --yes --no-install-recommends libgomp1" in system
    assert "rm -rf /var/lib/apt/lists/*" in system
    assert ("STOPSIGNAL", "SIGTERM") in final
    assert any(instruction == "HEALTHCHECK" and "/health/live" in rest for instruction, rest in final)


def test_the_image_sets_settings_only_and_holds_no_secret() -> None:
    assigned = re.findall(r"\b(OFFING_\w+)=(\S+)", DOCKERFILE)
    settings = from_environment(dict(assigned))
    assert (settings.host, str(settings.artifacts)) == ("0.0.0.0", "/var/lib/offing")
    secret = {setting.name for setting in SETTINGS if setting.secret}
    assert not secret & {name for name, _ in assigned}
    assert not re.search(r"(?i)password|secret|ARG .*KEY", DOCKERFILE)


def test_only_what_the_image_is_made_from_is_sent_to_the_builder() -> None:
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    assert rules[0] == "*"
    copied = [rest.split()[:-1] for instruction, rest in dockerfile() if instruction == "COPY" and "--from" not in rest]
    assert {path.removeprefix("./") for paths in copied for path in paths} == allowed
    assert [path for path in allowed if not (ROOT / path).exists()] == []


def test_files_beside_the_code_are_installed_with_it() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    patterns = re.findall(r'"(\*\.\w+)"', project.partition("[tool.setuptools.package-data]")[2].partition("\n[")[0])
    beside = [
        path.relative_to(ROOT)
        for package in ("offers", "scoring", "streams")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    assert [path for path in beside if not any(path.match(pattern) for pattern in patterns)] == []


def test_the_images_entry_point_and_every_command_exist() -> None:
    assert ("ENTRYPOINT", '["offing"]') in list(dockerfile())
    group = typer.main.get_command(cli)
    assert isinstance(group, TyperGroup)
    commands = [
        command for instruction, rest in dockerfile() if instruction == "CMD" for command in yaml.safe_load(rest)
    ]
    commands += [SERVICES[name]["command"][0] for name in OURS]
    assert sorted(commands) == ["consume", "migrate", "serve", "serve"]
    assert set(commands) <= set(group.commands)


# The services


@pytest.mark.parametrize("name", OURS)
def test_what_a_service_of_ours_is_told_are_settings_with_values_they_take(name: str) -> None:
    given = environment(name)
    settings = from_environment(given)
    settings.check_serving()
    assert not settings.embedded
    assert settings.kafka is not None
    assert settings.host == "0.0.0.0"
    known = {setting.name for setting in SETTINGS}
    assert set(given) <= known


def test_the_services_of_ours_differ_in_what_is_their_own_only() -> None:
    own = {
        "service": {"OFFING_PORT", "OFFING_WORKERS", "OFFING_DRAIN_S"},
        "consumer": {"OFFING_METRICS_PORT"},
        "migrate": set[str](),
    }
    shared = [
        {name: value for name, value in environment(service).items() if name not in own[service]} for service in OURS
    ]
    assert shared[0] == shared[1] == shared[2]
    for service in OURS:
        assert own[service] <= set(environment(service))
    mounts = [sorted(SERVICES[service]["volumes"]) for service in OURS]
    assert mounts[0] == mounts[1] == mounts[2]
    settings = from_environment(environment("service"))
    targets = {mount.split(":")[1] for mount in mounts[0]}
    assert targets == {str(settings.artifacts), str(settings.campaigns)}


def test_servers_are_named_as_compose_names_them_with_the_passwords_they_ask_for() -> None:
    given = environment("service")
    redis, ledger = urlsplit(given["OFFING_REDIS_URL"]), urlsplit(given["OFFING_LEDGER_URL"])
    settings = from_environment(given)
    assert settings.kafka is not None
    assert settings.kafka.servers == ("kafka:9092",)
    assert "PLAINTEXT://kafka:9092" in SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert {redis.hostname, ledger.hostname, "kafka"} <= set(SERVICES)
    assert redis.password == filled(SERVICES["valkey"]["environment"]["VALKEY_PASSWORD"])
    postgres = {name: filled(value) for name, value in SERVICES["postgres"]["environment"].items()}
    named = (ledger.username, ledger.password, ledger.path[1:])
    assert named == (postgres["POSTGRES_USER"], postgres["POSTGRES_PASSWORD"], postgres["POSTGRES_DB"])


def test_the_servers_lose_nothing_by_their_settings() -> None:
    valkey = " ".join(SERVICES["valkey"]["command"])
    assert "--maxmemory-policy noeviction" in valkey
    assert "--appendonly yes" in valkey
    assert SERVICES["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    for name in ("kafka", "valkey", "postgres"):
        volumes = [volume.split(":")[0] for volume in SERVICES[name]["volumes"]]
        assert set(volumes) <= set(COMPOSE["volumes"]), "what it keeps outlives its container"


def test_nothing_is_open_but_the_door_and_that_on_loopback() -> None:
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "service": ["127.0.0.1:8080:8080"]
    }
    assert COMPOSE["networks"]["servers"] == {"internal": True}
    assert {name for name, service in SERVICES.items() if "door" in service["networks"]} == {"service"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_pinned_bounded_looked_after_and_ended_in_peace(name: str) -> None:
    service = SERVICES[name]
    assert PINNED.fullmatch(service["image"]), service["image"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert service["logging"]["options"]["max-size"]
    if name == "migrate":
        assert (service["restart"], service["healthcheck"]) == ("no", {"disable": True})
        return
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"]
    assert int(service["stop_grace_period"].removesuffix("s")) >= 30


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_more_rights_than_they_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert [mount.split(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
    writable = [mount for mount in service["volumes"] if not mount.endswith(":ro")]
    assert writable == ["artifacts:/var/lib/offing"]


def test_everything_starts_after_what_it_needs_and_has_time_to_end() -> None:
    ready = {"condition": "service_healthy"}
    for name in ("service", "consumer"):
        done = {"condition": "service_completed_successfully"}
        assert SERVICES[name]["depends_on"] == {"migrate": done, "kafka": ready, "valkey": ready, "postgres": ready}
    assert SERVICES["migrate"]["depends_on"] == {"kafka": ready, "postgres": ready}
    drains = from_environment(environment("service")).drain_s + DRAIN_S
    assert int(SERVICES["service"]["stop_grace_period"].removesuffix("s")) > drains + 15


def test_every_secret_is_asked_for_by_name_and_none_is_in_the_files() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    asked = set(REFERENCE.findall(text))
    sample = dict(
        line.split("=", 1)
        for line in (DEPLOY / "env.sample").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert asked == set(sample) == set(SECRETS)
    assert set(sample.values()) == {""}
    assert all(f"${{{name}:?" in text for name in asked), "without it compose must not start"
    assert "deploy/.env" in (ROOT / ".gitignore").read_text().splitlines()


# Prometheus


def test_prometheus_scrapes_every_process_that_counts_and_none_twice() -> None:
    (job,) = PROMETHEUS["scrape_configs"]
    targets = [target for config in job["static_configs"] for target in config["targets"]]
    ports = {
        "service": from_environment(environment("service")).port,
        "consumer": from_environment(environment("consumer")).metrics_port,
    }
    assert targets == [f"{name}:{port}" for name, port in ports.items()]
    assert job["metrics_path"] == "/metrics"
    mounted = {volume.split(":")[1] for volume in SERVICES["prometheus"]["volumes"]}
    assert {*PROMETHEUS["rule_files"], "/etc/prometheus/prometheus.yml"} <= mounted


def exposed() -> dict[str, set[str]]:
    """Every series there is -> its labels."""
    found: dict[str, set[str]] = {"up": {"job"}}
    for metric in METRICS:
        labels = set(metric.labels)
        if metric.kind == "histogram":
            found[f"{metric.name}_bucket"] = labels | {"le"}
            found |= {f"{metric.name}_{part}": labels for part in ("sum", "count")}
        else:
            found[metric.name] = labels
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_names_series_and_labels_that_exist(rule: Mapping[str, Any]) -> None:
    known, text = exposed(), rule["expr"]
    named = set(re.findall(r"\b(?:offing_\w+|up)\b", text))
    assert named and named <= set(known), named - set(known)
    for name, selector in re.findall(r"(\w+)\{([^}]*)\}", text):
        assert set(re.findall(r"(\w+)=", selector)) <= known[name], f"{name}{{{selector}}}"
    added = {"instance", "part", "job"}
    grouped = {label.strip() for labels in re.findall(r"\bby \(([^)]*)\)", text) for label in labels.split(",")}
    labels = set.union(*(known[name] for name in named)) | added
    assert grouped <= labels
    said = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    assert said <= labels
    assert text.count("(") == text.count(")")
    assert rule["labels"]["severity"] in ("page", "ticket")


def test_there_is_an_alert_for_whatever_says_that_something_is_lost_or_late() -> None:
    text = " ".join(rule["expr"] for rule in RULES)
    for name in (
        "offing_degraded_total", "offing_dead_letters_total", "offing_consumer_up", "offing_market_age_seconds",
        'offing_decision_records_total{result="dropped"}', "offing_event_to_effect_seconds_bucket", "offing_active",
    ):  # fmt: skip
        assert name in text
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
