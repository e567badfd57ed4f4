"""What does a join do to the sound, and where does the stream go?"""
