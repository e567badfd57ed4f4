"""Where and when is it heard?"""
