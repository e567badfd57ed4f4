"""How does music become a pool, and is it sound?"""
