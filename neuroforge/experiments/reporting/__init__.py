"""Analysis and cells -> leaderboard, forest, slices, items -> view -> markdown, page; report.py calls them."""
