"""Traffic: the simulated world, the demo, the coupon example. They talk to Offing through its public doors only.

`results` alone calls the modules in process: what a model is worth takes a hundred thousand decisions.
"""
