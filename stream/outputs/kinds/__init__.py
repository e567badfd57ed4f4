"""Which kinds of output are there, a file each?"""
