"""How does a pool become training data?"""
