"""Where does the value of an option come from?"""
