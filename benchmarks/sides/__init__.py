"""Sides of `best.py`: models of text that are made from the first nine tenths and scored on the last tenth.

``python -m sides NAME TEXT --budget 120`` in the folder above runs one in a process of its own, and prints its row.
"""
