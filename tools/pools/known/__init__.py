"""What does a pool know already of the music that is there, and of what is not?"""
