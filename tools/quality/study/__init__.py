"""Do the report's findings hold on this music?"""
