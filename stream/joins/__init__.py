"""How does A become B?"""
