"""What a trained model is: factors or a network."""
