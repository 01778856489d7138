"""What to show: the campaign language, the catalog with its index, and the decision.

Reading order: condition, offer, proposition, campaign, catalog, subjects, eligibility, capping, arbitration,
representation, fallback, shortlist, decide, explain, answer, runtime, api, cli.
"""
