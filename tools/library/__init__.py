"""Which music do people have, and what do they say of it?"""
