"""How does a song become samples?"""
