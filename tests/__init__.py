"""One test file per module, of the same name. log_behaviour.py is the suite that every EventLog must pass."""
