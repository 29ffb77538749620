"""The exceptions. ``kind`` says who can fix it, and does not change between versions."""


class Error(Exception):
    """Base class of the exceptions of bloodseg. ``kind`` is one of ``input``, ``model`` and ``internal``."""

    kind = "internal"

    def __init__(self, message, found="", expected="", remedy="", index=None):
        super().__init__(message)
        self.message = message
        #: What was found.
        self.found = found
        #: What was expected.
        self.expected = expected
        #: What to do; may be empty.
        self.remedy = remedy
        #: Number of the picture in the list, from 0.
        self.index = index

    def __reduce__(self):
        # Exceptions cross processes, such as those of Dask.
        return type(self), (self.message, self.found, self.expected, self.remedy, self.index)


class InputError(Error, ValueError):
    """A picture or an option that cannot be used."""

    kind = "input"


class ModelError(Error):
    """A model that is missing, damaged, untrusted, or incompatible."""

    kind = "model"


class InternalError(Error):
    """A bug in bloodseg: please report it."""

    kind = "internal"
