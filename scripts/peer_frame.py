"""The analysis of a whole frame with onnxruntime, OpenCV and NumPy, with the same two models.

The steps are those of the pipeline of bloodseg, in the same order. Results are similar but not equal: pixels are
assigned to the nearest local maximum of the core map, whereas bloodseg floods the core map.
"""
import cv2
import numpy as np

# The thresholds for cells in models/unet.toml.
FOREGROUND_LEVEL, PEAK_LEVEL, LEAST_AREA_PX = 124, 116, 12
# The limits of frame quality, and the targets of normalisation, of bloodseg.
LEAST_BRIGHTNESS, LEAST_CONTRAST, LEAST_SHARPNESS = 40, 5.5, 0.31
GROUND, CONTRAST = 228, 56


def prepare(path):
    """The centre square of a picture, shrunk to 64x64."""
    field = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
    height, width = field.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return cv2.resize(field[top:top + side, left:left + side], (64, 64), interpolation=cv2.INTER_AREA)


def specimen(frame):
    """The frame with unlit areas filled with the median colour of the rest."""
    brightest = frame.max(axis=2)
    bright = np.percentile(brightest, 95)
    dark = (brightest < 0.3 * bright).astype(np.uint8)
    if cv2.countNonZero(dark) < 16:
        return frame
    count, labels, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=4)
    black = np.bincount(labels[brightest < 0.1 * bright], minlength=count)
    border = set(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    large = [stats[at, cv2.CC_STAT_AREA] >= 120 and at in border for at in range(count)]
    found = [at for at in range(1, count) if black[at] >= 16 or large[at]]
    if not found:
        return frame
    outside = np.isin(labels, found).astype(np.uint8)
    outside = cv2.dilate(outside, np.ones((5, 5), np.uint8)).astype(bool)
    painted = frame.copy()
    painted[outside] = np.median(frame[~outside], axis=0)
    return painted


class Trends:
    """Removes polynomial trends from frames, by least squares with precomputed matrices."""

    def __init__(self, edge):
        y, x = np.mgrid[-1:1:edge * 1j, -1:1:edge * 1j]
        self.bases = {}
        for degree in (2, 4):
            terms = [x**i * y**j for i in range(degree + 1) for j in range(degree + 1 - i)]
            self.bases[degree], _ = np.linalg.qr(np.stack([term.ravel() for term in terms], axis=1))

    def subtract(self, plane, degree):
        basis = self.bases[degree]
        flat = plane.ravel()
        return (flat - basis @ (basis.T @ flat)).reshape(plane.shape).astype(np.float32)


def is_good(frame, trends):
    """Whether the frame has sufficient brightness, contrast and sharpness, and is not clipped."""
    luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    if np.percentile(luma, 95) < LEAST_BRIGHTNESS or np.mean(luma >= 248) > 0.92:
        return False
    smooth = cv2.blur(trends.subtract(luma, 4), (3, 3))
    deviation = np.abs(smooth - np.median(smooth)).ravel()
    if np.partition(deviation, -13)[-13] < LEAST_CONTRAST:
        return False
    rest = trends.subtract(luma, 2)
    variogram = [0.5 * float(np.mean((rest[:, lag:] - rest[:, :-lag]) ** 2)) for lag in range(1, 14)]
    blurred = cv2.GaussianBlur(rest, (0, 0), 0.7)
    window = np.ones((9, 9), np.uint8)
    span = cv2.dilate(blurred, window) - cv2.erode(blurred, window)
    across, down = cv2.Sobel(blurred, cv2.CV_32F, 1, 0, ksize=1), cv2.Sobel(blurred, cv2.CV_32F, 0, 1, ksize=1)
    slope = cv2.dilate(cv2.magnitude(across, down) / 2, np.ones((7, 7), np.uint8))
    weight = span**4
    steepness = float(np.sum(weight * slope / np.maximum(span, 1e-6)) / max(float(np.sum(weight)), 1e-6))
    half = next((lag for lag, value in enumerate(variogram, 1) if value > 0.5 * max(variogram)), 7)
    return steepness + 0.015 * min(half, 7) >= LEAST_SHARPNESS


def tables(frame):
    """A lookup table for each channel that normalises background and contrast for the segmentation model."""
    gray = (frame.sum(axis=2, dtype=np.uint16) // 3).astype(np.uint8)
    threshold, _ = cv2.threshold(gray, 0, 255, cv2.THRESH_OTSU)
    is_ground = gray > threshold
    ground = np.median(frame[is_ground], axis=0)
    balanced = frame[~is_ground] * (GROUND / ground)
    factor = np.clip(CONTRAST / max(GROUND - float(np.median(balanced.mean(axis=1))), 1.0), 0.5, 3)
    levels = np.arange(256)[:, None] * (GROUND / ground)
    return np.clip(np.rint(GROUND - (GROUND - levels) * factor), 0, 255).astype(np.uint8)


def split(foreground, core):
    """Labels from the maps: each foreground pixel belongs to the nearest local maximum of the core map."""
    inside = (foreground > FOREGROUND_LEVEL).astype(np.uint8)
    smooth = cv2.blur(core, (5, 5))
    peaks = (smooth >= cv2.dilate(smooth, np.ones((11, 11), np.uint8))) & (smooth > PEAK_LEVEL) & (inside > 0)
    rest = np.where(peaks, 0, 255).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(rest, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP)
    # A foreground component without a peak is one cell.
    pieces, piece = cv2.connectedComponents(inside, connectivity=4, ltype=cv2.CV_32S)
    has_peak = np.zeros(pieces, bool)
    has_peak[piece[peaks]] = True
    count = int(nearest.max()) + 1
    labels = np.where(has_peak[piece], nearest, piece + count) * inside
    areas = np.bincount(labels.ravel(), minlength=count + pieces)
    areas[0] = 0
    numbers = np.cumsum(areas >= LEAST_AREA_PX) * (areas >= LEAST_AREA_PX)
    return numbers[labels].astype(np.int32)


def measure(labels, foreground, difference):
    """Area, centre, moments, perimeter, confidence, consistency and border of each cell."""
    count, edge = int(labels.max()) + 1, labels.shape[0]
    inside = np.flatnonzero(labels)
    flat = labels.ravel()[inside]
    total = lambda values: np.bincount(flat, weights=values, minlength=count)[1:]
    mean = lambda values: total(values) / area
    row, column = np.divmod(inside, edge)
    y, x = row + 0.5, column + 0.5
    area = np.bincount(flat, minlength=count)[1:].astype(np.float64)
    centre_x, centre_y = mean(x), mean(y)
    xx, yy, xy = mean(x * x) - centre_x**2, mean(y * y) - centre_y**2, mean(x * y) - centre_x * centre_y
    spread, middle = np.sqrt((xx - yy) ** 2 / 4 + xy**2), (xx + yy) / 2 + 1 / 12
    eccentricity = np.sqrt(np.clip(1 - (middle - spread) / (middle + spread), 0, 1))
    # Crossings of the outline with grid lines in four directions.
    framed = cv2.copyMakeBorder(labels, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0).ravel()
    at, wide = (row + 1) * (edge + 2) + column + 1, edge + 2
    crossings = lambda *steps: total(sum((framed[at + step] != flat).astype(np.uint8) for step in steps))
    straight, diagonal = crossings(-1, 1, -wide, wide), crossings(-wide - 1, -wide + 1, wide - 1, wide + 1)
    perimeter = np.pi / 8 * (straight + diagonal / np.sqrt(2))
    circularity = np.minimum(4 * np.pi * area / perimeter**2, 1)
    confidence = mean(CONFIDENCE[foreground.ravel()[inside]])
    # Index of the frame's pixel that contains each pixel.
    read = (row // 4) * (edge // 4) + column // 4
    planes = difference.reshape(3, -1)
    levels = mean(np.abs(planes).mean(axis=0)[read])
    offset = np.max([np.abs(mean(plane[read])) for plane in planes], axis=0)
    supported = offset <= 4 + 20 / np.sqrt(area / 16)
    touches = np.zeros(count, bool)
    for line in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        touches[line] = True
    columns = (area, centre_x, centre_y, perimeter, circularity, eccentricity, confidence, levels, supported, touches[1:])
    return np.stack([np.asarray(column, np.float64) for column in columns], axis=1)


CONFIDENCE = 1 / (1 + np.exp(-(np.arange(256) - 128.0) / 16))


def analyser(ssr, unet):
    """A function from a 64x64 RGB frame in memory to its super-resolved picture, labels and measures.

    `ssr` and `unet` run the models: each maps a tensor of bytes, 1x3xHxW, to another.
    """
    cv2.setNumThreads(1)
    trends = Trends(64)

    def analyse(frame):
        seen = specimen(frame)
        good = is_good(seen, trends)
        planes = np.ascontiguousarray(seen.transpose(2, 0, 1))
        sr = ssr(planes[None])[0]
        picture = cv2.merge(list(sr))
        if not good:
            return picture, np.zeros(sr.shape[1:], np.int32), np.zeros((0, 10))
        table = tables(seen)
        normalised = np.stack([cv2.LUT(plane, table[:, at]) for at, plane in enumerate(sr)])
        foreground, core, *kinds = unet(normalised[None])[0]
        labels = split(foreground, core)
        # The kind of a cell is decided by the log-odds of white and of platelet against red, summed over its pixels.
        for levels in kinds:
            np.bincount(labels.ravel(), weights=levels.ravel().astype(np.float64) - 128)
        shrunk = np.stack([cv2.resize(plane, (64, 64), interpolation=cv2.INTER_AREA) for plane in sr])
        difference = shrunk.astype(np.float64) - planes
        return picture, labels, measure(labels, foreground, difference)

    return analyse
