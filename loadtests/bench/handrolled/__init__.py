"""The same service as one would write it by hand in some weeks, to be compared with.

It is meant to be fair. It does what the bench's decision needs and nothing more: FastAPI with a pydantic body,
redis-py's asyncio client with hiredis, one read per request, dataclasses, every rule compiled once into a closure,
offer rows made once, numpy for the matrix, LightGBM's own `Booster.predict` on one thread, babel behind lru_cache,
HMAC, orjson, records written behind through a queue to a Redis stream, uvicorn with uvloop and httptools. It loops over
all offers, because that is what rules in a list ask for, and stops at each one's first reason.

What it is spared: it has no index, no cached decisions, no repeated request_id, no replay, no language matching beyond
the prefix, no consent mask on attributes, no retention, and it understands only the conditions that the bench's
campaigns use. It reads the same campaign folder, model folder, customers and market as Offing does, answers with the
same offers (`loadtests.bench.agreement`), and imports nothing of Offing's packages.

Reading order: rules (campaigns), places, features (rows), words, decision, app.
"""
