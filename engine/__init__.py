"""The pure engine: contract, evidence, rule set, profile and date in, evaluation out.

May import `contracts`; knows no clock, disk, network, randomness or environment.
"""
