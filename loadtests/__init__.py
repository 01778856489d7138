"""Traffic: the simulated world, the demo, the coupon example. They talk to Offing through its public doors only."""
