"""Torture: a registry under load is killed over and over, or asked for more than it can do, and held to its promises.

``journal`` writes down what was asked and what was acknowledged, ``line`` is HTTP by hand, ``load`` the clients,
``victim`` the server that is killed and restarted, ``check`` compares it with the journal, ``rounds`` plays one after the
other, ``soak`` is the load that goes on and on, ``report`` tells. ``make torture`` and ``make soak`` run them in full, the
tests in a short form.
"""
