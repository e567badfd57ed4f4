"""How naturally does B follow A?"""
