"""What is in a song, and where is it cut?"""
