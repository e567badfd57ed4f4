"""Who steers the stream, and how is it?"""
