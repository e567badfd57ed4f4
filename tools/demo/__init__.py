"""Which songs are of our own making?"""
