"""Where are beats, bars and chords?"""
