"""How likely: features, propensity, exploration, training, evaluation.

Reading order: features, encoding, friends, history, rates, offer_rates, lineup, offer_table, rows; exploration;
calibration, cold_start, masks, mask_code, masked_trees, compiled, model_folder, propensity; examples, jsonl,
vocabulary, audit, dataset; metrics, folds, weights, learnt_rates, fit, cross_validation, later, card, distribution,
train, segments, evaluate, evaluate_page; off_policy; fresh, gate, retrain; calibration_drift, drift, drift_page.
"""
