"""What cimkit costs, beside what cannot be avoided and beside other libraries.

``python -m benchmarks`` prints one table; the figures are CPU seconds, user and system.
"""
