"""What a message proposes to somebody who mistook a name: the known ones in order, and the nearest."""

from __future__ import annotations

from collections.abc import Iterable

# Nobody means a longer name, and comparing takes time that grows with the square of the length.
_LONGEST = 100


def alphabetical(names: Iterable[str]) -> list[str]:
    """Sort names as a dictionary does, whatever their capitals.

    Examples
    --------
    >>> alphabetical(["Zeros", "normal", "Ones"])
    ['normal', 'Ones', 'Zeros']
    """
    return sorted(names, key=lambda name: (name.lower(), name))


def did_you_mean(name: str, known: Iterable[str], mark: str = "'") -> str:
    """Return the end of a message about an unknown name: the question for the nearest known one, or nothing.

    Examples
    --------
    >>> "Received: 'rleu'" + did_you_mean("rleu", ["tanh", "relu"])
    "Received: 'rleu'. Did you mean 'relu'?"
    >>> did_you_mean("xyz", ["tanh", "relu"]), did_you_mean("lr", ["learning_rate"])
    ('', ". Did you mean 'learning_rate'?")
    """
    import difflib  # only a mistake needs it, and importing the package should not wait for it

    folded = {_fold(each): each for each in reversed(alphabetical(known))}
    short = {"".join(word[0] for word in each.split("_") if word): each for each in folded.values() if "_" in each}
    nearest = difflib.get_close_matches(_fold(name[:_LONGEST]), folded, n=1)
    meant = folded[nearest[0]] if nearest else short.get(name)
    return "" if meant is None else f". Did you mean {mark}{meant}{mark}?"


def _fold(name: str) -> str:
    return name.replace("_", "").lower()
