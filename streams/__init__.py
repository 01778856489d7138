"""What happened: events, their log, and what is folded from them.

Reading order: errors, ids, instant, attributes, bucket, places, events, profile, said, counters, fold, market, record,
log, sqlite_log, address, valkey, multiplexed, cluster_client, profile_store, market_store, lake, consumer, market_tail.
"""
