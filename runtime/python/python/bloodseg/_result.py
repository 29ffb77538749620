"""What was found in a picture."""

from dataclasses import dataclass

import numpy


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """What was found in a picture. Counts are None if cells were not counted, which differs from 0."""

    #: One number per pixel of ``picture``: 0 is background. uint16 of shape (height, width).
    labels: object
    #: The super-resolved picture, uint8 of shape (height, width, 3).
    picture: object
    #: The table of the cells and platelets: columns by name, as pandas.DataFrame takes them.
    cells: dict
    #: Red and white cells, or all cells of models that report no kinds.
    count: "int | None"
    #: Red cells; None too for models that report no kinds, like the two below.
    red: "int | None"
    #: White cells.
    white: "int | None"
    #: Platelets; not part of ``count``.
    platelets: "int | None"
    #: Cells of ``count`` that the input supports, and those that it does not.
    supported: "int | None"
    unsupported: "int | None"
    #: Whether cells were counted.
    is_counted: bool
    #: ``good``, or why cells were not counted or the count is in doubt.
    verdict: str
    #: The same in words, with the value that decided it.
    reason: str
    #: Pixels of the input per pixel that was analysed; None if unknown.
    scale: "float | None"
    #: Size of a pixel of the input in the specimen, in micrometres, and its interval if it is an estimate.
    um_per_px: "float | None"
    um_per_px_range: "tuple[float, float] | None"
    #: ``given``, ``measured`` or ``none``.
    pitch_source: str
    #: Whether it was analysed at a scale of its own, because its cells differ in size from those of the other pictures.
    is_outlier: bool
    #: Where ``picture`` begins on the input: (x, y) in pixels of the input, from the outer corner of its first one.
    start_px: tuple
    #: Pixels of the input per pixel of ``picture``.
    input_px_per_sr_px: float

    def on_input_px(self, x_px, y_px):
        """Maps a point of ``picture`` to the input, both in pixels from the outer corner of the first."""
        return (
            self.start_px[0] + x_px * self.input_px_per_sr_px,
            self.start_px[1] + y_px * self.input_px_per_sr_px,
        )

    def labels_on_input(self, shape):
        """Labels of the pixels of the input, uint16 of shape (height, width), the first two numbers of ``shape``.

        A pixel has the label at its centre, and 0 outside what was analysed.
        """
        rows, inside_rows = self._on_sr(shape[0], self.start_px[1], self.labels.shape[0])
        columns, inside_columns = self._on_sr(shape[1], self.start_px[0], self.labels.shape[1])
        labels = self.labels[numpy.ix_(rows, columns)]
        labels[~inside_rows, :] = 0
        labels[:, ~inside_columns] = 0
        return labels

    def _on_sr(self, side_px, start_px, side_sr_px):
        """The pixels of ``labels`` below the centres of the pixels of a side, and whether they exist."""
        at = numpy.floor((numpy.arange(side_px) + 0.5 - start_px) / self.input_px_per_sr_px).astype(int)
        return at.clip(0, side_sr_px - 1), (at >= 0) & (at < side_sr_px)

    def __repr__(self):
        if self.count is None:
            return f"<bloodseg.Result: not counted, {self.verdict}>"
        kinds = "" if self.red is None else f" ({self.red} red, {self.white} white), {self.platelets} platelets"
        return f"<bloodseg.Result: {self.count} cells{kinds}, {self.verdict}, pitch {self.pitch_source}>"
