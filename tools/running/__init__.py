"""How does a command run on this machine?"""
