"""What v1.6 wrote: its bodies, its receivers and its oldest tokens."""
