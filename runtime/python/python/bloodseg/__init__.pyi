from dataclasses import dataclass
from os import PathLike
from typing import Any, Iterable, Literal, Optional, Union, final, overload

import numpy as np
from numpy.typing import NDArray

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

__version__: str

_Picture = NDArray[np.uint8]
_Path = Union[str, PathLike[str]]
_Verdict = Literal[
    "good", "out_of_focus", "empty", "over_exposed", "under_exposed", "scale_unknown", "scale_doubtful"
]
_PitchSource = Literal["given", "metadata", "measured", "none"]

class Error(Exception):
    kind: Literal["input", "model", "internal"]
    message: str
    found: str
    expected: str
    remedy: str
    index: Optional[int]
    def __init__(
        self, message: str, found: str = ..., expected: str = ..., remedy: str = ..., index: Optional[int] = ...
    ) -> None: ...

class InputError(Error, ValueError): ...
class ModelError(Error): ...
class InternalError(Error): ...

@dataclass(frozen=True, eq=False, repr=False)
class Result:
    labels: NDArray[np.uint16]
    picture: _Picture
    cells: dict[str, NDArray[Any]]
    count: Optional[int]
    red: Optional[int]
    white: Optional[int]
    platelets: Optional[int]
    supported: Optional[int]
    unsupported: Optional[int]
    is_counted: bool
    verdict: _Verdict
    reason: str
    scale: Optional[float]
    um_per_px: Optional[float]
    um_per_px_range: Optional[tuple[float, float]]
    pitch_source: _PitchSource
    is_outlier: bool
    start_px: tuple[float, float]
    input_px_per_sr_px: float
    def on_input_px(self, x_px: float, y_px: float) -> tuple[float, float]: ...
    def labels_on_input(self, shape: tuple[int, ...]) -> NDArray[np.uint16]: ...

@final
class Segmenter:
    def __new__(
        cls,
        um_per_px: Optional[float] = None,
        *,
        as_is: bool = False,
        any_quality: bool = False,
        models: Optional[_Path] = None,
        key: Optional[str] = None,
        most_bytes: Optional[int] = None,
    ) -> Segmenter: ...
    @property
    def um_per_px(self) -> Optional[float]: ...
    @property
    def as_is(self) -> bool: ...
    @property
    def any_quality(self) -> bool: ...
    @property
    def models(self) -> Optional[str]: ...
    @property
    def key(self) -> Optional[str]: ...
    @property
    def most_bytes(self) -> Optional[int]: ...
    def __getnewargs_ex__(self) -> tuple[tuple[Optional[float]], dict[str, object]]: ...
    def segment(self, array: _Picture) -> Result: ...
    @overload
    def segment_many(
        self, arrays: Iterable[_Picture], *, threads: Optional[int] = None, return_exceptions: Literal[False] = False
    ) -> list[Result]: ...
    @overload
    def segment_many(
        self, arrays: Iterable[_Picture], *, threads: Optional[int] = None, return_exceptions: bool
    ) -> list[Union[Result, Error]]: ...
    def memory_bytes(self, width: int, height: int) -> int: ...

def segment(
    array: _Picture,
    um_per_px: Optional[float] = None,
    *,
    as_is: bool = False,
    any_quality: bool = False,
    models: Optional[_Path] = None,
    key: Optional[str] = None,
    most_bytes: Optional[int] = None,
) -> Result: ...
@overload
def segment_many(
    arrays: Iterable[_Picture],
    um_per_px: Optional[float] = None,
    *,
    threads: Optional[int] = None,
    as_is: bool = False,
    any_quality: bool = False,
    models: Optional[_Path] = None,
    key: Optional[str] = None,
    most_bytes: Optional[int] = None,
    return_exceptions: Literal[False] = False,
) -> list[Result]: ...
@overload
def segment_many(
    arrays: Iterable[_Picture],
    um_per_px: Optional[float] = None,
    *,
    threads: Optional[int] = None,
    as_is: bool = False,
    any_quality: bool = False,
    models: Optional[_Path] = None,
    key: Optional[str] = None,
    most_bytes: Optional[int] = None,
    return_exceptions: bool,
) -> list[Union[Result, Error]]: ...
def memory_bytes(
    width: int,
    height: int,
    um_per_px: Optional[float] = None,
    *,
    as_is: bool = False,
    models: Optional[_Path] = None,
    key: Optional[str] = None,
) -> int: ...
