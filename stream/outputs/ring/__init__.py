"""How do frames reach a thread that may not wait?"""
