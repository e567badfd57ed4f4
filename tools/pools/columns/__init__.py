"""How are the columns of a pool written, so that each chunk stands there once?"""
