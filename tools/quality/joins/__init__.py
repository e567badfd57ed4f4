"""Does anyone hear the joins?"""
