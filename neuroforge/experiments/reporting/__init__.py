"""Analysis and cells -> leaderboard, forest, slices, scatter, items -> page (HTML), markdown; report.py calls them."""
