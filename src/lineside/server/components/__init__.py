"""Components: models and code packed with recipes, signed for twins first and for the fleet when a person approved."""
