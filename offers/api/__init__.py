"""HTTP. Reading order: problems, bodies, auth, then the routes."""
