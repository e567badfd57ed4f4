"""How do frames become bytes that a player reads?"""
