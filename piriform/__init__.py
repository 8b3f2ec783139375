"""piriform: does the brain keep learning after behaviour has stopped improving?"""

__version__ = "0.1.0"
