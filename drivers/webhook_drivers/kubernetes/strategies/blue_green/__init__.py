"""The strategy ``blueGreen``: two colours and one switch."""
