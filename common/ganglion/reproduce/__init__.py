"""`ganglion reproduce`: the rows of a paper's table as trainings and evaluations, done once, shared, and summed up."""
