"""What is timed, and against which target; ``make bench DATA=folder`` runs all of it."""
