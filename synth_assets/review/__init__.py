"""The spot check by people: verdicts, the page on which they are given, and what follows from them."""
