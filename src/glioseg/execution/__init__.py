"""What executes: trainings and predictions as jobs, and the engines that place them."""
