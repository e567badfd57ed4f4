"""Is a join told from untouched music?"""
