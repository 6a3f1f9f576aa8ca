"""What is accepted happens, whatever dies meanwhile.

Short in every run of the tests; ``--long`` runs the full length, ``--seed`` repeats the choices of
an earlier run. ``farm`` has the targets and their history, ``load`` sends pushes and remembers
which were accepted, ``judge`` says whether what happened was right.
"""
