"""The load test: `make loadtest`. A generator (Locust) in one process, and beside it what prepares and judges the run.

Reading order: command (what `make loadtest` does), permission, embedded, introduce, crowd, shapes, traffic, plan; then
what the generator does: generator, phone, reference_client, exchange, wire, backend, probe, sold_out, checks,
campaign_facts, sampling, measured, histogram; then what judges: budget, budget_file, verdict, exposition, report, page,
chart, summary. `loadtests/locustfile.py` is Locust's side of it; nothing else imports Locust or gevent.
"""
