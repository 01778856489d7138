"""openapi.json: `python -m offers.api.openapi` prints it; a test compares it with the one committed."""

import json
import sys

from offers.api.app import bare


def document() -> str:
    """OpenAPI 3.1 of every route, keys in a stable order."""
    return json.dumps(bare().openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
