"""CellTable -> metrics -> summaries, comparisons -> verdicts, winner, insights, gates, words; see analyse.py."""
