"""What a domain will want of its teacher, before anything is asked: calls, tokens and dollars per stage, as intervals that hold."""
