"""Which steps stand ready before they are heard?"""
