"""How likely: features, propensity, exploration, training, evaluation.

Reading order: features, exploration, propensity, train, evaluate.
"""
