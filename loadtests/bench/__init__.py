"""The bench. The world: campaigns, customers, model, stage. Measuring: floor, handrolled, client, runs, report."""
