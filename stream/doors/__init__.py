"""Where may a song be left for another, and how do the two meet?"""
