"""Which of all chunks are near?"""
