"""Check characters of ISO/IEC 7064."""

from __future__ import annotations

from cimkit.errors import ParameterError


def mod_97_10(digits: str) -> str:
    """Two check digits (校验码) that catch every single error and every swap of neighbours.

    Parameters
    ----------
    digits : str
        ASCII digits, at least one.

    Returns
    -------
    str
        ``02`` to ``98``.

    Raises
    ------
    ParameterError
        On any other character, or none.

    Notes
    -----
    The number followed by its check digits leaves the remainder 1 when divided by 97.

    Examples
    --------
    >>> mod_97_10("99991234567890121414")
    '90'
    """
    if not (digits.isascii() and digits.isdigit()):
        raise ParameterError(f"{digits!r}: only the digits 0 to 9 have a check by MOD 97-10")
    return f"{98 - int(digits) * 100 % 97:02d}"
