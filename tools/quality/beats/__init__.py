"""Are beats and bars where they should be?"""
