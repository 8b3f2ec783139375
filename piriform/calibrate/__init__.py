"""How often is the verdict wrong, and how often does it find what is there? Many simulated studies."""
