"""Why do two songs meet as they do?"""
