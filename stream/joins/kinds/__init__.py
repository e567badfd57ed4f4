"""How is each kind of join made?"""
