"""What to show: the campaign language, the catalog with its index, and the decision.

Reading order: condition, offer, proposition, campaign, catalog, standing, subjects, eligibility, capping, columns,
candidates, shortlist, arbitration, representation, fallback, decide, explain, answer, runtime, api, cli.
"""
