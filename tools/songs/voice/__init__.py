"""Does somebody sing?"""
