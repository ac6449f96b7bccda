"""Training: recipes, data, losses and the loop. What leaves it is a Hub folder."""
