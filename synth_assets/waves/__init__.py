"""Exactly N: how many waves of candidates a domain makes so that its targets are reached, and what to say where they are not.

A wave is what the domain's methods make at their targets: the first with the seeds, every further one of new instructions alone. Its size and what is
in it follow from the domain file, the seed and the waves before it; acceptance rates only decide how many waves are made. So the first N accepted rows
are the same, whoever asked for how many waves and when.
"""
