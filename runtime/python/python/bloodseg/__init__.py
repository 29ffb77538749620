"""Counts blood cells in pictures of a low-cost microscope.

>>> import numpy, bloodseg
>>> result = bloodseg.segment(numpy.zeros((240, 320, 3), numpy.uint8))
>>> result.count is None, result.verdict
(True, 'under_exposed')

Lengths in ``_px`` are pixels of the super-resolved picture, whose origin is the outer corner of its first pixel; those in
``input_*_px`` are pixels of the array that was passed.
"""

from ._errors import Error, InputError, InternalError, ModelError
from ._native import Segmenter, __version__
from ._result import Result

__all__ = [
    "Error",
    "InputError",
    "InternalError",
    "ModelError",
    "Result",
    "Segmenter",
    "__version__",
    "memory_bytes",
    "segment",
    "segment_many",
]


def segment(array, um_per_px=None, *, as_is=False, any_quality=False, models=None, key=None, most_bytes=None):
    """Finds the cells of one picture. The models are loaded for this call: for many pictures, use a Segmenter.

    array
        uint8 of shape (height, width, 3), red, green, blue; or (height, width), grey.
    um_per_px
        Size of a pixel in the specimen in micrometres. Without it, the scale comes from the size of the red cells.
    as_is
        Analyse the picture unchanged: it is at the scale of the models, with red cells of about 5.5 pixels.
    any_quality
        Also count cells in pictures that are out of focus, empty, or badly exposed, but never at an unknown scale.
    models
        A folder of models, or a ``.bloodseg`` bundle; the built-in ones without it.
    key
        The public key, as text, that must have signed the bundle.
    most_bytes
        Refuse pictures that would take more memory; see memory_bytes.
    """
    return Segmenter(
        um_per_px, as_is=as_is, any_quality=any_quality, models=models, key=key, most_bytes=most_bytes
    ).segment(array)


def segment_many(
    arrays,
    um_per_px=None,
    *,
    threads=None,
    as_is=False,
    any_quality=False,
    models=None,
    key=None,
    most_bytes=None,
    return_exceptions=False,
):
    """Finds the cells of pictures of one microscope, which share their scale, on several threads.

    Results are in the order of the pictures, and the same for any number of threads. A picture that cannot be used
    raises its exception; with return_exceptions, the exception takes the place of its result. The other options are those
    of segment.
    """
    segmenter = Segmenter(
        um_per_px, as_is=as_is, any_quality=any_quality, models=models, key=key, most_bytes=most_bytes
    )
    return segmenter.segment_many(arrays, threads=threads, return_exceptions=return_exceptions)


def memory_bytes(width, height, um_per_px=None, *, as_is=False, models=None, key=None):
    """Most bytes that the analysis of a picture takes, with the models and the result, without the picture itself.

    Each thread of segment_many takes as much, and every further result the bytes of its arrays.
    """
    return Segmenter(um_per_px, as_is=as_is, models=models, key=key).memory_bytes(width, height)
