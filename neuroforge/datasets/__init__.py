"""name or file -> rows -> items -> sample; items x models -> answers (journal) -> scores -> outcomes.

Registry datasets (`registry.py`) and the user's own files (`read.py`) become the same QuestionRow, and from it the same
DatasetItem: what is sent and how it is scored does not depend on where a question came from.
"""
