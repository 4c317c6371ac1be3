"""A handful of rows through every stage, before the money is spent: with the requests that a whole run will make, so that nothing is paid twice."""
