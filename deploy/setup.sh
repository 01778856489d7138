#!/bin/sh
# Makes the virtual environment. What a fresh machine may lack is named together with its mend.
set -eu
PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}

command -v "$PYTHON" >/dev/null 2>&1 || {
  echo "offing needs Python 3.11 or newer and '$PYTHON' is not on the PATH. Mend: apt-get install python3 (or make PYTHON=/path/to/python3.11)" >&2
  exit 1
}
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "offing needs Python 3.11 or newer; $PYTHON is $("$PYTHON" -V 2>&1). Mend: make PYTHON=/path/to/python3.11" >&2
  exit 1
}
"$PYTHON" -c 'import venv, ensurepip' 2>/dev/null || {
  echo "offing needs Python's venv module. Mend: apt-get install python3-venv (Debian and Ubuntu ship it separately)" >&2
  exit 1
}
"$PYTHON" -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null || {
  echo "LightGBM needs the system library libgomp.so.1, which is missing. Mend: apt-get install libgomp1" >&2
  exit 1
}
[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
echo "installing Offing into $VENV (first time: about a minute) ..."
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
# Apache Kafka's jars, where Java and Maven are: the tests take another broker where they are not.
"$VENV/bin/python" -m loadtests.kafka_server
