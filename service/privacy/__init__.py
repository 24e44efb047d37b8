"""Personal data: who may see it, how long it is kept, what never reaches a log, what a firm takes along."""
