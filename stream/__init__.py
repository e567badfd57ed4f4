"""What plays, live and offline?"""
